//! Edits of the state of graphs, made by their code.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkpoint::{Checkpoint, Progress, Source};
use crate::event::{Interrupt, Refusal};
use crate::graph::{GraphChange, GraphEdit, GraphProgress, StepView, TaskResult, TaskView};
use crate::header::ThreadStatus;
use crate::ids::{CallId, CheckpointId, Millis};
use crate::journal::{Entry, Fact, Stepped};
use crate::message::UpdateAs;
use crate::payload::Payload;
use crate::thread::behind::Behind;
use crate::thread::commands::{Beginning, Origin, Request};
use crate::thread::graphs::{Edited, edit_caught};
use crate::thread::index::JournalIndex;
use crate::thread::{State, ThreadMachine, index};

/// Updates of a graph, and the nodes in whose name they are made.
pub(super) struct GraphUpdate {
    pub(super) kind: UpdateAs,
    pub(super) updates: Vec<(Payload, Option<String>)>,
}

impl ThreadMachine {
    /// Edits the state of the graph that is the root: makes a checkpoint in which what the edit
    /// leads to is left to be done.
    pub(super) fn update_graph(
        &mut self,
        now: Millis,
        request: &Request,
        entrypoint: String,
        update: GraphUpdate,
    ) -> Result<CheckpointId, Refusal> {
        let GraphUpdate { kind, updates } = update;
        let origin = self.origin(request.at.as_deref());
        // What is recorded of the step counts only where the thread is ended as it is.
        let results = match (&request.at, &kind) {
            (None, UpdateAs::End) => self.root_results(),
            _ => Vec::new(),
        };
        let edit = GraphEdit {
            run: Some(request.run),
            previous: origin.previous.clone(),
            values: origin.values.clone(),
            results,
            change: GraphChange::Update { kind, updates },
        };
        let edited = edit_caught(&*self.setup.program, &entrypoint, &edit)?;
        let Edited { saved, values, result: _, tasks, wrote } = edited;
        self.show_written(request.at.as_deref(), &wrote);
        let origin = Origin { previous: Some(saved), values, ..origin };
        if tasks.is_empty() {
            return Ok(self.finish_at(now, request, origin, Source::Update, entrypoint));
        }
        let beginning = Beginning {
            entrypoint,
            input: Payload::NULL,
            source: Source::Update,
            answer: None,
            goes_on: true,
            tasks,
        };
        Ok(self.make_ready(now, request, origin, beginning))
    }

    /// Edits a graph that is a pending task: it makes a step there, and goes on behind it in the
    /// next run.
    pub(super) fn update_child_graph(
        &mut self,
        now: Millis,
        request: &Request,
        path: &[String],
        update: GraphUpdate,
    ) -> Result<CheckpointId, Refusal> {
        let State::Resting { journal, .. } = &self.state else { return Err(self.busy()) };
        if !index::stands_at_last_stop(journal) {
            return Err(no_such_stop(path));
        }
        let mut progress = index::last_progress(journal);
        let graph = progress.graph.as_deref_mut().ok_or_else(|| no_such_task(path))?;
        let call = pending_graph(graph, path).ok_or_else(|| no_such_task(path))?;
        let child = graph.children.iter_mut().find(|child| child.call == call);
        let child = child.ok_or_else(|| no_such_task(path))?;
        let last = child.checkpoints.last_mut().ok_or_else(|| no_such_task(path))?;
        let GraphUpdate { kind, updates } = update;
        let edit = GraphEdit {
            run: Some(request.run),
            previous: last.saved.clone(),
            values: last.values.clone(),
            results: match kind {
                UpdateAs::End => results_of(&child.view, journal),
                _ => Vec::new(),
            },
            change: GraphChange::Update { kind, updates },
        };
        let edited = edit_caught(&*self.setup.program, &last.entrypoint, &edit)?;
        let Edited { saved, values, result, tasks, wrote } = edited;
        write_results(&mut child.view.tasks, &wrote);
        let ended = GraphProgress::of_tasks(std::mem::take(&mut child.view.tasks));
        last.progress.graph = Some(Box::new(ended));
        let attempt = JournalIndex::new(journal).last_attempt(call).map_or(1, |last| last.number);
        let checkpoint = Checkpoint {
            id: CheckpointId::of_child(call, attempt + 1),
            parent: Some(last.id),
            created_at: now,
            source: Source::Update,
            step: last.step + 1,
            run: request.run,
            values,
            saved: Some(saved),
            input: Some(Payload::NULL),
            goes_on: true,
            tasks,
            progress: Progress::default(),
            metadata: request.settings.config.scalars(),
            ..last.clone()
        };
        let made = checkpoint.id;
        let stepped = Stepped {
            body: call,
            attempt: attempt + 1,
            abandoned: asking_under(&progress.interrupts, call),
            progress: last.progress.clone(),
            checkpoint: checkpoint.clone(),
            carried: None,
            steps: 0,
            pause: true,
            is_last: false,
        };
        child.view = StepView::planned(&checkpoint, result);
        child.checkpoints.push(checkpoint);
        let fact = Fact::Stepped(Box::new(stepped));
        self.write_again(progress, Some(Entry { at: now, fact }));
        Ok(made)
    }

    /// Replaces what the journal says that the execution had come to, and adds an entry.
    fn write_again(&mut self, progress: Progress, added: Option<Entry>) {
        self.turn.drop_journal();
        self.behind = Behind::default();
        self.write_step(progress, added);
    }

