//! The command line that every application offers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use rethread_client::{Client, EntrypointRef};
use serde_json::Value as Json;

use crate::app::App;
use crate::console::{Console, ConsoleError};
use crate::embedded::Embedded;
use crate::service::{Role, ServiceError, serve};
use crate::settings::{LogFormat, Settings};
use crate::{storage, telemetry};

#[derive(Debug, Parser)]
#[command(version, about = "Runs this application's entrypoints and tasks durably", long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an entrypoint on the embedded store, or on the services of a Redis, and answer its
    /// questions in the terminal.
    Run(Run),
    /// Drive threads and run tasks in one process, on the embedded store or Redis.
    Dev(Service),
    /// Drive threads: own partitions, replay entrypoints, hand tasks to workers. Needs Redis.
    Coordinator(Service),
    /// Run tasks of some queues. Needs Redis.
    Worker(Service),
}

#[derive(Debug, Args)]
struct Run {
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
    service: Service,
}

/// Flags that set settings; each wins over the environment and the file.
#[derive(Debug, Args)]
struct Service {
    /// TOML file with settings.
    #[arg(long, env = "RETHREAD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of Redis, redis://[user:password@]host:port[/db]; without it the embedded store
    /// is used.
    #[arg(long = "redis", value_name = "URL")]
    redis_url: Option<String>,
    /// Separates installations that share one Redis.
    #[arg(long)]
    namespace: Option<String>,
    /// Directory of the embedded store.
    #[arg(long = "data", value_name = "DIR")]
    data_dir: Option<String>,
    /// Queue to run tasks of; may be given several times.
    #[arg(long = "queue", value_name = "NAME")]
    worker_queues: Vec<String>,
    /// Task bodies that run at the same time per queue.
    #[arg(long = "slots", value_name = "N")]
    worker_slots: Option<String>,
    /// Form of the log.
    #[arg(long)]
    log_format: Option<LogFormat>,
    /// What is logged, such as `info` or `rethread=debug,warn`.
    #[arg(long = "log", value_name = "FILTER")]
    log_filter: Option<String>,
}

fn json(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}; texts need quotes"))
}

impl Service {
    fn settings(&self) -> Result<Settings, ServiceError> {
        let queues = (!self.worker_queues.is_empty()).then(|| self.worker_queues.join(","));
        let log_format = self.log_format.map(|format| match format {
            LogFormat::Text => "text".to_owned(),
            LogFormat::Json => "json".to_owned(),
        });
        let flags: BTreeMap<_, _> = [
            ("redis_url", self.redis_url.clone()),
            ("namespace", self.namespace.clone()),
            ("data_dir", self.data_dir.clone()),
            ("worker_queues", queues),
            ("worker_slots", self.worker_slots.clone()),
            ("log_format", log_format),
            ("log_filter", self.log_filter.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        let environment = std::env::vars().filter(|(name, _)| name != "RETHREAD_CONFIG");
        Ok(Settings::load(self.config.as_deref(), environment, flags)?)
    }
}

/// The command line, in which roles that work with others are told of what concerns them only:
/// all roles take all flags, as they take all settings.
fn command() -> clap::Command {
    let shared = |role: clap::Command| {
        let needed = "Address of Redis, redis://[user:password@]host:port[/db]; needed here, or as \
                      RETHREAD_REDIS_URL, or in the file";
        role.mut_arg("redis_url", |arg| arg.help(needed)).mut_arg("data_dir", |arg| arg.hide(true))
    };
    Cli::command().mut_subcommand("worker", shared).mut_subcommand("coordinator", |role| {
        shared(role)
            .mut_arg("worker_queues", |arg| arg.hide(true))
            .mut_arg("worker_slots", |arg| arg.hide(true))
    })
}

pub(crate) fn main(app: App) -> ExitCode {
    let cli = match Cli::from_arg_matches(&command().get_matches()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let code = runtime.block_on(async {
        match cli.command {
            Command::Run(args) => run(app, args).await,
            Command::Dev(args) => service(app, Role::Dev, &args).await,
            Command::Coordinator(args) => service(app, Role::Coordinator, &args).await,
            Command::Worker(args) => service(app, Role::Worker, &args).await,
        }
    });
    // Bodies that did not end in time must not keep the process.
    runtime.shutdown_background();
    code
}

async fn service(app: App, role: Role, args: &Service) -> ExitCode {
    let served = async {
        let settings = args.settings()?;
        telemetry::init(&settings)?;
        serve(app, role, &settings).await
    };
    served.await.map_or_else(|error| service_failed(&error), |()| ExitCode::SUCCESS)
}

async fn run(app: App, args: Run) -> ExitCode {
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
    telemetry::init(&settings)?;
    let storage = storage::open(&settings).await?;
    let (client, engine) = match settings.redis_url {
        Some(_) => (Client::from_storage(storage), None),
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

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

fn service_failed(error: &ServiceError) -> ExitCode {
    match error {
        ServiceError::Settings(_) | ServiceError::NeedsRedis { .. } | ServiceError::Id(_) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
        _ => failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(role: &str) -> String {
        let mut command = command();
        command.build();
        let role = command.find_subcommand_mut(role).expect("a role");
        role.render_help().to_string()
    }

    #[test]
    fn the_command_line_is_sound_and_tells_its_version() {
        command().debug_assert();
        let shown = command().try_get_matches_from(["app", "--version"]).expect_err("shown");
        assert_eq!(shown.kind(), clap::error::ErrorKind::DisplayVersion);
        assert!(shown.to_string().contains(env!("CARGO_PKG_VERSION")), "{shown}");
    }

    #[test]
    fn help_shows_what_concerns_a_role() {
        for role in ["run", "dev"] {
            let help = help(role);
            assert!(help.contains("--data") && help.contains("embedded store"), "{help}");
        }
        let (worker, coordinator) = (help("worker"), help("coordinator"));
        for help in [&worker, &coordinator] {
            assert!(help.contains("--redis") && help.contains("RETHREAD_REDIS_URL"), "{help}");
            assert!(!help.contains("--data") && !help.contains("embedded"), "{help}");
        }
        assert!(worker.contains("--queue") && worker.contains("--slots"), "{worker}");
        assert!(!coordinator.contains("--queue"), "{coordinator}");
    }
}
