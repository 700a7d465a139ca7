//! A call of another framework becomes durable when a task is put around it.
//!
//! ```sh
//! cargo run --example wrapped
//! ```

use rethread::prelude::*;
use rethread::{App, Embedded, Outcome};
use serde::{Deserialize, Serialize};

/// Some other framework: agents that write to each other. It knows nothing of Rethread, its
/// types know nothing of serde, and it spawns what it likes.
mod team {
    use tokio::sync::{mpsc, oneshot};

    pub(crate) struct Team {
        inbox: mpsc::Sender<(String, oneshot::Sender<Transcript>)>,
    }

    pub(crate) struct Transcript(pub(crate) Vec<(&'static str, String)>);

    #[derive(Debug)]
    pub(crate) struct TeamIsGone;

    impl std::fmt::Display for TeamIsGone {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the team does not answer")
        }
    }

    impl std::error::Error for TeamIsGone {}

    impl Team {
        pub(crate) fn start() -> Self {
            let (inbox, mut mail) = mpsc::channel::<(String, oneshot::Sender<Transcript>)>(8);
            tokio::spawn(async move {
                while let Some((task, answer)) = mail.recv().await {
                    let draft = format!("{task}: a first draft");
                    let remark = format!("\"{draft}\" should be shorter");
                    let _ = answer.send(Transcript(vec![("writer", draft), ("critic", remark)]));
                }
            });
            Self { inbox }
        }

        pub(crate) async fn run(&self, task: String) -> Result<Transcript, TeamIsGone> {
            let (answer, transcript) = oneshot::channel();
            self.inbox.send((task, answer)).await.map_err(|_| TeamIsGone)?;
            transcript.await.map_err(|_| TeamIsGone)
        }
    }
}

/// What is recorded of a transcript.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    who: String,
    text: String,
}

/// The border between the two: owned serde types on this side, the framework's on the other.
#[task(retry = Retry::attempts(3), timeout = "30s")]
async fn ask_team(task: String) -> Result<Vec<Line>> {
    println!("the team works on \"{task}\"");
    let transcript = team::Team::start().run(task).await?;
    Ok(transcript.0.into_iter().map(|(who, text)| Line { who: who.to_owned(), text }).collect())
}

/// The thread remembers what the framework forgets.
#[entrypoint]
async fn collaborate(task: String, previous: Previous<Vec<Line>>) -> Result<Vec<Line>> {
    let mut lines = previous.into_inner().unwrap_or_default();
    lines.extend(ask_team(task).await?);
    Ok(lines)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::new().entrypoint(collaborate::def()).task(ask_team::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    for task in ["an ode to ducks", "a sonnet"] {
        if let Outcome::Done(lines) = thread.invoke(collaborate::def(), task.into()).await? {
            println!("{} lines so far", lines.len());
            for Line { who, text } in lines.iter().rev().take(2).rev() {
                println!("{who}: {text}");
            }
        }
    }
    engine.shutdown().await?;
    Ok(())
}
