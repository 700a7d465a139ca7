//! The long proofs: the simulator, and programs that compare and crash storages.

use crate::repo::{Repo, run};
use crate::{Result, redis};

/// Seeds of a run of the simulator.
const SEEDS: &str = "10000";

/// Runs the simulator; without arguments 10,000 seeds.
pub(crate) fn sim(repo: &Repo, args: &[String]) -> Result<()> {
    let mut command = repo.cargo();
    command.args(["test", "--quiet", "--locked", "--release", "-p", "rethread-sim"]);
    command.args(["--test", "sim", "--"]);
    if args.is_empty() {
        command.args(["--seeds", SEEDS]);
    }
    run(command.args(args))
}

/// Plants bugs, one at a time, and demands that the simulator catches each.
///
/// They need a build of their own, with a target directory of its own: no other build may have
/// them in it.
pub(crate) fn planted(repo: &Repo, args: &[String]) -> Result<()> {
    let mut command = repo.cargo();
    command.args(["test", "--quiet", "--locked", "--release", "-p", "rethread-sim"]);
    command.args(["--test", "sim", "--target-dir"]).arg(repo.target.join("planted"));
    command.args(["--", "--planted-all"]).args(args);
    run(command.env("RUSTFLAGS", "--cfg rethread_planted"))
}

/// Sequences of operations that a run of the differential tests makes on each adapter.
const SEQUENCES: &str = "10000";

/// Random operations on Redis and on disk, each against the model in memory: the same answers.
pub(crate) fn differential(repo: &Repo, args: &[String]) -> Result<()> {
    let server = redis::find(repo)?;
    for package in ["rethread-storage", "rethread-redis"] {
        println!("==> {package} against the model");
        let mut command = repo.cargo();
        command.args(["test", "--quiet", "--locked", "--release", "-p", package]);
        command.args(["--test", "differential", "--"]);
        if args.is_empty() {
            command.args(["--sequences", SEQUENCES]);
        }
        run(command.args(args).env(redis::VARIABLE, &server))?;
    }
    Ok(())
}

/// How hard the proofs of the embedded store try: the same tests as in `cargo test`, with more
/// kills and damages, and faults at every place instead of samples.
const EMBEDDED: [(&str, &str); 3] = [
    ("RETHREAD_KILL_CYCLES", "500"),
    ("RETHREAD_DAMAGES", "10000"),
    ("RETHREAD_FAULT_PLACES", "all"),
];

/// The embedded store under kills, failing disks and damaged files; settings that are in the
/// environment stand.
pub(crate) fn embedded(repo: &Repo, args: &[String]) -> Result<()> {
    let settings = EMBEDDED.into_iter().filter(|(name, _)| std::env::var_os(name).is_none());
    let settings: Vec<_> = settings.collect();
    let tests: [&[&str]; 3] = [
        &["-p", "rethread-storage", "--test", "disk", "--", "kill", "faults", "full"],
        &["-p", "rethread-storage", "--lib", "--", "damage"],
        &["-p", "rethread-tests", "--test", "embedded", "--"],
    ];
    for test in tests {
        let mut command = repo.cargo();
        command.args(["test", "--quiet", "--locked", "--release"]).args(test);
        run(command.arg("--nocapture").args(args).envs(settings.iter().copied()))?;
    }
    Ok(())
}

/// Checks histories of a million records, made for it, and says how long that takes.
pub(crate) fn check(repo: &Repo, args: &[String]) -> Result<()> {
    let mut command = repo.cargo();
    command.args(["run", "--quiet", "--locked", "--release", "-p", "rethread-chaos"]);
    command.args(["--bin", "rethread-check", "--"]);
    if args.is_empty() {
        command.args(["--synthetic", "1000000"]);
    }
    run(command.args(args))
}

/// Runs chaos with these arguments.
///
/// As released programs: it is about what they do under faults, and the work of the profiles is
/// more than ten unoptimized processes on two cores get done. The minute of chaos in `test` runs
/// them with their assertions.
pub(crate) fn chaos(repo: &Repo, args: &[String]) -> Result<()> {
    let mut command = repo.cargo();
    command.args(["run", "--quiet", "--locked", "--release", "-p", "rethread-chaos"]);
    command.args(["--bin", "rethread-chaos", "--"]).args(args);
    command.arg("--out").arg(repo.target.join("chaos"));
    command.env(redis::VARIABLE, redis::find(repo)?);
    run(&mut command)
}
