//! What a caller sets for one run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::graph::Breakpoints;
use crate::payload::Payload;

/// What a caller sets for one run. Each run of an execution has its own: a resume does not keep
/// those of the run before it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunSettings {
    /// Facts about the run.
    pub config: RunConfig,
    /// The context object that bodies of the run may ask for.
    pub context: Option<Payload>,
    /// What is kept of the run's checkpoints.
    pub durability: RunDurability,
    /// Most attempts of tasks of the run that are queued or running at a time. A task that waits
    /// for calls of its own does not count.
    pub max_concurrency: Option<u32>,
    /// Most steps that a graph may make in the run; 10,007 if it is not said. Where the root is no
    /// graph, also how deep calls may be nested; 1,000 if it is not said.
    pub recursion_limit: Option<u32>,
    /// Where the run pauses, if its entrypoint is a graph.
    pub breakpoints: Breakpoints,
    /// The trace that the run belongs to; spans of its tasks are part of it.
    pub trace: Option<TraceContext>,
}

/// A place in a distributed trace, in the form of the W3C recommendation "Trace Context".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceContext {
    /// The value of a `traceparent` header.
    pub parent: String,
    /// The value of a `tracestate` header; empty if there is none.
    pub state: String,
}

/// Facts about a run that its caller attaches to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// Words for its bodies to see; nothing is found by them.
    pub tags: Vec<String>,
    /// Facts to find it by.
    pub metadata: BTreeMap<String, Payload>,
    /// Values that its bodies may ask for.
    pub configurable: BTreeMap<String, Payload>,
}

impl RunConfig {
    /// What its checkpoints show of it: scalars of `configurable` and `metadata`,
    /// but not those with names of the engine.
    pub fn scalars(&self) -> BTreeMap<String, Payload> {
        let entries = self.configurable.iter().chain(&self.metadata);
        entries
            .filter(|(key, value)| is_public(key) && is_scalar(value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

fn is_public(key: &str) -> bool {
    let ids = ["thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map"];
    !key.starts_with("__") && !key.starts_with("langgraph_") && !ids.contains(&key)
}

/// Whether the value is a text, a number or a boolean, by its MessagePack marker.
fn is_scalar(value: &Payload) -> bool {
    let Some(marker) = value.as_bytes().first() else { return false };
    matches!(marker,
        0x00..=0x7f | 0xe0..=0xff // small integers
        | 0xa0..=0xbf | 0xd9..=0xdb // texts
        | 0xc2 | 0xc3 // booleans
        | 0xca..=0xd3 // numbers
    )
}

/// What is kept of a run, in LangGraph's words. Results and answers are recorded before
/// anything follows from them in every mode, so that a crash loses nothing in any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RunDurability {
    /// As [`RunDurability::Async`]: there is nothing that it could wait for.
    #[serde(rename = "s")]
    Sync,
    /// All checkpoints are kept.
    #[default]
    #[serde(rename = "a")]
    Async,
    /// Only the checkpoint at the end of the run is kept: a run that completes leaves no input
    /// checkpoint.
    #[serde(rename = "e")]
    Exit,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(value: impl Serialize) -> Payload {
        Payload::encode(&value, "x").expect("encodes")
    }

    fn entries<const N: usize>(entries: [(&str, Payload); N]) -> BTreeMap<String, Payload> {
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    #[test]
    fn checkpoints_show_scalars_of_the_caller_only() {
        let config = RunConfig {
            tags: vec!["t".into()],
            metadata: entries([("a", value(1)), ("b", value([1])), ("c", value(true))]),
            configurable: entries([
                ("thread_id", value("x")),
                ("__pregel", value(1)),
                ("langgraph_step", value(1)),
                ("user", value("ada")),
                ("f", value(0.5)),
                ("n", value(-300)),
                ("none", Payload::NULL),
            ]),
        };
        let keys: Vec<_> = config.scalars().into_keys().collect();
        assert_eq!(keys, ["a", "c", "f", "n", "user"]);
    }
}
