use std::collections::VecDeque;
use std::mem;

use crate::checkpoint::Checkpoint;
use crate::dead_letter::DeadLetter;
use crate::event::{Event, EventKind};
use crate::header::ThreadHeader;
use crate::ids::{CallId, CheckpointId, ExecutionId, Millis, QueueName, RunId, WorkerId};
use crate::journal::Entry;
use crate::message::{TaskOrder, WorkerMail};
use crate::thread::effect::{
    Activity, Effect, Job, JournalChange, RunEvents, WaitingChange, Write, WriteNumber,
};

/// Collects what one input to the machine leads to, so that it is written in one step: no crash
/// can separate a recorded result from its events.
#[derive(Debug, Default)]
pub(super) struct Turn {
    header: Option<ThreadHeader>,
    delete: bool,
    drop_checkpoints: Vec<CheckpointId>,
    drop_journal: bool,
    entries: Vec<Entry>,
    checkpoints: Vec<Checkpoint>,
    base: Option<CheckpointId>,
    events: Vec<RunEvents>,
    activity: Option<Activity>,
    waiting: Vec<WaitingChange>,
    withdrawn: Vec<ExecutionId>,
    letters: Vec<DeadLetter>,
    orders: Vec<(QueueName, TaskOrder)>,
    mail: Vec<(WorkerId, WorkerMail)>,
    cancels: Vec<(QueueName, WorkerMail)>,
    jobs: Vec<(CallId, Job)>,
    look_again: bool,
}

/// The event log of the run in progress: where its numbering stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunLog {
    pub(super) run: RunId,
    pub(super) last_seq: u64,
}

impl RunLog {
    pub(super) fn new(run: RunId) -> Self {
        Self { run, last_seq: 0 }
    }
}

impl Turn {
    pub(super) fn set_header(&mut self, header: ThreadHeader) {
        self.header = Some(header);
    }

    /// Removes everything of the thread, and what this turn has written of it so far.
    pub(super) fn delete(&mut self) {
        self.delete = true;
        self.header = None;
        self.base = None;
        self.drop_journal = false;
        self.entries.clear();
        self.checkpoints.clear();
        self.drop_checkpoints.clear();
        self.waiting.clear();
    }

    pub(super) fn drop_checkpoints(&mut self, ids: impl IntoIterator<Item = CheckpointId>) {
        self.drop_checkpoints.extend(ids);
    }

    /// Removes a checkpoint that was written in an earlier turn, or takes it back.
    pub(super) fn drop_checkpoint(&mut self, id: CheckpointId) {
        self.checkpoints.retain(|written| written.id != id);
        self.drop_checkpoints.push(id);
    }

    pub(super) fn drop_journal(&mut self) {
        self.drop_journal = true;
        self.entries.clear();
    }

    /// Replaces all that the journal holds.
    pub(super) fn rewrite_journal(&mut self, entries: &[Entry]) {
        self.drop_journal();
        self.entries.extend_from_slice(entries);
    }

    pub(super) fn append(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Writes a checkpoint, or replaces it if it was written in this turn already.
    pub(super) fn put_checkpoint(&mut self, checkpoint: Checkpoint) {
        match self.checkpoints.iter_mut().find(|written| written.id == checkpoint.id) {
            Some(written) => *written = checkpoint,
            None => self.checkpoints.push(checkpoint),
        }
    }

    pub(super) fn set_base(&mut self, base: CheckpointId) {
        self.base = Some(base);
    }

    pub(super) fn set_activity(&mut self, activity: Activity) {
        self.activity = Some(activity);
    }

    pub(super) fn change_waiting(&mut self, change: WaitingChange) {
        self.waiting.push(change);
    }

    /// Takes the orders of an execution back, those of this turn too.
    pub(super) fn withdraw(&mut self, execution: ExecutionId) {
        self.orders.retain(|(_, order)| order.target.execution != execution);
        self.withdrawn.push(execution);
    }

    pub(super) fn bury(&mut self, letter: DeadLetter) {
        self.letters.push(letter);
    }

    pub(super) fn dispatch(&mut self, queue: QueueName, order: TaskOrder) {
        self.orders.push((queue, order));
    }

    pub(super) fn tell(&mut self, worker: WorkerId, mail: WorkerMail) {
        self.mail.push((worker, mail));
    }

    pub(super) fn cancel(&mut self, queue: QueueName, mail: WorkerMail) {
        self.cancels.push((queue, mail));
    }

    pub(super) fn perform(&mut self, call: CallId, job: Job) {
        self.jobs.push((call, job));
    }

    pub(super) fn look_again(&mut self) {
        self.look_again = true;
    }

    pub(super) fn event(&mut self, log: &mut RunLog, at: Millis, kind: EventKind) {
        log.last_seq += 1;
        let ends = matches!(kind, EventKind::RunEnded(_));
        let event = Event { seq: log.last_seq, at, kind };
        match self.events.iter_mut().find(|events| events.run == log.run) {
            Some(events) => {
                events.events.push(event);
                events.ends |= ends;
            }
            None => self.events.push(RunEvents { run: log.run, events: vec![event], ends }),
        }
    }

    /// Whether there is something to write.
    pub(super) fn changes_something(&self) -> bool {
        self.header.is_some()
            || self.delete
            || !self.drop_checkpoints.is_empty()
            || self.drop_journal
            || !self.entries.is_empty()
            || !self.checkpoints.is_empty()
            || !self.events.is_empty()
            || self.activity.is_some()
            || !self.waiting.is_empty()
            || !self.withdrawn.is_empty()
            || !self.letters.is_empty()
    }

    /// Ends the turn: its effects, in the order in which they must be performed.
    pub(super) fn finish(&mut self, writes: &mut WriteNumber, effects: &mut VecDeque<Effect>) {
        let changes_something = self.changes_something();
        let turn = mem::take(self);
        if changes_something {
            *writes += 1;
            effects.push_back(Effect::Write(Box::new(Write {
                number: *writes,
                header: turn.header,
                journal: JournalChange { drop_all: turn.drop_journal, append: turn.entries },
                checkpoints: turn.checkpoints,
                base: turn.base,
                events: turn.events,
                activity: turn.activity,
                drop_checkpoints: turn.drop_checkpoints,
                delete: turn.delete,
                waiting: turn.waiting,
            })));
        }
        let after = *writes;
        let withdrawn = turn.withdrawn.into_iter();
        effects.extend(withdrawn.map(|execution| Effect::Withdraw { with: after, execution }));
        let letters = turn.letters.into_iter().map(Box::new);
        effects.extend(letters.map(|letter| Effect::Bury { with: after, letter }));
        effects.extend(turn.orders.into_iter().map(|(queue, order)| Effect::Dispatch {
            after,
            queue,
            order: Box::new(order),
        }));
        effects.extend(turn.mail.into_iter().map(|(worker, mail)| Effect::Tell {
            after,
            worker,
            mail: Box::new(mail),
        }));
        effects.extend(turn.cancels.into_iter().map(|(queue, mail)| Effect::CancelAttempt {
            after,
            queue,
            mail: Box::new(mail),
        }));
        effects.extend(turn.jobs.into_iter().map(|(call, job)| Effect::Perform {
            after,
            call,
            job: Box::new(job),
        }));
        if turn.look_again {
            effects.push_back(Effect::LookAgain);
        }
    }
}
