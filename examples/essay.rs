//! An essay is written by a task and reviewed by a person.
//!
//! ```sh
//! cargo run --example essay
//! ```

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::Parser;
use rethread::prelude::*;
use rethread::{App, Console, Embedded, Settings, init_telemetry};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What the review came to.
#[derive(Debug, Serialize, Deserialize)]
struct Review {
    essay: String,
    is_approved: Json,
}

/// Writes an essay about the topic.
#[task]
async fn write_essay(topic: String) -> Result<String> {
    note_in_ledger("write_essay")?;
    Ok(format!("An essay about topic: {topic}"))
}

/// Has an essay written and asks for a review.
#[entrypoint]
async fn workflow(topic: String) -> Result<Review> {
    let essay = write_essay(topic).await?;
    let is_approved = interrupt(json!({
        "essay": essay,
        "action": "Please approve/reject the essay",
    }))
    .await?;
    Ok(Review { essay, is_approved })
}

/// Writes an essay about a topic and asks for a review in the terminal.
#[derive(Debug, Parser)]
struct Arguments {
    /// What the essay is about.
    #[arg(default_value = "cat")]
    topic: String,
    /// The answer to the review, as JSON; else it is read from standard input.
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    answer: Option<Json>,
    /// The thread; one that waits for an answer goes on. Default: a new one, which is printed.
    #[arg(long, value_name = "ID")]
    thread: Option<String>,
    /// Folder of the embedded store.
    #[arg(long, value_name = "DIR", default_value = ".rethread")]
    data: PathBuf,
    /// Appends a line to this file for each start of a task body.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

fn json_value(text: &str) -> std::result::Result<Json, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}; texts need quotes"))
}

static LEDGER: OnceLock<PathBuf> = OnceLock::new();

fn note_in_ledger(task: &str) -> std::io::Result<()> {
    let Some(path) = LEDGER.get() else { return Ok(()) };
    let mut file = OpenOptions::new().create(true).append(true).open(Path::new(path))?;
    writeln!(file, "{task}")
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match review(arguments).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn review(arguments: Arguments) -> std::result::Result<ExitCode, Box<dyn std::error::Error>> {
    init_telemetry(&Settings { log_filter: "warn".into(), ..Settings::default() })?;
    if let Some(ledger) = arguments.ledger {
        LEDGER.get_or_init(|| ledger);
    }
    let app = App::new().entrypoint(workflow::def()).task(write_essay::def());
    let engine = Embedded::open(app, &arguments.data).await?;
    let thread = match &arguments.thread {
        Some(id) => engine.client().thread(id)?,
        None => engine.client().new_thread(),
    };
    println!("thread {}", thread.id());
    let mut console = Console::new(arguments.answer);
    let result = console.converse(&thread, workflow::def(), arguments.topic).await;
    engine.shutdown().await?;
    Ok(match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit_code()
        }
    })
}
