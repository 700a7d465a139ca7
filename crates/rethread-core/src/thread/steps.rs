//! The steps of a graph that is the root: each ends an execution and begins the next in the same
//! run.

use crate::checkpoint::{Checkpoint, Progress, Source};
use crate::event::{EventKind, RunOutcome};
use crate::graph::{StepCount, StepEnd, too_many_steps};
use crate::header::ThreadStatus;
use crate::ids::{ExecutionId, Millis};
use crate::journal::{Began, Entry, Fact};
use crate::payload::Payload;
use crate::settings::RunDurability;
use crate::thread::execution::{Ending, StepRecord};
use crate::thread::graphs::with_carried;
use crate::thread::{State, ThreadMachine, index};

impl Ending {
    /// Whether it is the end of a step that another one follows.
    pub(super) fn goes_on(&self) -> bool {
        self.output.step.as_ref().is_some_and(|step| !step.tasks.is_empty())
    }
}

impl ThreadMachine {
    /// A step ended and another one follows: lays that one out. Says whether it begins at once;
    /// otherwise the run has ended, at a breakpoint or because it has made too many steps.
    pub(super) fn make_step(&mut self, now: Millis, ending: Ending) -> bool {
        let in_flight = self.in_flight();
        let journal = self.end_execution();
        let (Some(header), Some(Entry { at, fact: Fact::Began(began) })) =
            (&self.header, journal.first())
        else {
            return false;
        };
        let run = header.run;
        let Ending { output, record, is_cached: _, children } = ending;
        let step = output.step.map(|step| *step).unwrap_or_default();
        let StepEnd { values, changed, tasks, pause, counts, carried } = step;
        let settings = index::last_settings(&journal).unwrap_or(&began.settings);
        let is_first_run = run == began.run;
        let is_exit = settings.durability == RunDurability::Exit;
        let is_unkept = is_exit && is_first_run && !began.is_changed;
        // An input that was laid out is a step of the run that takes it.
        let counts = counts || (!is_first_run && !began.goes_on);
        let made = if is_first_run { began.steps } else { 0 } + u32::from(counts);
        let count = StepCount::of_run(settings, made, is_first_run && began.took_input);
        let checkpoint = self.next_checkpoint(now, run);
        let next = Began {
            run,
            execution: ExecutionId::of_step(checkpoint),
            root: began.root,
            entrypoint: began.entrypoint.clone(),
            input: Payload::NULL,
            previous: Some(output.save.unwrap_or_else(|| output.value.clone())),
            values,
            goes_on: true,
            tasks,
            steps: made,
            took_input: count.took_input,
            carried,
            is_changed: false,
            children,
            answer: None,
            source: Source::Loop,
            checkpoint,
            parent: if is_unkept { began.parent } else { Some(began.checkpoint) },
            step: began.step + 1,
            settings: Box::new(settings.clone()),
            events: 0,
        };
        let progress = record.map(StepRecord::ended).unwrap_or_default();
        let ended = self.checkpoint_of(began, *at, progress);
        self.keep_ended(ended, is_exit, is_unkept);
        self.behind.leave(&journal, run);
        self.show_step(now, &next, (&output.value, changed, pause));
        let journal = vec![self.lay_out_step(now, next)];
        if pause {
            self.state = State::Resting { journal, in_flight };
            self.settle_in_step();
            self.end_run(now, ThreadStatus::Pending, RunOutcome::Done(output.value));
            return false;
        }
        if count.is_exceeded() {
            let failure = too_many_steps(count.limit);
            let progress = Progress { failure: Some(failure.clone()), ..Progress::default() };
            let status = ThreadStatus::Failed(failure.clone());
            let came_to = (status, progress, None);
            self.rest(now, (journal, in_flight), came_to, RunOutcome::Failed(failure));
            return false;
        }
        if let Some(execution) = self.header.as_ref().and_then(|header| header.execution) {
            self.run_execution(execution, run, journal, 0, in_flight);
        }
        true
    }

    /// Keeps the checkpoint at which a step started that has ended. Where only the last one of the
    /// run is kept, those that it made go, and one that was there stays as it was.
    pub(super) fn keep_ended(&mut self, checkpoint: Checkpoint, is_exit: bool, is_unkept: bool) {
        if is_unkept {
            self.turn.drop_checkpoint(checkpoint.id);
        } else if !is_exit {
            self.turn.put_checkpoint(checkpoint);
        }
    }

    /// Tells readers of a step.
    fn show_step(
        &mut self,
        now: Millis,
        next: &Began,
        (result, changed, pause): (&Payload, bool, bool),
    ) {
        let Some(log) = &mut self.log else { return };
        let stepped = EventKind::Stepped {
            body: None,
            checkpoint: next.checkpoint,
            parent: next.parent,
            source: next.source,
            step: next.step,
            values: with_carried(&next.values, next.carried.as_ref()),
            result: result.clone(),
            changed,
            tasks: next.tasks.clone(),
            pause,
        };
        self.turn.event(log, now, stepped);
    }

    /// The run has ended, or an edit leaves a step to be run: the thread is where that starts.
    pub(super) fn settle_in_step(&mut self) {
        let State::Resting { journal, .. } = &self.state else { return };
        let Some(Entry { at, fact: Fact::Began(began) }) = journal.first() else { return };
        self.behind.run_ended();
        if !began.goes_on {
            return;
        }
        let base = self.checkpoint_of(began, *at, Progress::default());
        if let Some(header) = &mut self.header
            && header.base != Some(base.id)
        {
            header.base = Some(base.id);
            if began.source == Source::Loop {
                header.children = began.children.clone();
            }
            self.turn.set_header(header.clone());
            self.turn.set_base(base.id);
        }
        self.base = Some(base);
    }

    /// Writes the first entry of a step and its checkpoint, which is what the thread has come to.
    /// The step before stays in the journal where the run began in it.
    fn lay_out_step(&mut self, now: Millis, mut next: Began) -> Entry {
        next.events = self.log.map_or(0, |log| log.last_seq);
        if let Some(header) = &mut self.header {
            header.execution = Some(next.execution);
            header.head = next.checkpoint;
            header.step = next.step;
            header.checkpoints_made += 1;
            header.asking.clear();
            header.updated_at = now;
            self.turn.set_header(header.clone());
        }
        let checkpoint = Self::first_checkpoint(&next, now, Progress::default());
        self.turn.put_checkpoint(checkpoint);
        if let Some(kept) = self.behind.without_garbage() {
            self.turn.rewrite_journal(kept);
        }
        self.behind.note_checkpoint(now, next.checkpoint);
        self.in_doubt = false;
        let entry = Entry { at: now, fact: Fact::Began(Box::new(next)) };
        self.turn.append(entry.clone());
        entry
    }
}
