//! A person in the middle of a graph: a node asks, and the answer says where to go.
//!
//! ```sh
//! cargo run --example graph_review
//! ```
//!
//! In a terminal you are the person. Answer `{"action": "publish"}` or
//! `{"action": "revise", "feedback": ".."}`.

use rethread::graph::Node;
use rethread::prelude::*;
use rethread::{App, Embedded};
use rethread_examples::model::{Chat, Llm, Message, Reply};
use rethread_examples::person;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Article {
    topic: String,
    draft: String,
    feedback: String,
    is_published: bool,
}

/// What a person says about a draft.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
enum Review {
    Publish,
    Revise { feedback: String },
}

async fn write(article: Article, llm: Dep<Llm>) -> Result<ArticleUpdate> {
    println!("writing about {}", article.topic);
    let prompt = format!("Write about {}. {}", article.topic, article.feedback);
    let reply = llm.reply(&Chat::new([Message::user(prompt)])).await?;
    Ok(ArticleUpdate::new().draft(reply.text))
}

/// Runs again from its start when the answer is there. What ran before it does not.
async fn review(article: Article) -> Result<Command> {
    match interrupt(json!({ "draft": article.draft })).await? {
        Review::Publish => Ok(Command::goto("publish")),
        Review::Revise { feedback } => {
            Ok(Command::goto("write").update(ArticleUpdate::new().feedback(feedback)))
        }
    }
}

async fn publish(_: Article) -> Result<ArticleUpdate> {
    Ok(ArticleUpdate::new().is_published(true))
}

/// What the model says where no other one is named.
fn script(chat: &Chat) -> Reply {
    Reply::text(match chat.last() {
        prompt if prompt.contains("shorter") => "Owls see at night.",
        _ => "Owls have eyes that let them see by the light of a single candle.",
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let graph = StateGraph::<Article>::new("article")
        .add_node("write", write)
        .add_node("review", Node::new(review).ends(["write", "publish"]))
        .add_node("publish", publish)
        .add_edge(START, "write")
        .add_edge("write", "review")
        .compile()?;
    let app = App::new().provide(Llm::from_env(script)?).graph(&graph);
    let engine = Embedded::open(app, ".rethread").await?;
    let mut person = person([
        json!({ "action": "revise", "feedback": "Make it shorter." }),
        json!({ "action": "publish" }),
    ]);
    let topic = ArticleUpdate::new().topic("owls");
    person.converse(&engine.client().new_thread(), &graph, topic).await?;
    engine.shutdown().await?;
    Ok(())
}
