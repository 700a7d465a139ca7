//! What a run leaves behind with the steps it makes, kept so that the run can be taken back.
//!
//! The step in progress is all that is replayed. What stands before it in the stored journal is:
//!
//! ```text
//! garbage · where the run began: its step up to that entry · checkpoints made · garbage │ the step
//! ```
//!
//! The first part is what runs before this one left, the last part the steps that this run has
//! made. Nothing of it is read but by a roll-back; when the garbage outweighs the rest, the
//! journal is written anew without it.

use crate::ids::{CheckpointId, Millis, RunId};
use crate::journal::{Entry, Fact};
use crate::thread::execution::weight;

/// Garbage is not worth a rewriting before it has so many bytes more than what is kept.
const GARBAGE_SPARED: usize = 16 * 1024;

/// About what an entry takes besides the values in it, in bytes.
const ENTRY_BYTES: usize = 64;

/// What stands before the step in progress.
#[derive(Debug, Default)]
pub(super) struct Behind {
    /// The step at which the run began, up to the entry that began it, and the checkpoints that
    /// the run has made since. Empty while the run has made no step.
    kept: Vec<Entry>,
    /// Bytes of what else stands there.
    garbage: usize,
}

impl Behind {
    /// That of a run which begins behind these entries.
    pub(super) fn of(kept: Vec<Entry>) -> Self {
        Self { kept, garbage: 0 }
    }

    /// A run begins behind these entries, which end with the one that begins it.
    pub(super) fn keep(&mut self, kept: Vec<Entry>) {
        self.kept = kept;
    }

    /// Takes a stored journal apart: what stands behind, and the step in progress of a run.
    pub(super) fn split(mut stored: Vec<Entry>, run: RunId) -> (Self, Vec<Entry>) {
        let begins_step = |entry: &Entry| matches!(entry.fact, Fact::Began(_));
        let place = stored.iter().rposition(begins_step).unwrap_or_default();
        let own = stored.split_off(if is_doubled(&stored, place) { 0 } else { place });
        let mut behind = Self { kept: Vec::new(), garbage: weigh(&stored) };
        let Some(began) = stored.iter().position(|entry| is_beginning(entry, run)) else {
            return (behind, own);
        };
        let first = match stored[began].fact {
            Fact::RunBegan { .. } => stored[..began].iter().rposition(begins_step),
            _ => Some(began),
        };
        let made = stored[began + 1..].iter().chain(own.first());
        let made = made.filter_map(|entry| Some(made_at(entry.at, made_by(entry, run)?)));
        let made: Vec<_> = made.collect();
        behind.kept = stored[first.unwrap_or_default()..=began].to_vec();
        behind.kept.extend(made);
        behind.garbage -= weigh(&behind.kept).min(behind.garbage);
        (behind, own)
    }

    /// A step of the run has ended, and stands behind the next one now.
    pub(super) fn leave(&mut self, step: &[Entry], run: RunId) {
        let kept = match step.iter().position(|entry| is_beginning(entry, run)) {
            Some(began) if self.kept.is_empty() => &step[..=began],
            _ => &[],
        };
        self.kept.extend_from_slice(kept);
        self.garbage += weigh(&step[kept.len()..]);
    }

    /// The run has made a checkpoint.
    pub(super) fn note_checkpoint(&mut self, at: Millis, checkpoint: CheckpointId) {
        self.kept.push(made_at(at, checkpoint));
    }

    /// What the journal is to be written anew with, if it should be.
    pub(super) fn without_garbage(&mut self) -> Option<&[Entry]> {
        let is_worth_it = self.garbage > weigh(&self.kept) + GARBAGE_SPARED;
        is_worth_it.then(|| {
            self.garbage = 0;
            &self.kept[..]
        })
    }

    /// The run has ended: nothing of it is taken back any more.
    pub(super) fn run_ended(&mut self) {
        self.garbage += weigh(&self.kept);
        self.kept.clear();
    }

    /// What was before a run; `step` is the step in progress, which is given back if no entry began
    /// the run.
    pub(super) fn before_run(self, step: Vec<Entry>, run: RunId) -> Result<BeforeRun, Vec<Entry>> {
        let mut journal = if self.kept.is_empty() { step } else { self.kept };
        let Some(began) = journal.iter().position(|entry| is_beginning(entry, run)) else {
            return Err(journal);
        };
        let since = journal.split_off(began + 1);
        let Some(beginning) = journal.pop() else { return Err(since) };
        let made = since.into_iter().filter_map(|entry| match entry.fact {
            Fact::Made { checkpoint } => Some(checkpoint),
            _ => None,
        });
        Ok(BeforeRun { journal, beginning, made: made.collect() })
    }
}

/// What was before a run, and what the run has made.
pub(super) struct BeforeRun {
    /// The journal up to the entry that began the run.
    pub(super) journal: Vec<Entry>,
    /// That entry.
    pub(super) beginning: Entry,
    /// The checkpoints that the run has made since.
    pub(super) made: Vec<CheckpointId>,
}

/// Whether what a step begins with stands there twice: that is damage, which the replay comes to
/// and refuses. Only commands may have changed a step to what it was before.
fn is_doubled(stored: &[Entry], place: usize) -> bool {
    let Some(Entry { fact: Fact::Began(began), .. }) = stored.get(place) else { return false };
    let before = place.checked_sub(1).and_then(|place| stored.get(place));
    let begins_run = before.is_some_and(|entry| matches!(entry.fact, Fact::RunBegan { .. }));
    let is_commanded = began.is_changed && begins_run;
    !is_commanded && stored[..place].contains(&stored[place])
}

fn weigh(entries: &[Entry]) -> usize {
    entries.iter().map(|entry| weight(&entry.fact) + ENTRY_BYTES).sum()
}

fn made_at(at: Millis, checkpoint: CheckpointId) -> Entry {
    Entry { at, fact: Fact::Made { checkpoint } }
}

/// The checkpoint that a run has made, if an entry tells of one.
fn made_by(entry: &Entry, run: RunId) -> Option<CheckpointId> {
    match &entry.fact {
        Fact::Made { checkpoint } => Some(*checkpoint),
        // One that was changed in place is older.
        Fact::Began(began) if began.run == run && !began.is_changed => Some(began.checkpoint),
        _ => None,
    }
}

fn is_beginning(entry: &Entry, of: RunId) -> bool {
    match &entry.fact {
        Fact::Began(began) => began.run == of && !began.is_changed,
        Fact::RunBegan { run, .. } | Fact::Changed { run, .. } => *run == of,
        _ => false,
    }
}
