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
pub(crate) fn chaos(repo: &Repo, args: &[String]) -> Result<()> {
    let mut command = repo.cargo();
    command.args(["run", "--quiet", "--locked", "-p", "rethread-chaos"]);
    command.args(["--bin", "rethread-chaos", "--"]).args(args);
    command.arg("--out").arg(repo.target.join("chaos"));
    command.env(redis::VARIABLE, redis::find(repo)?);
    run(&mut command)
}
