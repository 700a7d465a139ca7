//! SIGKILL at any moment loses nothing that was acknowledged.
//!
//! The test runs itself as a child process, which writes and says what was acknowledged, kills
//! it, opens the directory and looks. Many cycles:
//!
//! `RETHREAD_KILL_CYCLES=500 cargo test -p rethread-storage --test disk kill`

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rethread_storage::conformance::history;
use rethread_storage::disk::Sync;

use crate::open;

const DIRECTORY: &str = "RETHREAD_KILL_TEST_DIRECTORY";
const SYNC: &str = "RETHREAD_KILL_TEST_SYNC";
const CYCLES: &str = "RETHREAD_KILL_CYCLES";
const CYCLES_DEFAULT: u64 = 6;

/// Cycles on one directory: a look takes longer the more there is.
const CYCLES_OF_A_DIRECTORY: u64 = 25;

#[test]
fn acknowledged_writes_survive_a_kill_when_synced() {
    kill_cycles("kill::acknowledged_writes_survive_a_kill_when_synced", "group");
}

#[test]
fn acknowledged_writes_survive_a_kill_when_buffered() {
    kill_cycles("kill::acknowledged_writes_survive_a_kill_when_buffered", "buffered");
}

fn kill_cycles(test: &str, sync: &str) {
    if let Ok(directory) = std::env::var(DIRECTORY) {
        let sync = if std::env::var(SYNC).as_deref() == Ok("group") {
            Sync::Group
        } else {
            Sync::Buffered
        };
        return write_until_killed(Path::new(&directory), sync);
    }
    let cycles = std::env::var(CYCLES).ok().and_then(|cycles| cycles.parse().ok());
    let cycles = cycles.unwrap_or(CYCLES_DEFAULT);
    let mut directory = tempfile::TempDir::new().expect("a temporary directory");
    let mut acknowledged = Acknowledged::default();
    let mut last_epoch = 0;
    let (mut writes, mut torn) = (0, 0);
    for cycle in 0..cycles {
        if cycle.is_multiple_of(CYCLES_OF_A_DIRECTORY) {
            directory = tempfile::TempDir::new().expect("a temporary directory");
            (acknowledged, last_epoch) = (Acknowledged::default(), 0);
        }
        // Spread over the first writes of a process and later ones, and over the time of a write.
        let after = 1 + cycle.wrapping_mul(0x9e37_79b9) % 60;
        let pause = Duration::from_micros(cycle.wrapping_mul(0x85eb_ca6b) % 4_000);
        let progress = run_and_kill(test, sync, directory.path(), after, pause);
        writes += progress.count;
        acknowledged.commit = acknowledged.commit.max(progress.commit);
        acknowledged.submit = acknowledged.submit.max(progress.submit);
        let (epoch, was_torn) = check(directory.path(), &acknowledged, last_epoch);
        (last_epoch, torn) = (epoch, torn + u64::from(was_torn));
    }
    println!(
        "{sync}: {cycles} kills, {writes} acknowledged writes, none lost; {torn} torn tails cut off"
    );
}

#[derive(Debug, Default)]
struct Acknowledged {
    commit: u64,
    submit: u64,
    count: u64,
}

/// Runs a child, kills it after some acknowledgements and returns the last ones it printed.
fn run_and_kill(
    test: &str,
    sync: &str,
    directory: &Path,
    after: u64,
    pause: Duration,
) -> Acknowledged {
    let mut child = Command::new(std::env::current_exe().expect("the path of this test"))
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(SYNC, sync)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child process");
    let output = BufReader::new(child.stdout.take().expect("invariant: it is piped"));
    let mut acknowledged = Acknowledged::default();
    let mut lines = output.lines();
    // What is still in the pipe when the child is dead was acknowledged as well.
    while let Some(Ok(line)) = lines.next() {
        let mut words = line.split(' ');
        match (words.next(), words.next().and_then(|n| n.parse().ok())) {
            (Some("committed"), Some(number)) => acknowledged.commit = number,
            (Some("submitted"), Some(number)) => acknowledged.submit = number,
            _ => continue,
        }
        acknowledged.count += 1;
        if acknowledged.count == after {
            std::thread::sleep(pause);
            child.kill().expect("the child can be killed");
        }
    }
    child.wait().expect("the child is gone");
    let count = acknowledged.count;
    assert!(count >= after, "the child ended by itself after {count} acknowledgements");
    acknowledged
}

pub(crate) fn say(what: &str, number: u64) {
    let mut out = std::io::stdout().lock();
    // Fails only when the parent is gone, and then nobody counts.
    let _ = writeln!(out, "{what} {number}");
    let _ = out.flush();
}

#[tokio::main(flavor = "current_thread")]
async fn write_until_killed(directory: &Path, sync: Sync) {
    let storage = open(directory, sync);
    let (lease, last_commit) = history::acquire(&storage).await.expect("acquires");
    for number in last_commit + 1.. {
        // After a kill between the two it is there already; the op id makes it one message.
        history::submit(&storage, number).await.expect("submits");
        say("submitted", number);
        history::commit(&storage, lease, number).await.expect("commits");
        say("committed", number);
    }
}

/// Everything acknowledged is there and nothing is half there; returns the newest epoch, and
/// whether a part of a write was there.
#[tokio::main(flavor = "current_thread")]
async fn check(directory: &Path, acknowledged: &Acknowledged, last_epoch: u64) -> (u64, bool) {
    let storage = open(directory, Sync::Buffered);
    let left = match history::look(&storage).await {
        Ok(left) => left,
        Err(finding) => panic!("{acknowledged:?}: {finding:?}"),
    };
    assert!(left.epoch > last_epoch, "an epoch is never given twice");
    let Acknowledged { commit, submit, .. } = *acknowledged;
    assert!((commit..=commit + 1).contains(&left.commits), "{left:?}, {acknowledged:?}");
    assert!(submit <= left.commits || left.has_next_message, "{left:?}, {acknowledged:?}");
    (left.epoch, storage.cut_off_bytes() > 0)
}
