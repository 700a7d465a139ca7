//! Runs of chaos: random programs on real processes, faults, and the checker.

use crate::repo::{Repo, run};
use crate::{Result, redis};

/// What is run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) profile: String,
    pub(crate) seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { profile: "smoke".into(), seed: 1 }
    }
}

pub(crate) fn chaos(repo: &Repo, options: &Options) -> Result<()> {
    let mut command = repo.cargo();
    command.args(["run", "--quiet", "--locked", "-p", "rethread-chaos"]);
    command.args(["--bin", "rethread-chaos", "--", "--profile", &options.profile]);
    command.args(["--seed", &options.seed.to_string()]);
    command.arg("--out").arg(repo.target.join("chaos"));
    command.env(redis::VARIABLE, redis::find(repo)?);
    run(&mut command)
}