    /// Writes the step that the thread rests in, with this as what it had come to.
    pub(super) fn write_step(&mut self, progress: Progress, added: Option<Entry>) {
        let State::Resting { journal, .. } = &mut self.state else { return };
        let stopped = journal.iter_mut().rev().find_map(|entry| match &mut entry.fact {
            Fact::RunStopped { progress, .. } => Some(progress),
            _ => None,
        });
        if let Some(stopped) = stopped {
            *stopped = progress.clone();
        }
        journal.extend(added);
        for entry in journal.iter() {
            self.turn.append(entry.clone());
        }
        let first = journal.first().cloned();
        if let Some(Entry { at, fact: Fact::Began(began) }) = first {
            let checkpoint = self.checkpoint_of(&began, at, progress);
            self.turn.put_checkpoint(checkpoint);
        }
    }

    /// What is recorded of the step that the thread rests in.
    fn root_results(&self) -> Vec<TaskResult> {
        let State::Resting { journal, .. } = &self.state else { return Vec::new() };
        let graph = index::last_progress(journal).graph;
        graph.map(|graph| results_of(&graph.view, journal)).unwrap_or_default()
    }

    /// The tasks of the checkpoint that was edited show what was written in their name.
    fn show_written(&mut self, at: Option<&Checkpoint>, wrote: &[(String, Payload)]) {
        let checkpoint = match (at, &self.state) {
            (Some(at), _) => Some(at.clone()),
            (None, State::Resting { journal, .. }) => match journal.first() {
                Some(Entry { at, fact: Fact::Began(began) }) => {
                    let progress = index::step_progress(journal);
                    Some(self.checkpoint_of(began, *at, progress))
                }
                _ => None,
            },
            _ => None,
        };
        let Some(mut checkpoint) = checkpoint.filter(|one| !one.tasks.is_empty()) else { return };
        let tasks = checkpoint.tasks.clone();
        let mut shown = match checkpoint.progress.graph.take() {
            Some(graph) => graph.view.tasks,
            None => tasks.iter().map(TaskView::planned).collect(),
        };
        write_results(&mut shown, wrote);
        checkpoint.progress.graph = Some(Box::new(GraphProgress::of_tasks(shown)));
        self.turn.put_checkpoint(checkpoint);
    }

    /// Whether an open question belongs to a step that an edit has given up since: what answers
    /// it is for whatever the graph asks instead. Gives that graph.
    pub(super) fn edited_since_asked(&self, path: &[CallId]) -> Option<CallId> {
        let is_interrupted = self
            .header
            .as_ref()
            .is_some_and(|header| matches!(header.status, ThreadStatus::Interrupted(_)));
        let State::Resting { journal, .. } = &self.state else { return None };
        let stopped =
            journal.iter().rposition(|entry| matches!(entry.fact, Fact::RunStopped { .. }))?;
        let edited = journal[stopped..].iter().rev().find_map(|entry| match &entry.fact {
            Fact::Stepped(stepped) if path.contains(&stepped.body) => Some(stepped.body),
            _ => None,
        });
        edited.filter(|_| is_interrupted)
    }
}

fn no_such_task(path: &[String]) -> Refusal {
    let path = path.join("`, `");
    let reason = format!("no task that is a graph is pending at `{path}`");
    Refusal::InvalidUpdate { reason }
}

fn no_such_stop(path: &[String]) -> Refusal {
    let path = path.join("`, `");
    let reason = format!(
        "the last run did not tell how far the graph at `{path}` came: retry it first, or edit \
         the state of the thread itself"
    );
    Refusal::InvalidUpdate { reason }
}

/// The call of the pending task that these names lead to.
fn pending_graph(graph: &GraphProgress, path: &[String]) -> Option<CallId> {
    let mut view = &graph.view;
    let mut call = None;
    for name in path {
        let task = view.tasks.iter().find(|task| task.name == *name && task.result.is_none())?;
        call = task.call;
        view = &graph.children.iter().find(|child| Some(child.call) == call)?.view;
    }
    call
}

/// What the journal has of the tasks of a step.
fn results_of(view: &StepView, journal: &[Entry]) -> Vec<TaskResult> {
    let result_of = |call: CallId| {
        journal.iter().rev().find_map(|entry| match &entry.fact {
            Fact::Completed { delivery, value, .. } if delivery.call == call => Some(value.clone()),
            _ => None,
        })
    };
    let result = |task: &TaskView| {
        let result = task.call.and_then(result_of);
        // With a result of the handler, the failure of the node stands beside it.
        let is_handled = result.is_some() && task.failure.is_some();
        TaskResult { name: task.name.clone(), result, is_handled }
    };
    view.tasks.iter().map(result).collect()
}

/// The first update in the name of a node is shown at its first task, and so on. What a task
/// itself has written stays.
fn write_results(tasks: &mut [TaskView], wrote: &[(String, Payload)]) {
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, value) in wrote {
        let nth = taken.entry(name).or_default();
        let task = tasks.iter_mut().filter(|task| task.name == *name).nth(*nth);
        *nth += 1;
        if let Some(task) = task.filter(|task| task.result.is_none()) {
            task.result = Some(value.clone());
        }
    }
}

/// The bodies under a call that lead to open questions.
fn asking_under(open: &[Interrupt], call: CallId) -> Vec<CallId> {
    let under = |interrupt: &Interrupt| {
        let under = interrupt.path.iter().skip_while(|one| **one != call).skip(1);
        under.copied().collect::<Vec<_>>()
    };
    let asking: BTreeSet<_> = open.iter().flat_map(under).collect();
    asking.into_iter().collect()
}
