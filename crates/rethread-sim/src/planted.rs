//! Proof that the simulation finds bugs: each planted one must be caught.

use std::process::{Command, ExitCode};

/// Bugs that a world can show. The others are those of an adapter, and its tests catch them.
const BUGS: &[&str] = &[
    "no-token-check",
    "counter-only-token",
    "result-overwritten",
    "reply-before-record",
    "shared-claim",
    "publish-before-commit",
    "no-catch-up",
    "seq-from-memory",
    "resume-unchecked",
    "op-id-ignored",
    "poison-on-failure",
    "sweeper-off",
    "delete-forgets-a-key",
];

/// Names the bug that a process has.
const VARIABLE: &str = "RETHREAD_TEST_PLANTED";

/// Plants the bug that the environment names, in a build that has any.
pub(crate) fn plant() {
    #[cfg(rethread_planted)]
    if let Ok(bug) = std::env::var(VARIABLE) {
        rethread_core::planted::plant(bug);
    }
}

/// Lives through the worlds of so many seeds with each of the bugs.
pub(crate) fn catch_all(seeds: u64) -> ExitCode {
    if !cfg!(rethread_planted) {
        println!("no bug is planted in this build: set RUSTFLAGS=\"--cfg rethread_planted\"");
        return ExitCode::FAILURE;
    }
    let Ok(program) = std::env::current_exe() else {
        println!("the path of this program is not known");
        return ExitCode::FAILURE;
    };
    let mut missed = 0;
    for bug in BUGS {
        let mut run = Command::new(&program);
        run.env(VARIABLE, bug).args(["--seeds", &seeds.to_string()]);
        let found = match run.output() {
            Ok(output) if output.status.success() => None,
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                text.lines().find(|line| line.starts_with("seed ")).map(str::to_owned)
            }
            Err(error) => Some(error.to_string()),
        };
        missed += usize::from(found.is_none());
        println!("{bug}: {}", found.as_deref().unwrap_or("NOT CAUGHT"));
    }
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
