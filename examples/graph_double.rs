//! A graph that an entrypoint calls: the two are one program.
//!
//! ```sh
//! cargo run --example graph_double
//! ```

use rethread::prelude::*;
use rethread::{App, Embedded, Graph, GraphError, Outcome};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Number {
    foo: i64,
}

async fn double(state: Number) -> Result<NumberUpdate> {
    Ok(NumberUpdate::new().foo(state.foo * 2))
}

/// One node that doubles the field `foo`.
fn doubling() -> Result<Graph<NumberUpdate, Number>, GraphError> {
    StateGraph::<Number>::new("doubling")
        .add_node("double", double)
        .add_edge(START, "double")
        .add_edge("double", END)
        .compile()
}

/// Calls the graph as it would call another entrypoint.
#[entrypoint]
async fn workflow(x: i64) -> Result<i64> {
    let doubling = doubling()?;
    let once = doubling.call(NumberUpdate::new().foo(x)).await?;
    let twice = doubling.call(NumberUpdate::new().foo(once.foo)).await?;
    Ok(twice.foo)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::new().entrypoint(workflow::def()).graph(&doubling()?);
    let engine = Embedded::open(app, ".rethread").await?;
    if let Outcome::Done(result) = engine.client().new_thread().invoke(workflow::def(), 5).await? {
        println!("5 doubled twice is {result}");
    }
    // The graph by itself.
    let thread = engine.client().new_thread();
    if let Outcome::Done(state) = thread.invoke(doubling()?, NumberUpdate::new().foo(21)).await? {
        println!("21 doubled is {}", state.foo);
    }
    engine.shutdown().await?;
    Ok(())
}
