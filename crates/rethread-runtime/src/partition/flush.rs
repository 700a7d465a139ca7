//! Writing: one commit after the other, each with whatever was decided during the one before.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use ractor::ActorRef;
use rethread_core::ids::{CallId, ThreadKey};
use rethread_core::thread::Job;
use rethread_storage::{Commit, StorageError};

use crate::coordinator::Addressee;
use crate::engine::Engine;
use crate::partition::{OwnerMessage, OwnerState};
use crate::spans;
use crate::stats::count;
use crate::tenure::Tenure;

/// How often a commit of unknown outcome is repeated.
const UNKNOWN_MAX: u32 = 5;
/// Shortest and longest wait before a commit is repeated.
const WAITS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// The end of a commit.
#[derive(Debug)]
pub(crate) struct Flushed {
    /// The thread of each turn that it completed.
    turns: Vec<ThreadKey>,
    /// What workers are told now.
    mail: Vec<(Addressee, Bytes)>,
    /// What is begun now.
    jobs: Vec<(ThreadKey, CallId, Job)>,
    /// How many messages it consumed.
    consumed: usize,
    /// Why it was not written, or not certainly.
    failed: Option<String>,
}

impl OwnerState {
    /// Flushes once what stands in the mailbox has been taken.
    pub(super) fn ask_flush(&mut self) {
        if !self.is_flushing && !self.flush_is_asked {
            self.flush_is_asked = self.myself.cast(OwnerMessage::Flush).is_ok();
        }
    }

    pub(super) fn flush(&mut self) {
        self.flush_is_asked = false;
        if self.is_flushing {
            return;
        }
        let mut batch = self.outbox.take_batch();
        for cursor in batch.handled.drain(..) {
            self.consumption.handled(cursor);
        }
        let consumed = self.consumption.take();
        let is_empty = batch.writes_nothing() && consumed.count == 0;
        if is_empty {
            // All that was decided before is written.
            self.postman.deliver(batch.mail);
            self.begin_jobs(batch.jobs);
            self.written(batch.turns);
            return;
        }
        let commit = Commit {
            consumed: consumed.up_to,
            consumed_beyond: consumed.beyond,
            threads: batch.threads,
            withdrawn: batch.withdrawn,
            orders: batch.orders,
            dead_letters: batch.dead_letters.into_iter().chain(consumed.dead_letters).collect(),
            ..Commit::new(self.lease, self.last_commit + 1)
        };
        self.is_flushing = true;
        let (engine, tenure) = (Arc::clone(&self.engine), Arc::clone(&self.tenure));
        let owner = self.myself.clone();
        let (turns, mail, jobs, consumed) = (batch.turns, batch.mail, batch.jobs, consumed.count);
        let spans = batch.spans;
        tokio::spawn(async move {
            let commits = spans::of_commit(&spans, commit.lease.partition, commit.number);
            let failed = write(&engine, &tenure, commit).await.err();
            drop((commits, spans));
            send(&owner, Flushed { turns, mail, jobs, consumed, failed });
        });
    }

    pub(super) fn flushed(&mut self, flushed: Flushed) {
        self.is_flushing = false;
        if let Some(reason) = flushed.failed {
            self.give_up(&reason);
            return;
        }
        self.last_commit += 1;
        self.engine.feeds.consumed(&self.lease, flushed.consumed);
        self.postman.deliver(flushed.mail);
        self.begin_jobs(flushed.jobs);
        self.written(flushed.turns);
        if !self.outbox.is_empty() || self.consumption.is_pending() {
            self.flush();
        }
    }

    fn written(&mut self, turns: Vec<ThreadKey>) {
        self.outbox.note_written(turns.len());
        self.search_once_written();
        let evicts_at_once = self.engine.evict_after.is_zero();
        for thread in turns {
            let Some(slot) = self.slots.get_mut(&thread) else { continue };
            slot.unwritten = slot.unwritten.saturating_sub(1);
            if slot.unwritten == 0 {
                if evicts_at_once {
                    self.ask_to_leave(thread);
                }
                self.load_if_needed(thread);
            }
        }
    }
}

fn send(owner: &ActorRef<OwnerMessage>, flushed: Flushed) {
    // An owner that is gone has nothing to write any more.
    let _ = owner.cast(OwnerMessage::Flushed(flushed));
}

/// Writes a commit, repeating it unchanged while that can help.
async fn write(engine: &Engine, tenure: &Tenure, commit: Commit) -> Result<(), String> {
    let partition = commit.lease.partition;
    let mut unknown = 0;
    let mut wait = WAITS.0;
    loop {
        if !tenure.is_live() {
            let reason = match tenure.is_left() {
                true => "given to others before all was written: the next owner decides it again",
                false => "lease was not renewed in time",
            };
            return Err(reason.into());
        }
        let error = match engine.storage.commit(commit.clone()).await {
            Ok(()) => {
                count(&engine.stats.commits);
                engine.failures.commits.worked();
                return Ok(());
            }
            Err(error) => error,
        };
        match &error {
            StorageError::Fenced { .. } => {
                count(&engine.stats.fenced_commits);
                return Err(error.to_string());
            }
            StorageError::RolledBack { .. } => {
                count(&engine.stats.rollbacks);
                tracing::error!(%partition, %error, "storage rolled back");
                return Err(error.to_string());
            }
            StorageError::Unknown { .. } if unknown < UNKNOWN_MAX => unknown += 1,
            StorageError::Unavailable { .. } | StorageError::Full { .. } => {}
            StorageError::Unknown { .. } => {
                engine.stats.unknown_outcomes.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%partition, %error, "nobody knows whether a commit was written");
                return Err(error.to_string());
            }
            _ => {
                tracing::error!(%partition, %error, "commit was refused");
                return Err(error.to_string());
            }
        }
        tracing::debug!(%partition, number = commit.number, %error, "commit is repeated");
        engine.failures.commits.failed(&error);
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAITS.1);
    }
}
