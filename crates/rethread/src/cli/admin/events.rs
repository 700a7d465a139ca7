//! `events`.

use clap::Args;
use futures::StreamExt;
use rethread_client::admin::EventInfo;
use rethread_client::{Event, EventKind, RunId, ThreadId};

use super::output::Output;
use super::{AdminError, AdminFlags, Result};
use crate::service::ServiceError;

#[derive(Debug, Args)]
pub(in crate::cli) struct EventsCommand {
    /// The thread.
    thread: String,
    /// The run. Default: the one in progress, or that ended last.
    run: Option<RunId>,
    /// Print further events as they happen, until the run ends.
    #[arg(long)]
    follow: bool,
    /// Only events with greater numbers.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,
    /// Print inputs, results and messages too, which users sent or bodies made.
    #[arg(long)]
    values: bool,
    #[command(flatten)]
    flags: AdminFlags,
}

pub(super) async fn run(args: EventsCommand) -> Result<()> {
    let place = args.flags.look().await?;
    let admin = place.admin();
    let thread = ThreadId::new(&args.thread).map_err(ServiceError::from)?;
    let run = admin.run_or_latest(&thread, args.run).await?.ok_or_else(|| {
        AdminError::NotThere(format!("thread {thread} has never run, or was deleted"))
    })?;
    let output = args.flags.output();
    let (mut after, mut has_ended) = (args.after, false);
    loop {
        let events = admin.events(&thread, run, after).await?;
        let Some(last) = events.last() else { break };
        after = last.seq;
        has_ended = matches!(last.kind, EventKind::RunEnded(_));
        for event in &events {
            show(output, event, args.values)?;
        }
    }
    if args.follow && !has_ended {
        if !place.is_shared() {
            return Err(AdminError::NotThere(
                "no engine has the embedded store open, so nothing follows".to_owned(),
            ));
        }
        let mut events = place.client().thread_with_id(thread).run(run).events_from(after);
        while let Some(event) = events.next().await {
            show(output, &event?, args.values)?;
        }
    }
    place.close().await
}

/// One line; with `--json` one JSON document for each event.
fn show(output: Output, event: &Event, with_values: bool) -> Result<()> {
    let info = EventInfo::new(event, with_values)?;
    output.show(&info, |info| {
        let mut line = format!("{:>6}  {:<13}", info.seq, info.event);
        let value = info.value.as_ref().map(ToString::to_string);
        for part in [&info.name, &info.outcome, &value].into_iter().flatten() {
            line.push_str("  ");
            line.push_str(part);
        }
        line
    })
}
