//! Steps of graphs: what a body starts from, and how a child goes on to its next step.

use crate::checkpoint::{Checkpoint, Progress, Source};
use crate::event::EventKind;
use crate::graph::{StepCount, StepEnd, too_many_steps};
use crate::ids::{CallId, CheckpointId, Millis, RunId};
use crate::journal::{Began, Fact, Stepped};
use crate::payload::Payload;
use crate::policy::History;
use crate::replay::BodyOutput;
use crate::settings::RunDurability;
use crate::thread::execution::{BodyEnd, Execution};
use crate::thread::graphs::with_carried;
use crate::thread::turn::{RunLog, Turn};

/// What the body of an entrypoint starts from.
#[derive(Debug, Clone, Default)]
pub(super) struct Footing {
    pub(super) previous: Option<Payload>,
    /// Whether it goes on from that, and takes no input.
    pub(super) goes_on: bool,
    /// What the step before it saved for it, if that was in this run.
    pub(super) carried: Option<Payload>,
    /// How many steps of this run count.
    pub(super) steps: u32,
    /// Whether this run gave it its input.
    pub(super) took_input: bool,
    /// The checkpoint of a child, and its step.
    checkpoint: Option<(CheckpointId, i64)>,
    /// The one that it began at in this run: the parent of all that it makes if only the last one
    /// is kept.
    kept_parent: Option<CheckpointId>,
}

impl Footing {
    /// That of the root in this run.
    pub(super) fn of_root(began: &Began, run: RunId) -> Self {
        let is_first_run = began.run == run;
        Self {
            previous: began.previous.clone(),
            goes_on: began.goes_on,
            carried: began.carried.clone().filter(|_| is_first_run),
            steps: if is_first_run { began.steps } else { 0 },
            took_input: is_first_run && began.took_input,
            checkpoint: None,
            kept_parent: None,
        }
    }

    /// That of a child behind a step, in the run of the step or a later one.
    fn behind(stepped: &Stepped, before: &Self, is_later_run: bool) -> Self {
        let made = &stepped.checkpoint;
        Self {
            previous: made.saved.clone(),
            goes_on: true,
            carried: stepped.carried.clone().filter(|_| !is_later_run),
            steps: if is_later_run { 0 } else { stepped.steps },
            took_input: before.took_input && !is_later_run,
            checkpoint: Some((made.id, made.step)),
            kept_parent: if is_later_run { Some(made.id) } else { before.kept_parent },
        }
    }
}

impl Execution {
    /// What a child starts from when it is called.
    pub(super) fn footing_of_child(&self, call: CallId, name: &str) -> Footing {
        let state = self.child_state(call, name);
        let step = state.map_or(-1, |state| state.step + 1);
        // One of which nothing is kept begins with its input in each run.
        let is_kept =
            self.around.program.options(name).history != History::Off && self.is_kept(call);
        Footing {
            previous: state.map(|state| state.previous().clone()),
            took_input: !is_kept || !self.index.is_in_earlier_run(self.cursor),
            checkpoint: Some((CheckpointId::of_child(call, 0), step)),
            kept_parent: state.map(|state| state.head),
            ..Footing::default()
        }
    }

    /// Puts a body behind the last step that the journal tells of.
    pub(super) fn stand_at_last_step(&mut self, body: CallId) {
        let Some(position) = self.index.last_step(body) else { return };
        let Fact::Stepped(stepped) = &self.journal[position].fact else { return };
        let is_later_run = self.index.is_in_earlier_run(position);
        if let Some(begun) = self.begun.get_mut(&body) {
            begun.footing = Footing::behind(stepped, &begun.footing, is_later_run);
        }
    }

    /// Whether a body pauses behind its last step, which was made in this run.
    pub(super) fn pauses_at(&self, position: usize) -> bool {
        let Fact::Stepped(stepped) = &self.journal[position].fact else { return false };
        stepped.pause && !self.index.is_in_earlier_run(position)
    }

    /// The answer that was given before anything was asked to a graph that the asking body is in.
    pub(super) fn take_ahead(&mut self, asker: CallId) -> Option<Payload> {
        let path = self.calls.path(asker);
        let is_for = |body: &CallId| *body == self.root || path.contains(body);
        let body = self.ahead.keys().copied().find(is_for)?;
        self.ahead.remove(&body)
    }

    /// A body stands behind its last step until the next run.
    pub(super) fn pause_body(&mut self, body: CallId, attempt: u32) {
        if let Some(begun) = self.begun.get_mut(&body) {
            begun.attempt = attempt;
        }
        self.paused.insert(body);
    }

    /// Takes up a step of a child; false if the child was not called.
    pub(super) fn take_step(&mut self, position: usize, stepped: &Stepped, at: Millis) -> bool {
        let Stepped { body, attempt, is_last, .. } = *stepped;
        self.attempts.entry(body).or_default().failures = 0;
        self.ahead.remove(&body);
        is_last || self.take_beginning(position, body, attempt, at)
    }

    /// Goes on with children that made a step, once nothing of it goes on.
    pub(super) fn make_child_steps(
        &mut self,
        now: Millis,
        turn: &mut Turn,
        log: &mut RunLog,
    ) -> bool {
        let Some(body) = self.stepping.keys().copied().find(|body| self.is_quiet(*body)) else {
            return false;
        };
        if let Some(output) = self.stepping.remove(&body) {
            self.make_child_step(body, output, now, turn, log);
        }
        true
    }

