//! `runs`.

use std::time::Duration;

use clap::{Args, Subcommand};
use futures::StreamExt;
use rethread_client::admin::RunInfo;
use rethread_client::{ClientError, EventKind, InterruptId, RunHandle, RunId, RunOutcome};
use serde_json::{Value as Json, json};
use tokio::time::timeout;

use super::output::{ago, span_ms};
use super::{AdminError, AdminFlags, Result};
use crate::app::App;
use crate::cli::json as parse_json;

/// How long a coordinator may take to take a run up.
const TAKEN_UP_MAX: Duration = Duration::from_secs(5);

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RunsCommand {
    /// Show a run: how far it is or how it ended.
    Show(Show),
    /// Stop a run, in progress or waiting for its turn. What it has recorded is kept.
    Cancel(Cancel),
    /// Go on with a thread whose run failed, was parked or cancelled.
    Retry(Retry),
    /// Answer an open question of a thread.
    Resume(Resume),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The thread.
    thread: String,
    /// The run. Default: the one in progress, or that ended last.
    run: Option<RunId>,
    #[command(flatten)]
    flags: AdminFlags,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Cancel {
    /// The thread.
    thread: String,
    /// The run. Default: the one in progress.
    #[arg(long)]
    run: Option<RunId>,
    /// Put the thread back to where it was before the run.
    #[arg(long)]
    rollback: bool,
    #[command(flatten)]
    flags: AdminFlags,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Retry {
    /// The thread.
    thread: String,
    #[command(flatten)]
    flags: AdminFlags,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Resume {
    /// The thread.
    thread: String,
    /// The question. Default: the only one that is open.
    #[arg(long, value_name = "INTERRUPT")]
    id: Option<InterruptId>,
    /// The answer, as JSON.
    #[arg(long, value_name = "JSON", value_parser = parse_json)]
    answer: Json,
    #[command(flatten)]
    flags: AdminFlags,
}

pub(super) async fn run(app: App, command: RunsCommand) -> Result<()> {
    match command {
        RunsCommand::Show(args) => show(args).await,
        RunsCommand::Cancel(Cancel { thread, run, rollback, flags }) => {
            let place = flags.change(app).await?;
            let handle = place.client().thread(&thread)?;
            let stopped = match (run, rollback) {
                (None, false) => handle.cancel().await,
                (None, true) => handle.roll_back().await,
                (Some(run), false) => handle.run(run).cancel().await,
                (Some(run), true) => handle.run(run).roll_back().await,
            };
            drop(handle);
            place.close().await?;
            stopped?;
            let what = if rollback { "cancelled and taken back" } else { "cancelled" };
            flags.output().done(&format!("the run of thread {thread} is {what}"))
        }
        RunsCommand::Retry(Retry { thread, flags }) => {
            let place = flags.change(app).await?;
            let run = place.client().thread(&thread)?.retry().start().await;
            accepted(&flags, run?).await?;
            place.close().await
        }
        RunsCommand::Resume(Resume { thread, id, answer, flags }) => {
            let place = flags.change(app).await?;
            let handle = place.client().thread(&thread)?;
            let run = match id {
                Some(id) => handle.resume_by_id([(id, answer)]).start().await,
                None => handle.resume(answer).start().await,
            };
            drop(handle);
            accepted(&flags, run?).await?;
            place.close().await
        }
    }
}

/// Waits until a coordinator takes the run up, for a moment, and says which run it is.
pub(super) async fn accepted<O>(flags: &AdminFlags, run: RunHandle<O>) -> Result<()> {
    let (thread, id) = (run.thread().id().to_string(), run.run_id());
    let taken_up = match timeout(TAKEN_UP_MAX, run.events().next()).await {
        Ok(Some(event)) => match event?.kind {
            EventKind::RunEnded(RunOutcome::Refused(refusal)) => {
                return Err(ClientError::from(refusal).into());
            }
            _ => true,
        },
        Ok(None) | Err(_) => false,
    };
    let json = json!({ "thread": thread, "run": id, "is_taken_up": taken_up });
    flags.output().show(&json, |_| {
        let how = if taken_up { "is taken up" } else { "waits for a coordinator" };
        format!("run {id} {how}; `runs show {thread} {id}` tells what becomes of it")
    })
}

async fn show(args: Show) -> Result<()> {
    let place = args.flags.look().await?;
    let found = place.admin().run(&args.thread, args.run).await?;
    let info = found.ok_or_else(|| {
        AdminError::NotThere(format!(
            "thread {} has no events of such a run: it waits for its turn, was never accepted, or \
             its events are no longer kept; `why` tells which runs wait",
            args.thread
        ))
    })?;
    args.flags.output().show(&info, text)?;
    place.close().await
}

fn text(info: &RunInfo) -> String {
    let mut lines = vec![
        format!("thread      {}", info.thread),
        format!("run         {}", info.run),
        format!("entrypoint  {}", info.entrypoint.as_deref().unwrap_or("-")),
        format!("status      {}", info.status),
        format!("started     {}", ago(info.started_at_ms)),
    ];
    if let Some(reason) = &info.reason {
        lines.push(format!("reason      {reason}"));
    }
    if let Some(ended) = info.ended_at_ms {
        lines.push(format!("took        {}", span_ms(ended.saturating_sub(info.started_at_ms))));
    }
    let RunInfo { calls, results, failures, events, .. } = info;
    lines.push(format!("calls       {calls}, {results} with a result, {failures} failed"));
    lines.push(format!("events      {events}"));
    lines.join("\n")
}
