//! From the events of the log to those of the modes, in LangGraph's order.

mod graphs;

use std::collections::{BTreeMap, VecDeque};

use rethread_core::checkpoint::{Checkpoint, Progress, Source};
use rethread_core::event::{ChildStart, Event, EventKind, Interrupt, RunOutcome};
use rethread_core::failure::Failure;
use rethread_core::graph::GraphProgress;
use rethread_core::ids::{CallId, CheckpointId, Millis};
use rethread_core::payload::Payload;
use rethread_core::policy::History;

use crate::error::Result;
use crate::events::EventReader;
use crate::outcome::{OpenInterrupt, conclude};
use crate::run::RunHandle;
use crate::state::{Shown, StateSnapshot};
use crate::stream::cursor::Cursor;
use crate::stream::event::{DebugKind, Mode, StreamData, StreamEvent, TaskEnd};
use crate::stream::held::Held;
use crate::stream::scopes::{Asking, Made, Run, Scopes, Waiting, has_completed};
use crate::stream::view::{Item, Sheet, View};
use crate::stream::written::Written;
use crate::value::AnyValue;
use graphs::{Boundary, node_waits};

/// Reads the log and remembers what it needs to show the next event: the scopes that have not
/// shown their end.
pub(super) struct Mapping {
    reader: EventReader,
    /// Where the reader began.
    cursor: Cursor,
    view: View,
    scopes: Scopes,
    held: Held,
    written: Written,
    /// The facts that the checkpoints of the run show.
    metadata: BTreeMap<String, AnyValue>,
    /// The result, once the entrypoint of the run has given it.
    result: Option<Payload>,
    /// What all checkpoints of the run show as their parent, if only its last one is kept.
    kept_parent: Option<Option<CheckpointId>>,
    /// What a graph had come to when the run stopped within a step.
    stopped: Option<Box<GraphProgress>>,
    /// Whether the events before the place where the reader begins were looked at.
    is_caught_up: bool,
    /// What the last event of the log shows.
    shown: VecDeque<StreamEvent>,
    /// The error that the stream ends with once everything is shown.
    end: Result<()>,
}

