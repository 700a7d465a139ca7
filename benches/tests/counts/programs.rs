//! What is run.

use rethread::prelude::*;
use rethread::{Graph, GraphError};
use rethread_sdk::Registry;
use serde::{Deserialize, Serialize};

use crate::Failure;

/// About 100 bytes in, about 100 bytes out.
#[task]
pub(crate) async fn noop(text: String) -> Result<String> {
    Ok(text)
}

/// Calls `noop` so often, one after the other.
#[entrypoint]
pub(crate) async fn sequence(steps: u64) -> Result<u64> {
    for step in 0..steps {
        noop(text_of(step)).await?;
    }
    Ok(steps)
}

/// Calls `noop` so often, all at once.
#[entrypoint]
pub(crate) async fn fan_out(steps: u64) -> Result<u64> {
    let calls = (0..steps).map(|step| noop(text_of(step)));
    for ended in futures::future::join_all(calls).await {
        ended?;
    }
    Ok(steps)
}

/// The same as `sequence`, and then waits for a person.
#[entrypoint]
pub(crate) async fn sequence_and_question(steps: u64) -> Result<String> {
    for step in 0..steps {
        noop(text_of(step)).await?;
    }
    interrupt("go on?").await
}

/// Waits for a person.
#[entrypoint]
pub(crate) async fn question(text: String) -> Result<String> {
    interrupt(text).await
}

/// Writes so many events.
#[task]
async fn write_events(events: u64) -> Result<u64> {
    for event in 0..events {
        emit(text_of(event))?;
    }
    Ok(events)
}

/// One task that writes so many events.
#[entrypoint]
pub(crate) async fn broadcast(events: u64) -> Result<u64> {
    write_events(events).await
}

fn text_of(number: u64) -> String {
    format!("{number:0>96}")
}

/// The state of [`steps`].
#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
pub(crate) struct Steps {
    done: u64,
    text: String,
}

async fn step(state: Steps) -> Result<StepsUpdate> {
    Ok(StepsUpdate::new().done(state.done + 1).text(text_of(state.done)))
}

async fn next(state: Steps) -> Result<&'static str> {
    Ok(if state.done < 10 { "step" } else { END })
}

/// A graph of one node that is run until it has made ten steps.
pub(crate) fn steps() -> Result<Graph<StepsUpdate, Steps>, GraphError> {
    StateGraph::<Steps>::new("steps")
        .add_node("step", step)
        .add_edge(START, "step")
        .add_conditional_edges("step", next)
        .compile()
}

pub(crate) fn registry() -> std::result::Result<Registry, Failure> {
    let registry = Registry::builder()
        .entrypoint(sequence::def())
        .entrypoint(fan_out::def())
        .entrypoint(sequence_and_question::def())
        .entrypoint(question::def())
        .entrypoint(broadcast::def())
        .task(noop::def())
        .task(write_events::def())
        .graph(&steps()?);
    Ok(registry.build()?)
}
