//! Runs the fuzz targets, each for a while.

use crate::Result;
use crate::repo::{Repo, run, stdout_of};

/// Most memory of a target, in MiB.
const RSS_MB: u32 = 512;

/// What is run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// How long each target runs.
    pub(crate) seconds: u64,
    /// Only this target.
    pub(crate) target: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { seconds: 60, target: None }
    }
}

pub(crate) fn fuzz(repo: &Repo, options: &Options) -> Result<()> {
    let listed = stdout_of(repo.cargo().args(["fuzz", "list"])).map_err(|error| {
        format!("{error}\nfuzzing needs cargo-fuzz: `cargo install cargo-fuzz --locked`")
    })?;
    let targets: Vec<&str> = match &options.target {
        Some(target) => vec![target],
        None => listed.split_whitespace().collect(),
    };
    for target in targets {
        println!("==> fuzz target {target}, {} s", options.seconds);
        let mut command = repo.cargo();
        // Lets the stable toolchain use the flags of the sanitizer.
        command.env("RUSTC_BOOTSTRAP", "1");
        command.args(["fuzz", "run", target, "--"]);
        command.arg(format!("-max_total_time={}", options.seconds));
        command.arg(format!("-rss_limit_mb={RSS_MB}"));
        run(&mut command)?;
    }
    Ok(())
}
