//! `dead-letters`.

use clap::{Args, Subcommand};
use rethread_client::admin::{DeadLetterInfo, DeadLetterName};

use super::output::{ago, table};
use super::runs::accepted;
use super::{AdminError, AdminFlags, Result};
use crate::app::App;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DeadLettersCommand {
    /// List what was given up, the oldest of each partition first.
    List(List),
    /// Show one dead letter.
    Show(One),
    /// Try the task again: retry its thread, and remove the dead letter.
    Retry(One),
    /// Remove a dead letter. What it tells of stays as it is.
    Remove(One),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Most that are listed.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    flags: AdminFlags,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct One {
    /// Its name, from the list.
    name: DeadLetterName,
    #[command(flatten)]
    flags: AdminFlags,
}

pub(super) async fn run(app: App, command: DeadLettersCommand) -> Result<()> {
    match command {
        DeadLettersCommand::List(List { limit, flags }) => {
            let place = flags.look().await?;
            let letters = place.admin().dead_letters(limit).await?;
            flags.output().show(&letters, |letters| {
                let heads = ["NAME", "GIVEN UP", "TASK", "THREAD", "REASON"];
                table(&heads, letters.iter().map(row).collect(), "no dead letters")
            })?;
            place.close().await
        }
        DeadLettersCommand::Show(One { name, flags }) => {
            let place = flags.look().await?;
            let letter = place.admin().dead_letter(name).await?.ok_or_else(|| unknown(name))?;
            flags.output().show(&letter, text)?;
            place.close().await
        }
        DeadLettersCommand::Retry(One { name, flags }) => {
            let place = flags.change(app).await?;
            let run = place.admin().retry_dead_letter(name).await;
            accepted(&flags, run?).await?;
            place.close().await
        }
        DeadLettersCommand::Remove(One { name, flags }) => {
            let place = flags.look().await?;
            let was_there = place.admin().remove_dead_letter(name).await?;
            place.close().await?;
            if !was_there {
                return Err(unknown(name));
            }
            flags.output().done(&format!("dead letter {name} is removed"))
        }
    }
}

fn unknown(name: DeadLetterName) -> AdminError {
    AdminError::NotThere(format!("there is no dead letter {name} (any more)"))
}

fn row(letter: &DeadLetterInfo) -> Vec<String> {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    vec![
        letter.name.to_string(),
        ago(letter.at_ms),
        or_none(&letter.task),
        or_none(&letter.thread),
        letter.reason.clone(),
    ]
}

fn text(letter: &DeadLetterInfo) -> String {
    let mut lines = vec![
        format!("name      {}", letter.name),
        format!("given up  {}", ago(letter.at_ms)),
        format!("reason    {}", letter.reason),
    ];
    for (name, value) in [
        ("task", &letter.task),
        ("thread", &letter.thread),
        ("run", &letter.run),
        ("call", &letter.call),
    ] {
        lines.extend(value.iter().map(|value| format!("{name:<9} {value}")));
    }
    lines.extend(letter.bytes.map(|bytes| format!("bytes     {bytes}")));
    lines.join("\n")
}
