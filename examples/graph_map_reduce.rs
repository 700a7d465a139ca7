//! A graph that sends each topic to a node of its own and chooses among what comes back.
//!
//! ```sh
//! cargo run --example graph_map_reduce
//! ```

use rethread::graph::{Branch, Send};
use rethread::prelude::*;
use rethread::{App, Embedded, Outcome, Sent};
use rethread_examples::model::{Chat, Llm, Message, Reply};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Jokes {
    subject: String,
    topics: Vec<String>,
    #[state(append)]
    jokes: Vec<String>,
    best: Option<String>,
}

async fn ask(llm: &Llm, prompt: String) -> Result<String> {
    Ok(llm.reply(&Chat::new([Message::user(prompt)])).await?.text)
}

async fn find_topics(state: Jokes, llm: Dep<Llm>) -> Result<JokesUpdate> {
    let topics = ask(&llm, format!("Name three topics about {}", state.subject)).await?;
    let topics: Vec<_> = topics.split(',').map(|topic| topic.trim().to_owned()).collect();
    Ok(JokesUpdate::new().topics(topics))
}

/// Runs once for each topic, all at the same time, and sees nothing but its topic.
async fn tell(Sent(topic): Sent<String>, llm: Dep<Llm>) -> Result<JokesUpdate> {
    let joke = ask(&llm, format!("Tell a joke about {topic}")).await?;
    Ok(JokesUpdate::new().jokes([joke]))
}

async fn choose(state: Jokes) -> Result<JokesUpdate> {
    let best = state.jokes.into_iter().max_by_key(String::len);
    Ok(JokesUpdate::new().best(best))
}

fn one_each(state: Jokes) -> Vec<Send> {
    state.topics.into_iter().map(|topic| Send::new("tell", topic)).collect()
}

/// What the model says where no other one is named.
fn script(chat: &Chat) -> Reply {
    let prompt = chat.last();
    match prompt.strip_prefix("Tell a joke about ") {
        Some(topic) => {
            Reply::text(format!("Why do {topic} never get lost? They follow the edges."))
        }
        None => Reply::text("lions, elephants, owls"),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let graph = StateGraph::<Jokes>::new("jokes")
        .add_node("find_topics", find_topics)
        .add_node("tell", tell)
        .add_node("choose", choose)
        .add_edge(START, "find_topics")
        .add_conditional_edges("find_topics", Branch::new(one_each).drawn_to(["tell"]))
        .add_edge("tell", "choose")
        .add_edge("choose", END)
        .compile()?;
    println!("{}", graph.draw());
    let app = App::new().provide(Llm::from_env(script)?).graph(&graph);
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    let subject = JokesUpdate::new().subject("animals");
    if let Outcome::Done(state) = thread.invoke(&graph, subject).await? {
        for joke in &state.jokes {
            println!("- {joke}");
        }
        println!("best: {}", state.best.unwrap_or_default());
    }
    engine.shutdown().await?;
    Ok(())
}
