//! `why`.

use clap::Args;
use rethread_client::admin::Explanation;

use super::{AdminFlags, Result};

#[derive(Debug, Args)]
pub(in crate::cli) struct WhyCommand {
    /// The thread.
    thread: String,
    #[command(flatten)]
    flags: AdminFlags,
}

pub(super) async fn run(args: WhyCommand) -> Result<()> {
    let place = args.flags.look().await?;
    let explanation = place.admin().explain(&args.thread).await?;
    args.flags.output().show(&explanation, text)?;
    place.close().await
}

/// One line for each thing that the thread waits for, and one for what to do about it.
fn text(explanation: &Explanation) -> String {
    let status = explanation.status.as_deref().unwrap_or("unknown");
    let mut lines = vec![format!("thread {} is {status}", explanation.thread)];
    if let (Some(entrypoint), Some(run)) = (&explanation.entrypoint, &explanation.run) {
        lines[0].push_str(&format!(", entrypoint `{entrypoint}`, run {run}"));
    }
    for finding in &explanation.findings {
        lines.push(format!("- {}", finding.text));
        lines.extend(finding.advice.iter().map(|advice| format!("  -> {advice}")));
    }
    lines.join("\n")
}
