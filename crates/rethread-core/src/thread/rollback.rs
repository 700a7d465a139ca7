//! Putting a thread back to where it was before a run.

use crate::checkpoint::Checkpoint;
use crate::event::RunOutcome;
use crate::header::ThreadStatus;
use crate::ids::Millis;
use crate::journal::{Before, Began, Entry, Fact};
use crate::thread::behind::BeforeRun;
use crate::thread::{State, ThreadMachine, index};

impl ThreadMachine {
    /// Stops the run in progress and takes back what it did to the thread, with the steps that it
    /// made. The results of its tasks are dropped with it; what they have done outside stays done.
    ///
    /// A run that went on from an older checkpoint leaves the thread at that checkpoint, and one
    /// that took an input where another waited for something leaves it as if that had ended.
    pub(super) fn roll_back_run(&mut self, now: Millis) {
        let (journal, in_flight) = self.halt(now);
        let Some(header) = &self.header else { return };
        let run = header.run;
        self.state = State::Resting { journal: Vec::new(), in_flight };
        self.end_run(now, ThreadStatus::Cancelled, RunOutcome::Cancelled);
        let behind = std::mem::take(&mut self.behind);
        let BeforeRun { journal, beginning, made } = match behind.before_run(journal, run) {
            Ok(before) => before,
            // Nothing is known of what was before: all stays.
            Err(journal) => {
                if let State::Resting { journal: kept, .. } = &mut self.state {
                    *kept = journal;
                }
                return;
            }
        };
        self.turn.drop_journal();
        for checkpoint in made {
            self.turn.drop_checkpoint(checkpoint);
        }
        match beginning.fact {
            Fact::RunBegan { before: standing, .. } => self.put_back(now, journal, *standing),
            Fact::Changed { checkpoint, .. } => self.put_back_end(now, *checkpoint),
            Fact::Began(began) => self.take_back_input(now, &began),
            _ => {}
        }
    }

    /// The execution stays, as it was when the run before this one stopped.
    fn put_back(&mut self, now: Millis, journal: Vec<Entry>, before: Before) {
        let Some(Entry { at, fact: Fact::Began(began) }) = journal.first() else { return };
        self.turn.rewrite_journal(&journal);
        let progress = match self.setup.program.is_graph(&began.entrypoint) {
            true => index::step_progress(&journal),
            false => index::last_progress(&journal),
        };
        let checkpoint = self.checkpoint_of(began, *at, progress);
        self.turn.put_checkpoint(checkpoint);
        if let Some(header) = &mut self.header {
            header.entrypoint = began.entrypoint.clone();
            header.execution = Some(began.execution);
            header.head = began.checkpoint;
            header.step = began.step;
            header.run = before.run;
            header.status = before.status;
            header.updated_at = now;
            self.turn.set_header(header.clone());
        }
        if let State::Resting { journal: kept, .. } = &mut self.state {
            *kept = journal;
        }
        self.settle_in_step();
    }

    /// The thread is again at the end that a command changed.
    fn put_back_end(&mut self, now: Millis, checkpoint: Checkpoint) {
        if let Some(header) = &mut self.header {
            header.status = ThreadStatus::Idle;
            header.execution = None;
            header.head = checkpoint.id;
            header.step = checkpoint.step;
            header.updated_at = now;
            self.turn.set_header(header.clone());
        }
        self.turn.put_checkpoint(checkpoint.clone());
        self.base = Some(checkpoint);
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
        self.turn.drop_checkpoint(began.checkpoint);
        if let Some(header) = &mut self.header {
            header.status = ThreadStatus::Idle;
            header.execution = None;
            header.head = parent;
            header.step = began.step - 1;
            header.updated_at = now;
            if let Some(base) = &self.base {
                header.entrypoint = base.entrypoint.clone();
            }
            self.turn.set_header(header.clone());
        }
    }
}