impl Mapping {
    pub(super) fn new<O>(run: &RunHandle<O>, cursor: Cursor, view: View) -> Self {
        let reader = run.reader(cursor.whole());
        Self {
            is_caught_up: reader.after() == 0,
            reader,
            cursor,
            view,
            scopes: Scopes::default(),
            held: Held::default(),
            written: Written::default(),
            metadata: BTreeMap::new(),
            result: None,
            kept_parent: None,
            stopped: None,
            shown: VecDeque::new(),
            end: Ok(()),
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<StreamEvent>> {
        if !self.is_caught_up {
            self.catch_up().await?;
        }
        loop {
            if let Some(shown) = self.shown.pop_front() {
                return Ok(Some(shown));
            }
            std::mem::replace(&mut self.end, Ok(()))?;
            let Some(event) = self.reader.next().await? else { return Ok(None) };
            if let EventKind::RunEnded(RunOutcome::Joined(run)) = &event.kind {
                // The answers were given to a run in progress: what happens, happens there.
                self.reader = EventReader::new(self.reader.thread().clone(), *run, 0);
                continue;
            }
            self.shown = self.map(event).await?;
        }
    }

    /// Learns who called whom in the part of the log that another reader has seen.
    async fn catch_up(&mut self) -> Result<()> {
        let seen = self.reader.after();
        let thread = self.reader.thread().clone();
        let mut reader = EventReader::new(thread.clone(), self.reader.run(), 0);
        while reader.after() < seen {
            let Some(event) = reader.next().await? else { break };
            if let EventKind::RunEnded(RunOutcome::Joined(run)) = &event.kind {
                // It is the log of the other run that was seen up to there.
                reader = EventReader::new(thread.clone(), *run, 0);
                self.reader = EventReader::new(thread.clone(), *run, seen);
                continue;
            }
            self.map(event).await?;
        }
        self.end = Ok(());
        self.is_caught_up = true;
        Ok(())
    }

    async fn map(&mut self, event: Event) -> Result<VecDeque<StreamEvent>> {
        let Event { seq, at, kind } = event;
        // What the event needs of the storage, read before anything is shown.
        let checkpoint = match &kind {
            EventKind::RunStarted { unkept: Some(checkpoint), .. } => Some((**checkpoint).clone()),
            EventKind::RunStarted { checkpoint, .. } if self.needs_first_checkpoint() => {
                self.reader.thread().read_checkpoint(*checkpoint).await?
            }
            EventKind::Checkpointed { checkpoint } if self.shows_checkpoints() => {
                self.reader.thread().read_checkpoint(*checkpoint).await?
            }
            _ => None,
        };
        if let (EventKind::RunStarted { is_exit: true, unkept, .. }, Some(checkpoint)) =
            (&kind, &checkpoint)
        {
            self.kept_parent = Some(match (unkept, checkpoint.parent) {
                (Some(_), Some(before)) => {
                    let before = self.reader.thread().read_checkpoint(before).await?;
                    before.and_then(|before| before.parent)
                }
                _ => checkpoint.parent,
            });
        }
        let view = self.view.clone();
        let mut sheet = Sheet::new(&view, at);
        self.show(kind, checkpoint, &mut sheet);
        let last = sheet.shown.len().saturating_sub(1);
        let shown = sheet.shown.into_iter().enumerate().map(|(index, item)| {
            let Item { place, mode, ns, is_node, data } = item;
            let cursor = match index == last {
                true => Cursor::behind(seq),
                false => Cursor::within(seq, place),
            };
            let ns = ns.to_vec();
            StreamEvent { cursor, number: seq, place, at, mode, ns, is_node, data }
        });
        Ok(shown.filter(|shown| !self.cursor.covers(seq, shown.place)).collect())
    }

    fn needs_first_checkpoint(&self) -> bool {
        self.view.has_any(&[Mode::Values, Mode::Tasks, Mode::Checkpoints, Mode::Debug])
    }

    fn shows_checkpoints(&self) -> bool {
        self.view.checkpoints && self.view.has_any(&[Mode::Checkpoints, Mode::Debug])
    }

    fn show(&mut self, kind: EventKind, checkpoint: Option<Checkpoint>, sheet: &mut Sheet<'_>) {
        let Some(kind) = self.held.take_early(kind, &self.scopes) else { return };
        match kind {
            EventKind::RunStarted { entrypoint, root, continues, before, .. } => {
                let started = Started { entrypoint, root, continues, before };
                self.started(started, checkpoint, sheet);
            }
            EventKind::CallStarted { call, scope, kind, name, input, child, node } => {
                let child = child.as_deref();
                let made = Made { call, scope, kind, name: &name, child, node: node.as_ref() };
                let Some(run) = self.scopes.open(&made) else { return };
                match &node {
                    Some(node) => self.node_called(&run, child, call, node, input, sheet),
                    None => self.called(&run, child, call, &name, input, sheet),
                }
                for early in self.held.release(call) {
                    self.show(early, None, sheet);
                }
            }
            EventKind::Updated { call, value, is_cached, node: Some(node), .. } => {
                self.node_updated(call, &node, &value, is_cached, sheet);
            }
            EventKind::Updated { call, name, value, is_cached, node: None } => {
                self.updated(call, &name, value, is_cached, sheet);
            }
            EventKind::CallFailed { call, failure, node: Some(node), .. } => {
                self.node_failed(call, &node, failure, sheet);
            }
            EventKind::CallFailed { call, name, failure, node: None } => {
                let Some(scope) = self.scopes.close(call) else { return };
                let run = &*scope.run;
                if !(run.call == call && scope.is_graph) {
                    finished(sheet, run, call, &name, || TaskEnd::Failed(failure.clone()));
                }
                if run.call == call && run.depth > 0 {
                    ended_child(sheet, run, || TaskEnd::Failed(failure));
                }
            }
            EventKind::Custom { call, attempt, value } => {
                let Some(scope) = self.scopes.get(call) else { return };
                self.written.note(call, scope, Mode::Custom);
                let value = AnyValue::new(value, "custom event");
                sheet.show_at(Mode::Custom, &scope.run, &scope.writes_at, || StreamData::Custom {
                    call,
                    attempt,
                    value,
                });
            }
            EventKind::Message { call, attempt, value, metadata } => {
                let Some(scope) = self.scopes.get(call) else { return };
                self.written.note(call, scope, Mode::Messages);
                let value = AnyValue::new(value, "message");
                let metadata = AnyValue::new(metadata, "metadata of a message");
                sheet.show_at(Mode::Messages, &scope.run, &scope.writes_at, || {
                    StreamData::Message { call, attempt, value, metadata }
                });
            }
            EventKind::Reset { call, attempt } => self.reset(call, attempt, sheet),
            EventKind::Checkpointed { .. } => self.completed(checkpoint, sheet),
            EventKind::Stepped {
                body,
                checkpoint,
                parent,
                source,
                step,
                values,
                changed,
                tasks,
                pause,
                ..
            } => {
                let made = Boundary { checkpoint, parent, source, step, values, tasks };
                self.stepped(body, made, changed, pause, sheet);
            }
            EventKind::StoppedInStep(progress) => self.stopped = Some(progress),
            EventKind::RunEnded(outcome) => self.ended(outcome, sheet),
            _ => {}
        }
    }

    /// A body is run again.
    fn reset(&mut self, body: Option<CallId>, attempt: u32, sheet: &mut Sheet<'_>) {
        for (call, writer) in self.written.take(body) {
            let attempt = (call == body).then_some(attempt);
            for mode in writer.modes {
                let data = || StreamData::Reset { call, attempt };
                sheet.show_at(mode, &writer.run, &writer.writes_at, data);
            }
        }
    }

    fn started(&mut self, started: Started, checkpoint: Option<Checkpoint>, sheet: &mut Sheet<'_>) {
        let Started { entrypoint, root, continues, before } = started;
        let step = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.step + 1);
        let run = self.scopes.begin(root, entrypoint, step, self.kept_parent);
        began(sheet, &run);
        self.held.is_expected = continues;
        // A checkpoint that is gone, with a thread that was deleted or of a run that kept none.
        let Some(mut checkpoint) = checkpoint else { return };
        checkpoint.parent = run.shown_parent(checkpoint.parent);
        if !checkpoint.tasks.is_empty() {
            self.graph_started(&run, checkpoint, continues, &before, sheet);
            return;
        }
        if continues {
            let value = value_of(&run, checkpoint.values.clone());
            sheet.show(Mode::Values, &run, || StreamData::Value(value));
        }
        let input = checkpoint.input.take();
        let shown = Shown::from(checkpoint);
        self.metadata = shown.metadata.clone();
        sheet.show_checkpoint(shown.step, &run, || {
            snapshot(match input {
                Some(_) => shown.with_entrypoint(before),
                None => shown.at_rest(),
            })
        });
        if let Some(input) = input {
            call_started(sheet, &run, run.call, &run.name, input);
        }
    }

    fn called(
        &mut self,
        run: &Run,
        child: Option<&ChildStart>,
        call: CallId,
        name: &str,
        input: Payload,
        sheet: &mut Sheet<'_>,
    ) {
        if let Some(child) = child.filter(|child| child.is_graph) {
            self.graph_called(run, child, sheet);
            return;
        }
        let kept = child.filter(|child| child.history != History::Off);
        if let Some(child) = kept.filter(|child| has_completed(child)) {
            let value = child.before.result.clone().unwrap_or_default();
            self.child_ended(run, value, sheet);
            return;
        }
        if run.call == call {
            began(sheet, run);
        }
        if let Some(child) = kept {
            if child.continues {
                let value = value_of(run, child.values.clone());
                sheet.show(Mode::Values, run, || StreamData::Value(value));
            }
            let at = sheet.at;
            sheet.show_checkpoint(child.step, run, || {
                let begun = ChildCheckpoint {
                    id: child.checkpoint,
                    parent: child.parent,
                    source: Source::Input,
                    step: child.step,
                    values: child.values.clone(),
                    progress: Some(child.before.clone()),
                };
                self.child_snapshot(run, begun, at)
            });
        }
        call_started(sheet, run, call, name, input);
    }

    fn updated(
        &mut self,
        call: CallId,
        name: &str,
        value: Payload,
        is_cached: bool,
        sheet: &mut Sheet<'_>,
    ) {
        let Some(scope) = self.scopes.close(call) else { return };
        let run = &*scope.run;
        let result = AnyValue::new(value.clone(), format!("result of `{name}`"));
        if run.call == call && scope.is_graph {
            if run.depth > 0 {
                ended_child(sheet, run, || TaskEnd::Result(result));
            }
            return;
        }
        sheet.show(Mode::Updates, run, || StreamData::Update {
            id: call,
            name: name.to_owned(),
            value: result.clone(),
            cached: is_cached,
        });
        if !is_cached {
            finished(sheet, run, call, name, || TaskEnd::Result(result));
        }
        if run.call == call {
            match run.depth {
                0 => self.result = Some(value),
                _ => {
                    self.child_ended(run, value.clone(), sheet);
                    let result = || AnyValue::new(value, format!("result of `{name}`"));
                    ended_child(sheet, run, || TaskEnd::Result(result()));
                }
            }
        }
    }

    /// A child entrypoint has its result.
    fn child_ended(&self, run: &Run, value: Payload, sheet: &mut Sheet<'_>) {
        sheet.show(Mode::Values, run, || StreamData::Value(value_of(run, value.clone())));
        let Some(begun) = run.checkpoint else { return };
        let at = sheet.at;
        sheet.show_checkpoint(run.step, run, || {
            let ended = ChildCheckpoint {
                id: CheckpointId::of_child(run.call, 1),
                parent: Some(begun),
                source: Source::Loop,
                step: run.step,
                values: value,
                progress: None,
            };
            self.child_snapshot(run, ended, at)
        });
    }

    fn child_snapshot(&self, run: &Run, made: ChildCheckpoint, at: Millis) -> StreamData {
        let shown = Shown {
            checkpoint: made.id,
            parent: run.shown_parent(made.parent),
            created_at: at,
            source: made.source,
            step: made.step,
            run: self.reader.run(),
            entrypoint: run.name.clone(),
            values: made.values,
            metadata: self.metadata.clone(),
        };
        snapshot(match made.progress {
            Some(progress) => shown.with_entrypoint(progress),
            None => shown.at_rest(),
        })
    }

    /// The run has its result, and the checkpoint of it was made.
    fn completed(&mut self, checkpoint: Option<Checkpoint>, sheet: &mut Sheet<'_>) {
        self.show_result(sheet);
        if let (Some(mut checkpoint), Some(run)) = (checkpoint, self.scopes.root()) {
            checkpoint.parent = run.shown_parent(checkpoint.parent);
            let step = checkpoint.step;
            sheet.show_checkpoint(step, run, || snapshot(Shown::from(checkpoint).at_rest()));
        }
    }

    fn show_result(&mut self, sheet: &mut Sheet<'_>) {
        if let (Some(result), Some(run)) = (self.result.take(), self.scopes.root()) {
            sheet.show(Mode::Values, run, || StreamData::Value(value_of(run, result)));
        }
    }

    fn ended(&mut self, outcome: RunOutcome, sheet: &mut Sheet<'_>) {
        match &outcome {
            RunOutcome::Done(_) => {
                self.show_result(sheet);
                self.show_pause(sheet);
            }
            RunOutcome::Interrupted(asked) => {
                self.interrupted(asked, sheet);
                self.show_stopped(sheet);
                // A graph that the entrypoint calls came to a breakpoint.
                if let Some(run) = self.scopes.root().filter(|_| asked.is_empty()) {
                    sheet.show(Mode::Updates, run, || StreamData::Interrupts(Vec::new()));
                }
            }
            RunOutcome::Failed(failure) => self.failed(failure, sheet),
            _ => {}
        }
        sheet.show_of_run(Mode::Lifecycle, || StreamData::RunEnded(Box::new(outcome.clone())));
        self.end = conclude(self.reader.run(), outcome, None).map(drop);
    }

    /// Each level shows its questions, from the inside out.
    fn interrupted(&self, asked: &[Interrupt], sheet: &mut Sheet<'_>) {
        let all = OpenInterrupt::all(asked.to_vec());
        for Waiting { run, tasks } in self.scopes.waiting(asked) {
            let mut of_run = Vec::new();
            for Asking { node, places } in tasks {
                let open = places.into_iter().filter_map(|place| all.get(place).cloned());
                let open: Vec<_> = open.collect();
                match (node, self.scopes.graph(&run)) {
                    (Some((call, node)), Some(graph)) => {
                        let value = value_of(&run, graph.values.clone());
                        node_waits(sheet, &run, call, &node, &open, value);
                    }
                    (_, Some(_)) => {}
                    (_, None) => waits(sheet, &run, &open),
                }
                of_run.extend(open);
            }
            if run.depth > 0 {
                ended_child(sheet, &run, || TaskEnd::Interrupted(of_run));
            }
        }
    }

    /// The end of the entrypoint, which has no event of its own but for a result.
    fn failed(&self, failure: &Failure, sheet: &mut Sheet<'_>) {
        let Some(run) = self.scopes.root() else { return };
        match self.scopes.graph(run) {
            // Its nodes have shown theirs.
            Some(_) => sheet.leave_out_task(),
            None => finished(sheet, run, run.call, &run.name, || TaskEnd::Failed(failure.clone())),
        }
    }
}

/// How a run began.
struct Started {
    entrypoint: String,
    root: CallId,
    continues: bool,
    before: Progress,
}

/// A checkpoint of a child entrypoint.
struct ChildCheckpoint {
    id: CheckpointId,
    parent: Option<CheckpointId>,
    source: Source,
    step: i64,
    values: Payload,
    progress: Option<Progress>,
}

/// An entrypoint began: that of the run, or a child.
fn began(sheet: &mut Sheet<'_>, run: &Run) {
    sheet.show(Mode::Lifecycle, run, || StreamData::Began { id: run.call, name: run.name.clone() });
}

fn ended_child(sheet: &mut Sheet<'_>, run: &Run, end: impl FnOnce() -> TaskEnd) {
    sheet.show(Mode::Lifecycle, run, || StreamData::Ended {
        id: run.call,
        name: run.name.clone(),
        end: end(),
    });
}

fn call_started(sheet: &mut Sheet<'_>, run: &Run, id: CallId, name: &str, input: Payload) {
    sheet.show_task(DebugKind::Task, run, || {
        let input = AnyValue::new(input, format!("input of `{name}`"));
        StreamData::TaskStarted { id, name: name.to_owned(), input }
    });
}

fn finished(
    sheet: &mut Sheet<'_>,
    run: &Run,
    id: CallId,
    name: &str,
    end: impl FnOnce() -> TaskEnd,
) {
    sheet.show_task(DebugKind::TaskResult, run, || StreamData::TaskFinished {
        id,
        name: name.to_owned(),
        end: end(),
    });
}

fn waits(sheet: &mut Sheet<'_>, run: &Run, open: &[OpenInterrupt]) {
    for mode in [Mode::Updates, Mode::Values] {
        sheet.show(mode, run, || StreamData::Interrupts(open.to_vec()));
    }
    finished(sheet, run, run.call, &run.name, || TaskEnd::Interrupted(open.to_vec()));
}

fn snapshot(state: StateSnapshot) -> StreamData {
    StreamData::Checkpoint(Box::new(state))
}

fn value_of(run: &Run, value: Payload) -> AnyValue {
    AnyValue::new(value, format!("value of entrypoint `{}`", run.name))
}
