//! A graph that sorts what comes in: a model names the desk, and a typed route leads to it.
//!
//! ```sh
//! cargo run --example graph_router
//! ```

use rethread::prelude::*;
use rethread::{App, Embedded, Outcome, Route};
use rethread_examples::model::{Chat, Llm, Message, Reply};
use serde::{Deserialize, Serialize};

/// Who takes care of a request. `compile` refuses a graph without one of these nodes.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, Route)]
enum Desk {
    Billing,
    Technical,
    /// Where the model gives no answer that is known.
    #[default]
    #[route(node = "person")]
    Unknown,
}

impl Desk {
    fn named(name: &str) -> Self {
        match name {
            "billing" => Self::Billing,
            "technical" => Self::Technical,
            _ => Self::Unknown,
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Request {
    text: String,
    desk: Desk,
    answer: String,
}

async fn classify(request: Request, llm: Dep<Llm>) -> Result<RequestUpdate> {
    let part = Message::system("Answer with one word: billing, technical, or other.");
    let reply = llm.reply(&Chat::new([part, Message::user(request.text)])).await?;
    Ok(RequestUpdate::new().desk(Desk::named(reply.text.trim())))
}

async fn billing(_: Request) -> Result<RequestUpdate> {
    Ok(RequestUpdate::new().answer("You have paid twice; you get one payment back."))
}

async fn technical(_: Request) -> Result<RequestUpdate> {
    Ok(RequestUpdate::new().answer("Switch it off and on again."))
}

async fn person(_: Request) -> Result<RequestUpdate> {
    Ok(RequestUpdate::new().answer("A person will call you."))
}

/// What the model says where no other one is named.
fn script(chat: &Chat) -> Reply {
    Reply::text(match chat.last() {
        text if text.contains("invoice") => "billing",
        text if text.contains("screen") => "technical",
        _ => "other",
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let support = StateGraph::<Request>::new("support")
        .add_node("classify", classify)
        .add_node("billing", billing)
        .add_node("technical", technical)
        .add_node("person", person)
        .add_edge(START, "classify")
        .add_conditional_edges("classify", |request: Request| request.desk)
        .compile()?;
    let app = App::new().provide(Llm::from_env(script)?).graph(&support);
    let engine = Embedded::open(app, ".rethread").await?;
    for text in ["The invoice came twice", "The screen is black", "Do you sell owls?"] {
        let thread = engine.client().new_thread();
        let request = RequestUpdate::new().text(text);
        if let Outcome::Done(request) = thread.invoke(&support, request).await? {
            println!("{text} -> {:?}: {}", request.desk, request.answer);
        }
    }
    engine.shutdown().await?;
    Ok(())
}
