//! The command line that every application offers.

mod admin;
mod flags;
mod run;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use serde_json::Value as Json;

use crate::app::App;
use crate::service::{Role, ServiceError, serve};
use crate::telemetry;
use admin::AdminCommand;
use flags::ServiceFlags;
use run::Run;

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
    Dev(ServiceFlags),
    /// Drive threads: own partitions, replay entrypoints, hand tasks to workers. Needs Redis.
    Coordinator(ServiceFlags),
    /// Run tasks of some queues. Needs Redis.
    Worker(ServiceFlags),
    /// Serve the HTTP API. Runs nothing itself. Needs Redis.
    Gateway(ServiceFlags),
    #[command(flatten)]
    Admin(AdminCommand),
}

/// What can be done without an application's code.
#[derive(Debug, Parser)]
#[command(name = "rethread", version, long_about = None)]
#[command(about = "Serves the HTTP API of Rethread, and looks after its threads and runs")]
struct OperatorCli {
    #[command(subcommand)]
    command: OperatorCommand,
}

#[derive(Debug, Subcommand)]
enum OperatorCommand {
    /// Serve the HTTP API. Runs nothing itself. Needs Redis.
    Gateway(ServiceFlags),
    #[command(flatten)]
    Admin(AdminCommand),
}

fn json(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}; texts need quotes"))
}

/// The command line of an application, in which roles that work with others are told of what
/// concerns them only: all roles take all flags, as they take all settings.
fn command() -> clap::Command {
    let (work, http) = (["worker_queues", "worker_slots"], ["http_listen", "http_insecure"]);
    gateway_of(Cli::command())
        .mut_subcommand("run", |run| without(run, &http))
        .mut_subcommand("worker", |role| without(on_redis(role), &http))
        .mut_subcommand("coordinator", |role| without(without(on_redis(role), &work), &http))
}

/// What the role says that both command lines have.
fn gateway_of(command: clap::Command) -> clap::Command {
    command.mut_subcommand("gateway", |role| {
        let default = "Address to serve the HTTP API on. Default: 127.0.0.1:8123";
        without(on_redis(role), &["worker_queues", "worker_slots"])
            .mut_arg("http_listen", |arg| arg.help(default))
    })
}

fn on_redis(role: clap::Command) -> clap::Command {
    let needed = "Address of Redis, redis://[user:password@]host:port[/db]; needed here, or as \
                  RETHREAD_REDIS_URL, or in the file";
    role.mut_arg("redis_url", |arg| arg.help(needed)).mut_arg("data_dir", |arg| arg.hide(true))
}

fn without(role: clap::Command, flags: &[&'static str]) -> clap::Command {
    flags.iter().fold(role, |role, flag| role.mut_arg(*flag, |arg| arg.hide(true)))
}

pub(crate) fn main(app: App) -> ExitCode {
    let command = match Cli::from_arg_matches(&command().get_matches()) {
        Ok(Cli { command }) => command,
        Err(error) => error.exit(),
    };
    block_on(async {
        match command {
            Command::Run(args) => run::run(app, args).await,
            Command::Dev(args) => service(app, Role::Dev, &args).await,
            Command::Coordinator(args) => service(app, Role::Coordinator, &args).await,
            Command::Worker(args) => service(app, Role::Worker, &args).await,
            Command::Gateway(args) => service(app, Role::Gateway, &args).await,
            Command::Admin(command) => admin::run(app, command).await,
        }
    })
}

/// The program `rethread`: what needs no application's code.
pub fn operators_main() -> ExitCode {
    let command =
        match OperatorCli::from_arg_matches(&gateway_of(OperatorCli::command()).get_matches()) {
            Ok(OperatorCli { command }) => command,
            Err(error) => error.exit(),
        };
    block_on(async {
        match command {
            OperatorCommand::Gateway(args) => service(App::new(), Role::Gateway, &args).await,
            OperatorCommand::Admin(command) => admin::run(App::new(), command).await,
        }
    })
}

fn block_on(served: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let code = runtime.block_on(served);
    // Bodies that did not end in time must not keep the process.
    runtime.shutdown_background();
    code
}

async fn service(app: App, role: Role, args: &ServiceFlags) -> ExitCode {
    let served = async {
        let settings = args.settings()?;
        let _telemetry = telemetry::start(&settings)?;
        serve(app, role, &settings).await
    };
    served.await.map_or_else(|error| service_failed(&error), |()| ExitCode::SUCCESS)
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

fn service_failed(error: &ServiceError) -> ExitCode {
    match error {
        ServiceError::Settings(_)
        | ServiceError::NeedsRedis { .. }
        | ServiceError::Gateway(_)
        | ServiceError::Id(_) => {
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
        gateway_of(OperatorCli::command()).debug_assert();
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
            assert!(help.contains("--admin"), "{help}");
        }
        assert!(worker.contains("--queue") && worker.contains("--slots"), "{worker}");
        assert!(!coordinator.contains("--queue"), "{coordinator}");
        let gateway = help("gateway");
        assert!(gateway.contains("--redis") && gateway.contains("127.0.0.1:8123"), "{gateway}");
        assert!(!gateway.contains("--slots") && !worker.contains("--http"), "{gateway} {worker}");
        assert!(help("dev").contains("--http") && help("dev").contains("--insecure"));
        let why = help("why");
        assert!(why.contains("--json") && !why.contains("--slots"), "{why}");
    }
}
