//! How a run ends: completed, failed, waiting for people, parked or cancelled.

use crate::checkpoint::{Checkpoint, Progress, Source};
use crate::event::{EventKind, RunOutcome};
use crate::failure::Failure;
use crate::graph::{GraphProgress, StepCount, StepEnd, StepView, too_many_steps};
use crate::header::ThreadStatus;
use crate::ids::{Millis, RunId};
use crate::journal::{Began, Entry, Fact};
use crate::message::OpenCalls;
use crate::payload::Payload;
use crate::replay::{BodyOutput, ReplayMismatch};
use crate::settings::{RunDurability, RunSettings};
use crate::thread::behind::Behind;
use crate::thread::execution::{Ending, StepRecord};
use crate::thread::graphs::with_carried;
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
        let record = self.step_record();
        let in_flight = self.in_flight();
        let journal = self.end_execution();
        self.rest(now, (journal, in_flight), (status, progress, record), outcome);
    }

    /// Ends a run in which all that goes on are graphs that pause.
    pub(super) fn pause(&mut self, now: Millis) {
        let record = self.step_record();
        let in_flight = self.in_flight();
        let journal = self.end_execution();
        let outcome = match &record {
            Some(record) if record.is_of_root => RunOutcome::Done(record.graph.view.result.clone()),
            // It has no result before its end.
            _ => RunOutcome::Interrupted(Vec::new()),
        };
        let came_to = (ThreadStatus::Pending, Progress::default(), record);
        self.rest(now, (journal, in_flight), came_to, outcome);
    }

    fn step_record(&self) -> Option<StepRecord> {
        match &self.state {
            State::Running(execution) => execution.step_record(),
            State::Resting { .. } => None,
        }
    }

    /// Rests with a journal that a further run goes on with.
    pub(super) fn rest(
        &mut self,
        now: Millis,
        (mut journal, in_flight): (Vec<Entry>, OpenCalls),
        (status, mut progress, record): (ThreadStatus, Progress, Option<StepRecord>),
        outcome: RunOutcome,
    ) {
        let Some(header) = &self.header else { return };
        let is_graph = record.as_ref().is_some_and(|record| record.is_of_root);
        if progress.interrupts.is_empty() && !is_graph {
            progress.interrupts = index::last_progress(&journal).interrupts;
        }
        let asked = record.and_then(|StepRecord { graph, asked, .. }| {
            progress.graph = Some(graph);
            is_graph.then_some(asked)
        });
        let graph = progress.graph.as_mut();
        let streamed = graph.map(|graph| std::mem::take(&mut graph.view.streamed));
        let fact = Fact::RunStopped { run: header.run, progress: progress.clone() };
        let stopped = Entry { at: now, fact };
        self.turn.append(stopped.clone());
        journal.push(stopped);
        progress.interrupts = asked.unwrap_or(progress.interrupts);
        if is_graph {
            self.show_stop(now, &progress, streamed.unwrap_or_default(), &outcome);
        }
        if let Some(Entry { at, fact: Fact::Began(began) }) = journal.first() {
            let checkpoint = self.checkpoint_of(began, *at, progress);
            self.turn.put_checkpoint(checkpoint);
        }
        self.state = State::Resting { journal, in_flight };
        self.settle_in_step();
        self.end_run(now, status, outcome);
    }

    /// Tells readers what the step of a graph had come to when the run stopped in it.
    fn show_stop(
        &mut self,
        now: Millis,
        progress: &Progress,
        streamed: Payload,
        outcome: &RunOutcome,
    ) {
        let is_shown = matches!(outcome, RunOutcome::Interrupted(_) | RunOutcome::Done(_));
        if let (Some(log), Some(graph)) = (&mut self.log, &progress.graph)
            && is_shown
        {
            let StepView { values, result, changed, .. } = graph.view.clone();
            let view = StepView { values, result, streamed, changed, tasks: Vec::new() };
            let shown = GraphProgress { view, children: Vec::new() };
            self.turn.event(log, now, EventKind::StoppedInStep(Box::new(shown)));
        }
    }

    /// Stops the run in progress because of a request. A retry goes on with it.
    pub(super) fn stop_run(&mut self, now: Millis) {
        let record = self.step_record();
        let run = self.header.as_ref().map(|header| header.run);
        let (mut journal, in_flight) = self.halt(now);
        if let (
            Some(run),
            Some(StepRecord { graph, asked, is_of_root: true }),
            Some(Entry { at, fact: Fact::Began(began) }),
        ) = (run, record, journal.first())
        {
            let progress = Progress { graph: Some(graph), ..Progress::default() };
            let recorded = Progress { interrupts: asked, ..progress.clone() };
            let checkpoint = self.checkpoint_of(began, *at, recorded);
            self.turn.put_checkpoint(checkpoint);
            let stopped = Entry { at: now, fact: Fact::RunStopped { run, progress } };
            self.turn.append(stopped.clone());
            journal.push(stopped);
        }
        self.state = State::Resting { journal, in_flight };
        self.settle_in_step();
        self.end_run(now, ThreadStatus::Cancelled, RunOutcome::Cancelled);
    }

    /// Ends the execution's part in memory: its orders are taken back, and workers are told to
    /// give up what they run. Gives its journal, and what else of the thread is in flight.
    pub(super) fn halt(&mut self, now: Millis) -> (Vec<Entry>, OpenCalls) {
        let mut in_flight = self.in_flight();
        if let State::Running(execution) = &mut self.state {
            execution.cancel_attempts(now, &mut self.turn);
            let id = execution.id();
            if execution.is_in_doubt() || in_flight.keys().any(|open| open.execution == id) {
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
        let record = self.step_record();
        let left = self.halt(now);
        self.rest(now, left, (status, progress, record), RunOutcome::Failed(failure));
    }

    /// Ends a run whose code does not fit its journal; only reports that came are written.
    pub(super) fn park(&mut self, now: Millis, mismatch: ReplayMismatch) {
        self.in_doubt = self.is_in_doubt();
        let in_flight = self.in_flight();
        let journal = self.end_execution();
        self.state = State::Resting { journal, in_flight };
        self.settle_in_step();
        self.end_run(now, ThreadStatus::Parked(mismatch.clone()), RunOutcome::Parked(mismatch));
    }

    pub(super) fn complete(&mut self, now: Millis, ending: Ending) {
        let journal = self.end_execution();
        let (Some(header), Some(Entry { at, fact: Fact::Began(began) })) =
            (&self.header, journal.first())
        else {
            return;
        };
        let run = header.run;
        let settings = index::last_settings(&journal).unwrap_or(&began.settings);
        let is_exit = settings.durability == RunDurability::Exit;
        // What a command changed was made by an earlier run.
        let is_unkept = is_exit && run == began.run && !began.is_changed;
        let Ending { output, record, is_cached, children } = ending;
        let BodyOutput { value, save, step } = output;
        let exceeds = step.as_ref().and_then(|step| exceeds_steps(run, began, settings, step));
        let id = self.next_checkpoint(now, run);
        let checkpoint = Checkpoint {
            id,
            parent: if is_unkept { began.parent } else { Some(began.checkpoint) },
            created_at: now,
            source: Source::Loop,
            step: began.step + 1,
            run,
            entrypoint: header.entrypoint.clone(),
            values: step.as_ref().map_or_else(|| value.clone(), |step| step.values.clone()),
            saved: save,
            input: None,
            goes_on: false,
            tasks: Vec::new(),
            progress: Progress::default(),
            metadata: settings.config.scalars(),
            children,
        };
        let record = record.filter(|record| record.is_of_root);
        let progress = record.map(StepRecord::ended).unwrap_or_else(|| Progress {
            interrupts: index::last_progress(&journal).interrupts,
            result: Some(value.clone()),
            ..Progress::default()
        });
        let ended = self.checkpoint_of(began, *at, progress);
        self.keep_ended(ended, is_exit, is_unkept);
        let shown = match &step {
            Some(step) => vec![last_step(&checkpoint, &value, step)],
            None => vec![
                EventKind::Updated {
                    call: began.root,
                    name: checkpoint.entrypoint.clone(),
                    value: value.clone(),
                    is_cached,
                    node: None,
                },
                EventKind::Checkpointed { checkpoint: id },
            ],
        };
        if let Some(log) = &mut self.log {
            for kind in shown {
                self.turn.event(log, now, kind);
            }
        }
        self.arrive_at(checkpoint);
        let outcome = exceeds.map_or(RunOutcome::Done(value), RunOutcome::Failed);
        self.end_run(now, ThreadStatus::Idle, outcome);
    }

    /// The thread has come to the end of an execution.
    fn arrive_at(&mut self, checkpoint: Checkpoint) {
        self.behind = Behind::default();
        if let Some(header) = &mut self.header {
            header.execution = None;
            header.head = checkpoint.id;
            header.base = Some(checkpoint.id);
            header.step = checkpoint.step;
            header.checkpoints_made += 1;
            header.children = checkpoint.children.clone();
        }
        self.turn.set_base(checkpoint.id);
        self.turn.drop_journal();
        self.turn.put_checkpoint(checkpoint.clone());
        self.base = Some(checkpoint);
    }

    pub(super) fn end_execution(&mut self) -> Vec<Entry> {
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

fn last_step(made: &Checkpoint, result: &Payload, step: &StepEnd) -> EventKind {
    EventKind::Stepped {
        body: None,
        checkpoint: made.id,
        parent: made.parent,
        source: made.source,
        step: made.step,
        values: with_carried(&made.values, step.carried.as_ref()),
        result: result.clone(),
        changed: step.changed,
        tasks: Vec::new(),
        pause: step.pause,
    }
}

/// Why the last step of a graph fails its run although nothing is left to do, if it does.
fn exceeds_steps(
    run: RunId,
    began: &Began,
    settings: &RunSettings,
    step: &StepEnd,
) -> Option<Failure> {
    let is_first_run = run == began.run;
    let made = if is_first_run { began.steps } else { 0 } + u32::from(step.counts);
    let count = StepCount::of_run(settings, made, is_first_run && began.took_input);
    (step.counts && !step.pause && count.is_exceeded()).then(|| too_many_steps(count.limit))
}
