//! The project's own commands, run as `cargo xtask <command>`.
//!
//! They need a Rust toolchain and a C linker, nothing else: what the tests need besides (a Redis
//! server) is found or fetched by [`redis`].

mod cli;
mod clients;
mod fuzz;
mod parity;
mod peers;
mod proofs;
mod redis;
mod repo;
mod steps;
mod suites;
mod tidy;

use std::process::ExitCode;

use cli::Command;
use repo::Repo;

/// What a command says when it cannot go on: one message for the person in front of it.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let command = match cli::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(message) => {
            eprintln!("error: {message}\n\n{}", cli::HELP);
            return ExitCode::from(2);
        }
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    if let Command::Help = command {
        println!("{}", cli::HELP);
        return Ok(());
    }
    let repo = Repo::find()?;
    match command {
        Command::Help => Ok(()),
        Command::Test { all, keep_going } => suites::test(&repo, all, keep_going),
        Command::Tidy => tidy::run(&repo),
        Command::Redis => {
            println!("{}", redis::find(&repo)?.display());
            Ok(())
        }
        Command::Bench { args } => suites::bench(&repo, &args),
        Command::MicroBench { args } => suites::micro_bench(&repo, &args),
        Command::Peers(options) => peers::peers(&repo, &options),
        Command::Counts { args } => suites::counts(&repo, &args),
        Command::Parity(options) => parity::parity(&repo, &options),
        Command::Sim { args } => proofs::sim(&repo, &args),
        Command::Planted { args } => proofs::planted(&repo, &args),
        Command::Differential { args } => proofs::differential(&repo, &args),
        Command::Chaos { args } => proofs::chaos(&repo, &args),
        Command::Embedded { args } => proofs::embedded(&repo, &args),
        Command::Check { args } => proofs::check(&repo, &args),
        Command::Clients(options) => clients::clients(&repo, &options),
        Command::Schemathesis(options) => clients::schemathesis(&repo, &options),
        Command::Chat => clients::chat(&repo),
        Command::Fuzz(options) => fuzz::fuzz(&repo, &options),
        Command::Fix => suites::fix(&repo),
    }
}
