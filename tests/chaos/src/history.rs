//! The history: what was asked of Rethread, what it answered, and what was done to it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::ledger::Lines;
use crate::program::Program;

/// One line of the history or of the dump.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// When, by [`clock::now`].
    pub(crate) at: u64,
    /// Who says so.
    pub(crate) process: String,
    /// What kind of statement it is.
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    /// About what.
    #[serde(flatten)]
    pub(crate) fact: Fact,
}

/// What kind of statement a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Something is asked for.
    Invoke,
    /// It happened.
    Ok,
    /// It did not happen.
    Fail,
    /// Nobody knows yet, or it is for information.
    Info,
}

/// What a line is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Fact {
    /// Invoke: a program is to be started. `contest` says how, where others are started on the
    /// thread at the same time.
    Start {
        thread: String,
        run: String,
        program: Program,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contest: Option<Contest>,
    },
    /// Invoke: questions are answered, rightly or (where they are answered already) wrongly.
    Resume {
        thread: String,
        run: String,
        execution: u64,
        answers: BTreeMap<String, u64>,
        is_right: bool,
        /// Whether it is one of many that give the same answers at the same time.
        #[serde(default, skip_serializing_if = "is_false")]
        in_crowd: bool,
    },
    /// Invoke: a run is to be stopped. Ok: it was in progress, and is stopped. Fail: it was not.
    /// Info: unknown.
    Cancel { thread: String, run: String, execution: u64, error: Option<String> },
    /// Invoke: an execution is to go on after a failure.
    Retry { thread: String, run: String, execution: u64 },
    /// How a request was taken. Ok: the run is accepted. Info: unknown. Fail: it is not.
    Submit { run: String, error: Option<String> },
    /// Info: the reader saw that a call has its result.
    Seen { run: String, seq: u64, call: String },
    /// Ok: a reader has all events of a run, by number and digest. Fail: it could not read them.
    Read { run: String, reader: Reader, events: Vec<(u64, u64)>, emitted: Vec<u64>, end: End },
    /// Info: a process was started.
    Spawn { name: String, pid: u32 },
    /// Info: a process has ended; `is_wanted` if we ended it.
    Exit { name: String, pid: u32, status: String, is_wanted: bool },
    /// Invoke: a fault begins. Ok: its cause is gone.
    Fault { number: u64, fault: String, target: String, pid: Option<u32> },
    /// Info: no more faults; all processes run.
    Healed,
    /// Info: a lease has changed.
    Lease {
        partition: usize,
        holder: Option<String>,
        token: Option<String>,
        epoch: u64,
        commit: u64,
    },
    /// Info: a partition has fewer commits, or an older epoch, than a look before had found, which
    /// was at `since`.
    Fallen { partition: usize, since: u64, had: u64, commit: u64, has_same_token: bool },
    /// Info: a process has logged that the storage lost what it had acknowledged: of which
    /// partition, the last commit it knew of, and the one it found.
    RolledBack { name: String, partition: usize, expected: u64, found: u64 },
    /// Info: how much is used at the moment: entries of all inboxes and queues, memory of the
    /// server and of each process.
    Sample { inboxes: u64, queues: u64, redis_bytes: u64, rss_kb: BTreeMap<String, u64> },
    /// Info, in the dump: how often a process has logged what matters.
    Logged { name: String, panics: u64, rollbacks: u64, corrupt: u64 },
    /// Ok, in the dump: how many records the server holds, and which cannot be read.
    Records { count: u64, unreadable: Vec<String> },
    /// Ok, in the dump: how many dead letters there are, and the runs of the tasks that were given
    /// up.
    DeadLetters { count: usize, runs: BTreeSet<String> },
    /// Ok, in the dump: what is left when all threads, items and cached results are deleted.
    Left { keys: Vec<String> },
    /// Ok, in the dump: what a thread is doing, and its items in the store.
    Thread { thread: String, status: String, items: BTreeMap<String, u64> },
}

/// How runs are started on a thread at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Contest {
    /// While another is in progress, it is refused.
    Reject,
    /// It waits for those before it.
    Enqueue,
    /// It stops the one in progress.
    Interrupt,
    /// It stops the one in progress, and undoes it.
    Rollback,
}

impl Contest {
    pub(crate) const ALL: [Self; 4] =
        [Self::Reject, Self::Enqueue, Self::Interrupt, Self::Rollback];
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Which reader read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reader {
    /// While the run went on, over the driver's link.
    Live,
    /// When all was over, by another client.
    Late,
}

/// How a run ended, as its last event says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// With a result.
    Done { value: u64 },
    /// With questions, by id.
    Interrupted { asks: BTreeMap<String, u32> },
    /// With a failure.
    Failed { kind: String, message: String },
    /// It was refused.
    Refused { reason: String },
    /// Its answers were given to another run.
    Joined { run: String },
    /// It was stopped.
    Cancelled,
    /// In another way, which no program asks for.
    Other { what: String },
    /// It was not read to its end.
    Unread { reason: String },
}

/// Appends to the history, from any task.
#[derive(Debug)]
pub(crate) struct History {
    lines: Lines,
    process: String,
}

impl History {
    /// Appends to this file in the name of this process.
    pub(crate) fn open(path: &Path, process: &str) -> io::Result<Self> {
        Ok(Self { lines: Lines::open(path)?, process: process.to_owned() })
    }

    /// Appends one line.
    ///
    /// # Panics
    /// When it cannot be written: without a history there is nothing to prove.
    pub(crate) fn say(&self, kind: Kind, fact: Fact) {
        let entry = Entry { at: clock::now(), process: self.process.clone(), kind, fact };
        self.lines.append(&entry).expect("the history can be written: is the disk full?");
    }
}
