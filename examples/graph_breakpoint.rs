//! A graph that stops before a node, so that a person sees its state, mends it and lets it go on.
//!
//! ```sh
//! cargo run --example graph_breakpoint
//! ```

use rethread::prelude::*;
use rethread::{App, Embedded, HistoryQuery, Outcome, Thread};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Letter {
    to: String,
    text: String,
    is_sent: bool,
}

async fn write(letter: Letter) -> Result<LetterUpdate> {
    Ok(LetterUpdate::new().text(format!("hey {}, where is my money", letter.to)))
}

/// What cannot be taken back: nothing runs it before somebody has looked.
async fn send(letter: Letter) -> Result<LetterUpdate> {
    println!("sent: {}", letter.text);
    Ok(LetterUpdate::new().is_sent(true))
}

async fn show(thread: &Thread) -> Result<(), Box<dyn std::error::Error>> {
    if let Some(state) = thread.state().await? {
        let letter: Letter = state.values.decode()?;
        println!("next {:?}, text: {}, sent: {}", state.next, letter.text, letter.is_sent);
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let graph = StateGraph::<Letter>::new("letter")
        .add_node("write", write)
        .add_node("send", send)
        .add_sequence([START, "write", "send", END])
        .interrupt_before(["send"])
        .compile()?;
    let engine = Embedded::open(App::new().graph(&graph), ".rethread").await?;
    let thread = engine.client().new_thread();

    // Runs up to the breakpoint; the outcome is the state so far.
    let outcome = thread.invoke(&graph, LetterUpdate::new().to("Ada")).await?;
    println!("{outcome:?}");
    show(&thread).await?;

    // As if `write` had returned this: what follows it is next, as before.
    let better = LetterUpdate::new().text("Dear Ada, may I remind you of our bill?");
    thread.update_state(better).as_node("write").await?;
    show(&thread).await?;

    // Goes on from the edited state.
    if let Outcome::Done(letter) = thread.retry().typed::<Letter>().await? {
        println!("to {}, sent: {}", letter.to, letter.is_sent);
    }

    // Nothing was overwritten: what was written first stands in the history.
    for state in thread.history(HistoryQuery::new()).await? {
        println!("step {}: {:?}, then {:?}", state.step, state.source, state.next);
    }
    engine.shutdown().await?;
    Ok(())
}
