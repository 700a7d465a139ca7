//! The whole engine on the embedded store, killed at any moment: every run that was accepted
//! ends, and no body whose result is recorded starts again.
//!
//! `RETHREAD_KILL_CYCLES=500 cargo test -p rethread-tests --test embedded`

use std::collections::{BTreeSet, HashMap};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rethread::prelude::*;
use rethread::{App, Embedded, Outcome, RunId};
use tempfile::TempDir;

const DIRECTORY: &str = "RETHREAD_EMBEDDED_TEST_DIRECTORY";
const FIRST: &str = "RETHREAD_EMBEDDED_TEST_FIRST";
/// The runs that the last process waits for.
const ACCEPTED: &str = "RETHREAD_EMBEDDED_TEST_ACCEPTED";
const CYCLES: &str = "RETHREAD_KILL_CYCLES";
const CYCLES_DEFAULT: u64 = 5;

/// Runs that are started by one process, at most.
const RUNS: u64 = 40;

/// Kills until the runs so far are let end.
const ROUND: u64 = 2;

/// Steps of a run.
const STEPS: u64 = 4;

fn directory() -> Result<PathBuf> {
    let directory = std::env::var_os(DIRECTORY);
    directory.map(PathBuf::from).ok_or_else(|| Error::msg("the directory is not set"))
}

/// Notes its start where Rethread does not look, and adds one.
#[task]
async fn step(run: u64, value: u64) -> Result<u64> {
    let mut ledger =
        OpenOptions::new().create(true).append(true).open(directory()?.join("ledger"))?;
    // One write, so that lines do not mix.
    ledger.write_all(format!("{run} {value}\n").as_bytes())?;
    Ok(value + 1)
}

/// Steps one after the other: one starts when the result of the one before it is recorded.
#[entrypoint]
async fn chain(run: u64) -> Result<u64> {
    let mut value = 0;
    for _ in 0..STEPS {
        value = step(run, value).await?;
    }
    Ok(value)
}

fn thread_name(run: u64) -> String {
    format!("chain-{run}")
}

fn run_id(run: u64) -> RunId {
    format!("{:032x}", run + 1).parse().expect("a UUID")
}

fn app() -> App {
    App::new().entrypoint(chain::def()).task(step::def())
}

fn say(what: &str, number: u64) {
    let mut out = std::io::stdout().lock();
    // Fails only when the parent is gone, and then nobody counts.
    let _ = writeln!(out, "\n{what} {number}");
    let _ = out.flush();
}

#[test]
fn accepted_runs_end_and_recorded_bodies_do_not_start_again() {
    if let (Ok(directory), Ok(first)) = (std::env::var(DIRECTORY), std::env::var(FIRST)) {
        return work_until_killed(Path::new(&directory), first.parse().expect("a number"));
    }
    let cycles = std::env::var(CYCLES).ok().and_then(|cycles| cycles.parse().ok());
    let cycles: u64 = cycles.unwrap_or(CYCLES_DEFAULT);
    let directory = TempDir::new().expect("a temporary directory");
    let (mut accepted, mut ended) = (BTreeSet::new(), 0);
    for cycle in 0..cycles {
        let after = 1 + cycle.wrapping_mul(0x9e37_79b9) % RUNS;
        let pause = Duration::from_micros(cycle.wrapping_mul(0x85eb_ca6b) % 20_000);
        accepted.extend(run_and_kill(directory.path(), cycle * RUNS, after, pause));
        // A body that many processes die of is given up; here it is not to blame.
        if cycle % ROUND == ROUND - 1 || cycle == cycles - 1 {
            finish(directory.path(), &accepted);
            ended += accepted.len();
            accepted.clear();
        }
    }
    let starts = check_ledger(directory.path());
    println!("{cycles} kills: {ended} accepted runs ended, {starts} starts of bodies");
}

/// Runs a child until it has said so often that a run is accepted, and a little longer.
fn run_and_kill(directory: &Path, first: u64, after: u64, pause: Duration) -> Vec<u64> {
    let mut child = Command::new(std::env::current_exe().expect("the path of this test"))
        .args(["accepted_runs", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child process");
    let output = BufReader::new(child.stdout.take().expect("invariant: it is piped"));
    let mut accepted = Vec::new();
    for line in output.lines().map_while(Result::ok) {
        let Some(run) = line.strip_prefix("accepted ").and_then(|run| run.parse().ok()) else {
            continue;
        };
        accepted.push(run);
        if accepted.len() as u64 == after {
            std::thread::sleep(pause);
            child.kill().expect("the child can be killed");
        }
    }
    child.wait().expect("the child is gone");
    assert!(accepted.len() as u64 >= after, "the child ended by itself after {accepted:?}");
    accepted
}

#[tokio::main]
async fn work_until_killed(directory: &Path, first: u64) {
    let engine = Embedded::open(app(), directory.join("data")).await.expect("it opens");
    for run in first..first + RUNS {
        let thread = engine.client().thread(thread_name(run)).expect("a thread");
        let request = thread.invoke(chain::def(), run).run_id(run_id(run));
        request.start().await.expect("it is accepted");
        say("accepted", run);
    }
    // Until it is killed.
    std::future::pending::<()>().await;
}

/// The last process lets everything end.
fn finish(directory: &Path, accepted: &BTreeSet<u64>) {
    let mut child = Command::new(std::env::current_exe().expect("the path of this test"));
    child.args(["what_was_accepted_ends", "--nocapture", "--test-threads=1", "--exact"]);
    let runs: Vec<_> = accepted.iter().map(u64::to_string).collect();
    let status = child
        .env(DIRECTORY, directory)
        .env(ACCEPTED, runs.join(" "))
        .status()
        .expect("a child process");
    assert!(status.success(), "what was accepted ends");
}

#[tokio::test]
async fn what_was_accepted_ends() {
    let Ok(runs) = std::env::var(ACCEPTED) else { return };
    let directory = directory().expect("it is set");
    let engine = Embedded::open(app(), directory.join("data")).await.expect("it opens");
    for run in runs.split(' ') {
        let run: u64 = run.parse().expect("a number");
        let thread = engine.client().thread(thread_name(run)).expect("a thread");
        let outcome =
            thread.run(run_id(run)).typed::<u64>().wait_for(Duration::from_secs(120)).await;
        let outcome = outcome.expect("it is known how it ends");
        assert_eq!(outcome, Outcome::Done(STEPS), "run {run}");
    }
    engine.shutdown().await.expect("it stops");
}

/// No step starts again behind the start of its successor; returns how many starts there were.
fn check_ledger(directory: &Path) -> usize {
    let ledger = std::fs::read_to_string(directory.join("ledger")).expect("there is a ledger");
    let mut furthest = HashMap::<u64, u64>::new();
    for line in ledger.lines() {
        let (run, value) = line.split_once(' ').expect("a run and a value");
        let (run, value): (u64, u64) =
            (run.parse().expect("a number"), value.parse().expect("a number"));
        let furthest = furthest.entry(run).or_default();
        assert!(value >= *furthest, "run {run}: step {value} started again behind {furthest}");
        *furthest = value;
    }
    ledger.lines().count()
}
