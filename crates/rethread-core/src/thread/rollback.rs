//! Putting a thread back to where it was before a run.

use crate::checkpoint::Progress;
use crate::event::{Refusal, RunOutcome};
use crate::header::ThreadStatus;
use crate::ids::{Millis, RunId};
use crate::journal::{Began, Entry, Fact};
use crate::thread::{State, ThreadMachine, index};

impl ThreadMachine {
    /// Stops the run in progress and takes back what it did to the thread. The results of its
    /// tasks are dropped with it; what they have done outside stays done.
    ///
    /// A run that went on from an older checkpoint leaves the thread at that checkpoint.
    pub(super) fn roll_back_run(&mut self, now: Millis) {
        let (journal, in_flight) = self.halt(now);
        let Some(header) = &self.header else { return };
        let run = header.run;
        self.state = State::Resting { journal: Vec::new(), in_flight };
        self.end_run(now, ThreadStatus::Cancelled, RunOutcome::Cancelled);
        let further = journal.iter().position(|entry| is_beginning(entry, run));
        match (further, journal.first()) {
            (Some(place @ 1..), _) => self.keep_runs_before(now, journal, place),
            (_, Some(Entry { fact: Fact::Began(began), .. })) => self.take_back_input(now, began),
            _ => {}
        }
    }

    /// Why the run in progress cannot be taken back, if it cannot: what was recorded of the steps
    /// that it has ended is gone.
    pub(super) fn cannot_roll_back(&self) -> Option<Refusal> {
        let State::Running(execution) = &self.state else { return None };
        let run = execution.run();
        let began = execution.began()?;
        let has_made_steps = began.goes_on && began.run == run;
        (has_made_steps || began.is_changed).then_some(Refusal::CannotRollBack { run })
    }

    /// The execution stays, as it was when the run before this one stopped.
    fn keep_runs_before(&mut self, now: Millis, mut journal: Vec<Entry>, place: usize) {
        journal.truncate(place);
        let progress = index::last_progress(&journal);
        self.turn.drop_journal();
        for entry in &journal {
            self.turn.append(entry.clone());
        }
        if let Some(Entry { at, fact: Fact::Began(began) }) = journal.first() {
            let checkpoint = self.checkpoint_of(began, *at, progress.clone());
            self.turn.put_checkpoint(checkpoint);
        }
        let has_stopped =
            matches!(journal.last(), Some(Entry { fact: Fact::RunStopped { .. }, .. }));
        let was_laid_out = journal.len() == 1;
        let Progress { interrupts, failure, result: _, graph: _ } = progress;
        let status = match failure {
            Some(failure) if has_stopped => ThreadStatus::Failed(failure),
            _ if has_stopped && !interrupts.is_empty() => ThreadStatus::Interrupted(interrupts),
            _ if was_laid_out => ThreadStatus::Pending,
            _ => ThreadStatus::Cancelled,
        };
        let before = journal.iter().rev().find_map(|entry| match &entry.fact {
            Fact::RunBegan { run, .. } => Some(*run),
            Fact::Began(began) => Some(began.run),
            _ => None,
        });
        if let Some(header) = &mut self.header {
            header.run = before.unwrap_or(header.run);
            header.status = status;
            header.updated_at = now;
            self.turn.set_header(header.clone());
        }
        if let State::Resting { journal: kept, .. } = &mut self.state {
            *kept = journal;
        }
    }

    /// The execution goes with its input; the thread is at the checkpoint that it started from.
    fn take_back_input(&mut self, now: Millis, began: &Began) {
        let Some(parent) = began.parent else {
            self.turn.delete();
            self.append_all_waiting();
            self.header = None;
            self.base = None;
            self.log = None;
            return;
        };
        self.turn.drop_journal();
        self.turn.drop_checkpoint(began.checkpoint);
        if let Some(header) = &mut self.header {
            header.status = ThreadStatus::Idle;
            header.execution = None;
            header.head = parent;
            header.step = began.step - 1;
            header.updated_at = now;
            self.turn.set_header(header.clone());
        }
    }
}

fn is_beginning(entry: &Entry, of: RunId) -> bool {
    match &entry.fact {
        Fact::Began(began) => began.run == of,
        Fact::RunBegan { run, .. } => *run == of,
        _ => false,
    }
}
