//! How a run ends: completed, failed, waiting for people, parked or cancelled.

use crate::checkpoint::{Checkpoint, Progress, Source};
use crate::event::{EventKind, RunOutcome};
use crate::failure::Failure;
use crate::header::ThreadStatus;
use crate::ids::{CallId, CheckpointId, ExecutionId, Millis};
use crate::journal::{Entry, Fact};
use crate::message::OpenCalls;
use crate::replay::ReplayMismatch;
use crate::settings::RunDurability;
use crate::thread::execution::Ending;
use crate::thread::{Activity, State, ThreadMachine, index};

impl ThreadMachine {
    /// Ends a run whose execution can go on.
    pub(super) fn stop(
        &mut self,
        now: Millis,
        status: ThreadStatus,
        progress: Progress,
        outcome: RunOutcome,
    ) {
        let in_flight = self.in_flight();
        let journal = self.end_execution();
        self.rest(now, (journal, in_flight), status, progress, outcome);
    }

    /// Rests with a journal that a further run goes on with.
    fn rest(
        &mut self,
        now: Millis,
        (mut journal, in_flight): (Vec<Entry>, OpenCalls),
        status: ThreadStatus,
        mut progress: Progress,
        outcome: RunOutcome,
    ) {
        let Some(header) = &self.header else { return };
        if progress.interrupts.is_empty() {
            progress.interrupts = index::last_progress(&journal).interrupts;
        }
        let fact = Fact::RunStopped { run: header.run, progress: progress.clone() };
        let stopped = Entry { at: now, fact };
        self.turn.append(stopped.clone());
        journal.push(stopped);
        if let Some(Entry { at, fact: Fact::Began(began) }) = journal.first() {
            self.turn.put_checkpoint(Self::first_checkpoint(began, *at, progress));
        }
        self.state = State::Resting { journal, in_flight };
        self.end_run(now, status, outcome);
    }

    /// Stops the run in progress because of a request. A retry goes on with it.
    pub(super) fn stop_run(&mut self, now: Millis) {
        let (journal, in_flight) = self.halt(now);
        self.state = State::Resting { journal, in_flight };
        self.end_run(now, ThreadStatus::Cancelled, RunOutcome::Cancelled);
    }

    /// Ends the execution's part in memory: its orders are taken back, and workers are told to
    /// give up what they run. Gives its journal, and what else of the thread is in flight.
    pub(super) fn halt(&mut self, now: Millis) -> (Vec<Entry>, OpenCalls) {
        let mut in_flight = self.in_flight();
        if let State::Running(execution) = &mut self.state {
            execution.cancel_attempts(now, &mut self.turn);
            let id = execution.id();
            if in_flight.keys().any(|open| open.execution == id) {
                self.turn.withdraw(id);
                in_flight.retain(|open, _| open.execution != id);
            }
        }
        (self.end_execution(), in_flight)
    }

    /// Ends a run that has reached a limit of the engine, which its body cannot handle.
    pub(super) fn exceed(&mut self, now: Millis, failure: Failure) {
        let progress = Progress { failure: Some(failure.clone()), ..Progress::default() };
        let status = ThreadStatus::Failed(failure.clone());
        let left = self.halt(now);
        self.rest(now, left, status, progress, RunOutcome::Failed(failure));
    }

    /// Ends a run whose code does not fit its journal; only reports that came are written.
    pub(super) fn park(&mut self, now: Millis, mismatch: ReplayMismatch) {
        let in_flight = self.in_flight();
        let journal = self.end_execution();
        self.state = State::Resting { journal, in_flight };
        self.end_run(now, ThreadStatus::Parked(mismatch.clone()), RunOutcome::Parked(mismatch));
    }

    pub(super) fn complete(&mut self, now: Millis, ending: Ending) {
        let journal = self.end_execution();
        let Some(header) = &mut self.header else { return };
        let Some(Entry { at, fact: Fact::Began(began) }) = journal.first() else { return };
        let settings = index::last_settings(&journal).unwrap_or(&began.settings);
        let is_exit = settings.durability == RunDurability::Exit;
        let is_first_run = header.run == began.run;
        let Ending { output, is_cached, children } = ending;
        let id = CheckpointId::at(now, header.checkpoints_made, header.run);
        let checkpoint = Checkpoint {
            id,
            parent: if is_exit && is_first_run { began.parent } else { Some(began.checkpoint) },
            created_at: now,
            source: Source::Loop,
            step: began.step + 1,
            run: header.run,
            entrypoint: header.entrypoint.clone(),
            values: output.value.clone(),
            saved: output.save,
            input: None,
            progress: Progress::default(),
            metadata: settings.config.scalars(),
            children: children.clone(),
        };
        let updated = EventKind::Updated {
            call: CallId::root(ExecutionId::from(began.run)),
            name: header.entrypoint.clone(),
            value: output.value.clone(),
            is_cached,
        };
        header.execution = None;
        header.head = id;
        header.base = Some(id);
        header.step = checkpoint.step;
        header.checkpoints_made += 1;
        header.children = children;
        if is_exit && is_first_run {
            self.turn.drop_checkpoint(began.checkpoint);
        } else if !is_exit {
            let result = Some(output.value.clone());
            let interrupts = index::last_progress(&journal).interrupts;
            let progress = Progress { interrupts, failure: None, result };
            self.turn.put_checkpoint(Self::first_checkpoint(began, *at, progress));
        }
        self.turn.put_checkpoint(checkpoint.clone());
        self.turn.set_base(id);
        self.turn.drop_journal();
        if let Some(log) = &mut self.log {
            self.turn.event(log, now, updated);
            self.turn.event(log, now, EventKind::Checkpointed { checkpoint: id });
        }
        self.base = Some(checkpoint);
        self.end_run(now, ThreadStatus::Idle, RunOutcome::Done(output.value));
    }

    fn end_execution(&mut self) -> Vec<Entry> {
        match std::mem::replace(&mut self.state, State::at_rest(Vec::new())) {
            State::Running(execution) => execution.into_journal(),
            State::Resting { journal, .. } => journal,
        }
    }

    pub(super) fn end_run(&mut self, now: Millis, status: ThreadStatus, outcome: RunOutcome) {
        if let Some(header) = &mut self.header {
            header.status = status;
            header.asking.clear();
            header.updated_at = now;
            self.turn.set_header(header.clone());
        }
        self.turn.set_activity(Activity::Parked);
        if let Some(log) = &mut self.log {
            self.turn.event(log, now, EventKind::RunEnded(outcome));
        }
    }
}
