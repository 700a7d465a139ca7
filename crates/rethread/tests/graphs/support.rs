use rethread::graph::Values;
use rethread::{App, Client, Embedded, Graph, StateGraph};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An engine in memory with this graph.
pub(crate) async fn engine<I, O>(graph: &Graph<I, O>) -> Embedded {
    engine_with(App::new().graph(graph)).await
}

pub(crate) async fn engine_with(app: App) -> Embedded {
    Embedded::in_memory(app).await.expect("the engine starts")
}

/// A value of JSON as the fields of a state.
pub(crate) fn fields(json: Value) -> Values {
    let payload = rethread_core::payload::Payload::encode(&json, "fields").expect("encodes");
    Values::from_payload(&payload).expect("an object")
}

/// A node that writes its name to the field `log`.
pub(crate) fn logs(
    name: &'static str,
) -> impl Fn(Value) -> std::future::Ready<rethread::Result<Value>> {
    move |_| std::future::ready(Ok(serde_json::json!({ "log": [name] })))
}

/// The result of a graph that was run to its end in a thread.
pub(crate) async fn run(client: &Client, graph: &str, thread: &str, input: Value) -> Value {
    run_to(client, graph, thread, input).await.expect("the run completes")
}

pub(crate) async fn run_to<O: DeserializeOwned + Send + 'static>(
    client: &Client,
    graph: &str,
    thread: &str,
    input: Value,
) -> rethread::client::Result<O> {
    let graph = rethread::EntrypointRef::<Value, Value>::named(graph);
    let thread = client.thread(thread).expect("a name");
    let outcome = thread.invoke(graph, input).typed::<O>().await?;
    Ok(outcome.done().expect("no questions"))
}

/// A graph with the field `log` alone, to which each node appends.
pub(crate) fn logging(name: &str) -> StateGraph<Values> {
    StateGraph::with_fields(name, [rethread::graph::Field::append("log")])
}
