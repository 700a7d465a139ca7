//! The command `run`.

use std::process::ExitCode;

use clap::Args;
use rethread_client::{Client, EntrypointRef};
use serde_json::Value as Json;

use super::flags::ServiceFlags;
use super::{json, service_failed};
use crate::app::App;
use crate::console::{Console, ConsoleError};
use crate::embedded::Embedded;
use crate::service::ServiceError;
use crate::settings::Settings;
use crate::{storage, telemetry};

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Name of the entrypoint.
    entrypoint: String,
    /// Its input as JSON, such as '"cat"' or '{"n": 1}'.
    #[arg(default_value = "null", value_parser = json)]
    input: Json,
    /// The thread to run on. Default: a new one, which is printed.
    #[arg(long)]
    thread: Option<String>,
    /// Answer to a question, as JSON; may be given several times.
    #[arg(long = "answer", value_name = "JSON", value_parser = json)]
    answers: Vec<Json>,
    #[command(flatten)]
    service: ServiceFlags,
}

pub(super) async fn run(app: App, args: Run) -> ExitCode {
    match try_run(app, args).await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("error: {error}");
            error.exit_code()
        }
        Err(error) => service_failed(&error),
    }
}

/// Runs on the embedded store with an engine of its own, or on Redis with the services there.
async fn try_run(app: App, args: Run) -> Result<Result<(), ConsoleError>, ServiceError> {
    let mut settings = args.service.settings()?;
    if settings.log_filter == Settings::default().log_filter {
        // What is asked and answered should not drown in what the engine does.
        settings.log_filter = "warn".to_owned();
    }
    let _telemetry = telemetry::start(&settings)?;
    let storage = storage::open(&settings).await?;
    let (client, engine) = match settings.redis_url {
        Some(_) => (Client::from_storage_with(storage, settings.client_options()), None),
        None => {
            let engine = Embedded::start(app, storage, &settings).await?;
            (engine.client().clone(), Some(engine))
        }
    };
    let thread = match &args.thread {
        Some(id) => client.thread(id)?,
        None => client.new_thread(),
    };
    println!("thread {}", thread.id());
    let entrypoint = EntrypointRef::<Json, Json>::named(&args.entrypoint);
    let mut console = Console::new(args.answers);
    if engine.is_none() {
        console = console.with_others(
            "still waiting; the run needs a coordinator of this namespace and a worker for the \
             queue of each task (Ctrl-C leaves it to them)",
        );
    }
    let result = console.converse(&thread, entrypoint, args.input).await;
    if let Some(engine) = engine {
        engine.shutdown().await?;
    }
    Ok(result)
}
