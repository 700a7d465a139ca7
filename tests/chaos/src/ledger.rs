//! The ledger: what bodies of tasks really did, noted outside of Rethread.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Effect {
    /// When, by [`crate::clock::now`].
    pub(crate) at: u64,
    /// The process.
    pub(crate) pid: u32,
    /// What happened to the body.
    pub(crate) phase: Phase,
    /// The execution.
    pub(crate) execution: u64,
    /// The step of its program.
    pub(crate) step: u32,
    /// The run that the body was told.
    pub(crate) run: String,
    /// The call, as its idempotency key names it.
    pub(crate) call: String,
    /// The attempt that the body was told.
    pub(crate) attempt: u32,
}

/// What happened to a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// It started.
    Start,
    /// It gave its result.
    End,
    /// It failed as it was told to.
    Fail,
    /// It ends its process.
    Abort,
}

/// A file of JSON lines that several processes append to.
///
/// Each line is one write to a file opened for appending: lines of different processes do not
/// mix, and a line that was written survives the kill of its process.
#[derive(Debug)]
pub(crate) struct Lines(File);

impl Lines {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(OpenOptions::new().create(true).append(true).open(path)?))
    }

    pub(crate) fn append(&self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        (&self.0).write_all(&text)
    }
}
