//! An agent from scratch: a model that may call tools, in a loop.
//!
//! ```sh
//! cargo run --example agent
//! ```

use futures::future::try_join_all;
use rethread::prelude::*;
use rethread::{App, Embedded, Outcome};
use rethread_examples::model::{Chat, Llm, Message, Reply, Tool, ToolCall};

fn tools() -> Vec<Tool> {
    vec![Tool::of_texts("weather", "tells the weather in a city", &["city"])]
}

/// One question to the model.
#[task(retry = Retry::attempts(3), timeout = "2m")]
async fn ask_model(messages: Vec<Message>, llm: Dep<Llm>) -> Result<Reply> {
    llm.reply(&Chat::new(messages).tools(tools())).await
}

/// One call of a tool. A tool that the model made up is an answer to the model, not an error.
#[task]
async fn call_tool(call: ToolCall) -> Result<Message> {
    let result = match call.name.as_str() {
        "weather" if call.arguments["city"] == "Oslo" => "rain, 4 degrees".to_owned(),
        "weather" => "sunny, 21 degrees".to_owned(),
        other => format!("there is no tool `{other}`"),
    };
    println!("{}({}): {result}", call.name, call.arguments);
    Ok(Message::tool(&call, result))
}

/// Asks the model until it wants no more tools. Tools it asks for together run together.
#[entrypoint]
async fn agent(question: String) -> Result<String> {
    let mut messages = vec![Message::user(question)];
    loop {
        let reply = ask_model(messages.clone()).await?;
        messages.push(reply.clone().into());
        if reply.tool_calls.is_empty() {
            return Ok(reply.text);
        }
        let results = try_join_all(reply.tool_calls.into_iter().map(call_tool)).await?;
        messages.extend(results);
    }
}

/// What the model says where no other one is named.
fn script(chat: &Chat) -> Reply {
    let results: Vec<&str> = chat
        .messages
        .iter()
        .filter(|message| matches!(message, Message::Tool { .. }))
        .map(Message::text)
        .collect();
    if let [rome, oslo] = results[..] {
        return Reply::text(format!("In Rome it is {rome}; in Oslo it is {oslo}."));
    }
    let weather = |id: &str, city: &str| ToolCall {
        id: id.to_owned(),
        name: "weather".to_owned(),
        arguments: json!({ "city": city }),
    };
    Reply { text: String::new(), tool_calls: vec![weather("1", "Rome"), weather("2", "Oslo")] }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::new()
        .provide(Llm::from_env(script)?)
        .entrypoint(agent::def())
        .task(ask_model::def())
        .task(call_tool::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    let question = "What is the weather in Rome and in Oslo?".to_owned();
    if let Outcome::Done(answer) = thread.invoke(agent::def(), question).await? {
        println!("{answer}");
    }
    engine.shutdown().await?;
    Ok(())
}