    fn make_child_step(
        &mut self,
        body: CallId,
        output: BodyOutput,
        now: Millis,
        turn: &mut Turn,
        log: &mut RunLog,
    ) {
        let Some(stepped) = self.step_of_child(body, &output, now) else { return };
        for call in &stepped.abandoned {
            self.give_up_call(*call);
        }
        self.questions.withdraw_of(body);
        self.ahead.remove(&body);
        self.attempts.entry(body).or_default().failures = 0;
        let count = self.step_count(body, &output);
        let exceeds = count.is_exceeded();
        let stepped = Stepped { pause: stepped.pause || exceeds, ..stepped };
        self.record_step(now, stepped.clone(), &output, turn, log);
        let Some(begun) = self.begun.get_mut(&body) else { return };
        begun.footing = Footing::behind(&stepped, &begun.footing, false);
        begun.attempt = stepped.attempt;
        if exceeds {
            let result = Err(too_many_steps(count.limit));
            self.end_body(body, BodyEnd { result, is_cached: false });
        } else if stepped.pause {
            self.paused.insert(body);
        } else if let Err(failure) = self.begin_body(body, stepped.attempt, now) {
            self.end_body(body, BodyEnd { result: Err(failure), is_cached: false });
        }
    }

    /// The last step of a child that is about to give its result.
    pub(super) fn end_child_steps(
        &mut self,
        body: CallId,
        output: &BodyOutput,
        now: Millis,
        turn: &mut Turn,
        log: &mut RunLog,
    ) {
        let Some(stepped) = self.step_of_child(body, output, now) else { return };
        let checkpoint = &stepped.checkpoint;
        if let Some(begun) = self.begun.get_mut(&body) {
            begun.footing.checkpoint = Some((checkpoint.id, checkpoint.step));
        }
        self.record_step(now, stepped, output, turn, log);
    }

    fn step_count(&self, body: CallId, output: &BodyOutput) -> StepCount {
        let footing = self.begun.get(&body).map(|begun| &begun.footing);
        let counts = output.step.as_ref().is_some_and(|step| step.counts);
        let made = footing.map_or(0, |footing| footing.steps) + u32::from(counts);
        let took_input = footing.is_some_and(|footing| footing.took_input);
        StepCount::of_run(&self.settings, made, took_input)
    }

    /// Whether a child goes on with another step, or fails for having made too many.
    pub(super) fn makes_step(&self, body: CallId, output: &BodyOutput) -> bool {
        let Some(step) = output.step.as_ref().filter(|_| body != self.root) else { return false };
        !step.tasks.is_empty() || (step.counts && self.step_count(body, output).is_exceeded())
    }

    fn record_step(
        &mut self,
        now: Millis,
        stepped: Stepped,
        output: &BodyOutput,
        turn: &mut Turn,
        log: &mut RunLog,
    ) {
        let made = &stepped.checkpoint;
        let shown = EventKind::Stepped {
            body: Some(stepped.body),
            checkpoint: made.id,
            parent: made.parent,
            source: made.source,
            step: made.step,
            values: with_carried(&made.values, stepped.carried.as_ref()),
            result: output.value.clone(),
            changed: output.step.as_ref().is_some_and(|step| step.changed),
            tasks: made.tasks.clone(),
            pause: output.step.as_ref().is_some_and(|step| step.pause),
        };
        self.append(now, Fact::Stepped(Box::new(stepped)), turn);
        turn.event(log, now, shown);
    }

    /// What the journal keeps of a step that the body of a child ended with.
    fn step_of_child(&self, body: CallId, output: &BodyOutput, now: Millis) -> Option<Stepped> {
        let begun = self.begun.get(&body).filter(|begun| begun.is_graph)?;
        let step = output.step.as_deref()?;
        let (parent, nth) = begun.footing.checkpoint?;
        // One that had made too many steps may have been left nothing but to give its result. A
        // child of which nothing is kept does not stand there: it begins anew.
        let made = self.steps_of(body).map(|(_, stepped)| &stepped.checkpoint);
        if made.filter(|made| made.id == parent).last().is_some_and(|made| made.tasks.is_empty()) {
            return None;
        }
        let StepEnd { values, changed: _, tasks, pause, counts, carried } = step.clone();
        // One that has made too many steps goes on in a later run, if only to give its result.
        let is_last = tasks.is_empty() && !self.makes_step(body, output);
        let attempt = begun.attempt + 1;
        let checkpoint = Checkpoint {
            id: CheckpointId::of_child(body, attempt),
            parent: match self.settings.durability {
                RunDurability::Exit => begun.footing.kept_parent,
                _ => Some(parent),
            },
            created_at: now,
            source: Source::Loop,
            step: nth + 1,
            run: self.run,
            entrypoint: begun.name.clone(),
            values,
            saved: Some(output.save.clone().unwrap_or_else(|| output.value.clone())),
            input: (!is_last).then_some(Payload::NULL),
            goes_on: !is_last,
            tasks,
            progress: Progress::default(),
            metadata: self.settings.config.scalars(),
            children: self.children.clone(),
        };
        Some(Stepped {
            body,
            attempt,
            abandoned: if is_last { Vec::new() } else { self.calls.open_under(body) },
            progress: Progress {
                interrupts: self.asked_under(body),
                failure: None,
                result: None,
                graph: self.ended_step(body),
            },
            checkpoint,
            carried,
            steps: begun.footing.steps + u32::from(counts),
            pause,
            is_last,
        })
    }

    /// The checkpoint that a child is at, and its step.
    pub(super) fn child_place(&self, body: CallId) -> Option<(CheckpointId, i64)> {
        self.begun.get(&body)?.footing.checkpoint
    }
}
