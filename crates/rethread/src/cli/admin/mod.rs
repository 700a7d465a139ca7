//! Commands of operators. Each prints text for people, or with `--json` one JSON document.
//!
//! On Redis they work beside the services. On the embedded store they work while no engine has it
//! open: those that change something then start an engine without workers, for as long as it
//! takes.

mod config;
mod dead_letters;
mod events;
mod output;
mod overview;
mod place;
mod runs;
mod threads;
mod tokens;
mod why;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use rethread_client::ClientError;

use super::flags::StoreFlags;
use super::service_failed;
use crate::app::App;
use crate::service::ServiceError;
use crate::settings::Settings;
use crate::telemetry;
use output::Output;
use place::Place;

#[derive(Debug, Subcommand)]
pub(super) enum AdminCommand {
    /// List, show, delete and prune threads.
    #[command(subcommand)]
    Threads(threads::ThreadsCommand),
    /// Show, cancel, retry and answer runs.
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// Print the events of a run.
    Events(events::EventsCommand),
    /// Say what a thread waits for, and what to do about it.
    Why(why::WhyCommand),
    /// List work queues with their depth and who serves them.
    Queues(AdminFlags),
    /// List partitions with the coordinators that own them.
    Owners(AdminFlags),
    /// List workers with their queues and tasks.
    Workers(AdminFlags),
    /// List, show, retry and remove what was given up.
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLettersCommand),
    /// Make, list and revoke tokens for the HTTP API.
    #[command(subcommand)]
    Token(tokens::TokenCommand),
    /// Check and show the settings.
    #[command(subcommand)]
    Config(config::ConfigCommand),
}

/// Flags of all commands of operators.
#[derive(Debug, Args)]
pub(super) struct AdminFlags {
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreFlags,
}

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
enum AdminError {
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// There is nothing of what was named.
    #[error("{0}")]
    NotThere(String),
}

impl From<ClientError> for AdminError {
    fn from(error: ClientError) -> Self {
        Self::Service(error.into())
    }
}

type Result<T, E = AdminError> = std::result::Result<T, E>;

impl AdminFlags {
    /// The settings; the log of a command that looks at something is of warnings only.
    fn settings(&self) -> Result<Settings> {
        let mut settings = self.store.settings()?;
        if settings.log_filter == Settings::default().log_filter {
            settings.log_filter = "warn".to_owned();
        }
        telemetry::init(&settings).map_err(ServiceError::from)?;
        Ok(settings)
    }

    fn output(&self) -> Output {
        Output::new(self.json)
    }

    /// Opens the store to look at it.
    async fn look(&self) -> Result<Place> {
        Place::look(&self.settings()?).await
    }

    /// Opens the store to write to it what needs no coordinator.
    async fn make(&self) -> Result<Place> {
        Place::make(&self.settings()?).await
    }

    /// Opens the store to have something done by a coordinator.
    async fn change(&self, app: App) -> Result<Place> {
        Place::change(app, &self.settings()?).await
    }
}

pub(super) async fn run(app: App, command: AdminCommand) -> ExitCode {
    let done = match command {
        AdminCommand::Threads(command) => threads::run(app, command).await,
        AdminCommand::Runs(command) => runs::run(app, command).await,
        AdminCommand::Events(command) => events::run(command).await,
        AdminCommand::Why(command) => why::run(command).await,
        AdminCommand::Queues(flags) => overview::queues(&flags).await,
        AdminCommand::Owners(flags) => overview::owners(&flags).await,
        AdminCommand::Workers(flags) => overview::workers(&flags).await,
        AdminCommand::DeadLetters(command) => dead_letters::run(app, command).await,
        AdminCommand::Token(command) => tokens::run(command).await,
        AdminCommand::Config(command) => config::run(app, command).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(AdminError::Service(error)) => service_failed(&error),
        Err(error @ AdminError::NotThere(_)) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
