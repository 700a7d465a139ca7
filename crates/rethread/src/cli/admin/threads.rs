//! `threads`.

use clap::{Args, Subcommand};
use rethread_client::admin::{ThreadCursor, ThreadInfo, ThreadQuery};
use serde_json::Value as Json;

use super::output::{ago, table};
use super::{AdminError, AdminFlags, Result};
use crate::app::App;
use crate::service::ServiceError;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ThreadsCommand {
    /// List threads.
    List(List),
    /// Show one thread with its open questions.
    Show(Show),
    /// Remove a thread with its checkpoints. Refused while a run is in progress.
    Delete(One),
    /// Remove checkpoints of a thread but the newest ones.
    Prune(Prune),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Only threads of this status: idle, running, interrupted, failed, parked, cancelled or
    /// pending.
    #[arg(long)]
    status: Option<String>,
    /// Only threads whose last run was of this entrypoint.
    #[arg(long)]
    entrypoint: Option<String>,
    /// Ends the list when it has this many, or somewhat more.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Goes on behind an earlier list: its `next`.
    #[arg(long, value_name = "PLACE")]
    from: Option<ThreadCursor>,
    #[command(flatten)]
    flags: AdminFlags,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct One {
    /// The thread.
    thread: String,
    #[command(flatten)]
    flags: AdminFlags,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// Print the value of the thread too, which users sent or bodies made.
    #[arg(long)]
    values: bool,
    #[command(flatten)]
    one: One,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Prune {
    /// How many checkpoints stay.
    #[arg(long, value_name = "N")]
    keep: usize,
    #[command(flatten)]
    one: One,
}

pub(super) async fn run(app: App, command: ThreadsCommand) -> Result<()> {
    match command {
        ThreadsCommand::List(args) => list(args).await,
        ThreadsCommand::Show(args) => show(args).await,
        ThreadsCommand::Delete(One { thread, flags }) => {
            let place = flags.change(app).await?;
            let found = place.admin().thread(&thread).await?;
            let found = found.map(drop).ok_or_else(|| unknown(&thread));
            let deleted = match found {
                Ok(()) => Ok(place.client().thread(&thread)?.delete().await?),
                Err(error) => Err(error),
            };
            place.close().await?;
            deleted?;
            flags.output().done(&format!("thread {thread} is deleted"))
        }
        ThreadsCommand::Prune(Prune { keep, one: One { thread, flags } }) => {
            let place = flags.change(app).await?;
            let pruned = place.client().thread(&thread)?.prune(keep).await;
            place.close().await?;
            pruned?;
            flags
                .output()
                .done(&format!("thread {thread} has at most {keep} checkpoints it can do without"))
        }
    }
}

fn unknown(thread: &str) -> AdminError {
    AdminError::NotThere(format!("thread {thread} has never run, or was deleted"))
}

async fn list(args: List) -> Result<()> {
    let place = args.flags.look().await?;
    let mut query = ThreadQuery::new().limit(args.limit);
    if let Some(status) = args.status {
        query = query.status(status);
    }
    if let Some(entrypoint) = args.entrypoint {
        query = query.entrypoint(entrypoint);
    }
    if let Some(from) = args.from {
        query = query.from(from);
    }
    let found = place.admin().threads(query).await?;
    args.flags.output().show(&found, |found| {
        let row = |thread: &ThreadInfo| {
            vec![
                thread.thread.clone(),
                thread.status.clone(),
                thread.entrypoint.clone(),
                ago(thread.updated_at_ms),
            ]
        };
        let heads = ["THREAD", "STATUS", "ENTRYPOINT", "WRITTEN"];
        let mut text = table(&heads, found.threads.iter().map(row).collect(), "no threads\n");
        for key in &found.damaged {
            text.push_str(&format!("the header of the thread with key {key} cannot be read\n"));
        }
        if let Some(next) = &found.next {
            text.push_str(&format!("more: --from {next}\n"));
        }
        text
    })?;
    place.close().await
}

async fn show(args: Show) -> Result<()> {
    let One { thread, flags } = args.one;
    let place = flags.look().await?;
    let info = place.admin().thread(&thread).await?.ok_or_else(|| unknown(&thread))?;
    let state = place.client().thread(&thread)?.state().await?;
    let mut json =
        serde_json::to_value(&info).map_err(std::io::Error::from).map_err(ServiceError::from)?;
    let state = state.map(|state| state.to_json()).transpose()?.unwrap_or(Json::Null);
    json["checkpoint"] = state["checkpoint"].clone();
    json["next"] = state["next"].clone();
    json["open_questions"] = state["interrupts"].clone();
    if args.values {
        json["values"] = state["values"].clone();
    }
    flags.output().show(&json, |json| {
        let mut text = String::new();
        for (name, value) in json.as_object().into_iter().flatten() {
            let shown = match value {
                Json::String(word) => word.clone(),
                Json::Null => "-".to_owned(),
                Json::Number(at) if name == "updated_at_ms" => ago(at.as_u64().unwrap_or_default()),
                other => other.to_string(),
            };
            text.push_str(&format!("{:<15} {shown}\n", name.trim_end_matches("_ms")));
        }
        text
    })?;
    place.close().await
}
