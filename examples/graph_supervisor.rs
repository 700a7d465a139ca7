//! Agents that do not know each other: a supervisor says whose turn it is.
//!
//! ```sh
//! cargo run --example graph_supervisor
//! ```

use rethread::graph::{Messages, Node};
use rethread::prelude::*;
use rethread::{App, Embedded, Message, MessagesState, MessagesStateUpdate, Outcome};
use rethread_examples::model::{Chat, Llm, Message as Said, Reply, Tool};

/// The agents, with what the supervisor is told of them.
const AGENTS: [(&str, &str); 2] =
    [("researcher", "finds facts"), ("writer", "writes an answer from facts")];

async fn reply(part: &str, messages: &Messages, tools: Vec<Tool>, llm: &Llm) -> Result<Reply> {
    let mut chat = Chat::of(messages).tools(tools);
    chat.messages.insert(0, Said::system(part));
    llm.reply(&chat).await
}

/// Lets the model choose an agent, each of which is a tool, until it has nothing left to ask.
async fn supervise(state: MessagesState, llm: Dep<Llm>) -> Result<Command> {
    let tools = AGENTS.map(|(name, what)| Tool::of_texts(name, what, &[])).to_vec();
    let reply = reply("Hand the work to an agent.", &state.messages, tools, &llm).await?;
    Ok(match reply.tool_calls.first() {
        Some(call) => Command::goto(call.name.clone()),
        None => Command::goto(END),
    })
}

/// Adds to the conversation in the name of the agent.
async fn work(name: &str, state: MessagesState, llm: &Llm) -> Result<MessagesStateUpdate> {
    let part = format!("You are the {name}.");
    let said = Message::from(reply(&part, &state.messages, Vec::new(), llm).await?);
    Ok(MessagesStateUpdate::new().messages(said.with_name(name)))
}

async fn researcher(state: MessagesState, llm: Dep<Llm>) -> Result<MessagesStateUpdate> {
    work("researcher", state, &llm).await
}

async fn writer(state: MessagesState, llm: Dep<Llm>) -> Result<MessagesStateUpdate> {
    work("writer", state, &llm).await
}

/// What the model says where no other one is named.
fn script(chat: &Chat) -> Reply {
    let turns = chat.messages.len() - 2; // behind its part and the question
    match (chat.messages[0].text(), turns) {
        ("Hand the work to an agent.", 0) => Reply::call("1", "researcher", json!({})),
        ("Hand the work to an agent.", 1) => Reply::call("2", "writer", json!({})),
        ("You are the researcher.", _) => Reply::text("Owls turn their heads by 270 degrees."),
        ("You are the writer.", _) => Reply::text("An owl looks behind itself with ease."),
        _ => Reply::text("Done."),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let team = StateGraph::<MessagesState>::new("team")
        .add_node("supervisor", Node::new(supervise).ends(["researcher", "writer", END]))
        .add_node("researcher", researcher)
        .add_node("writer", writer)
        .add_edge(START, "supervisor")
        .add_edge("researcher", "supervisor")
        .add_edge("writer", "supervisor")
        .compile()?;
    let app = App::new().provide(Llm::from_env(script)?).graph(&team);
    let engine = Embedded::open(app, ".rethread").await?;
    let question = MessagesStateUpdate::new().messages("Tell me about owls.");
    let thread = engine.client().new_thread();
    if let Outcome::Done(state) = thread.invoke(&team, question).recursion_limit(20).await? {
        for message in &state.messages {
            println!("{}: {}", message.name.as_deref().unwrap_or("person"), message.text());
        }
    }
    engine.shutdown().await?;
    Ok(())
}
