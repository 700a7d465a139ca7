//! The step of a graph that starts at a checkpoint, as states and streams show it.

use rethread_core::checkpoint::Checkpoint;
use rethread_core::event::Interrupt;
use rethread_core::graph::{ChildGraph, GraphProgress, StepTask, StepView, TaskView};
use rethread_core::ids::CallId;
use rethread_core::payload::Payload;

use crate::outcome::OpenInterrupt;
use crate::state::{Shown, StateSnapshot, TaskState};
use crate::value::AnyValue;

/// A step as it is shown.
pub(crate) struct Step {
    /// The nodes that it runs, or has still to run.
    pub(crate) next: Vec<String>,
    /// Its tasks.
    pub(crate) tasks: Vec<TaskState>,
}

/// How a step is looked at.
pub(crate) struct Look<'a> {
    /// Whether it is shown as it stands now, and not as a record.
    pub(crate) is_live: bool,
    /// Whether tasks that a command added to the step are shown.
    pub(crate) has_added: bool,
    /// Whether tasks that are graphs show their states.
    pub(crate) subgraphs: bool,
    /// The questions of the thread.
    pub(crate) asked: &'a [Interrupt],
}

impl Look<'_> {
    /// The step of the thread's graph that starts at a checkpoint.
    pub(crate) fn at_root(&self, checkpoint: &Checkpoint) -> Step {
        let graph = checkpoint.progress.graph.as_deref();
        let view = graph.map(|graph| &graph.view);
        let children = graph.map_or(&[][..], |graph| &graph.children);
        self.step(None, &checkpoint.tasks, view, children)
    }

    /// The step of a graph: what was planned, and what came of it if it has begun. `body` is the
    /// call of the graph; none for that of the thread.
    pub(crate) fn step(
        &self,
        body: Option<CallId>,
        planned: &[StepTask],
        view: Option<&StepView>,
        children: &[ChildGraph],
    ) -> Step {
        let tasks: Vec<_> = match view.filter(|view| has_begun(view)) {
            Some(view) => {
                let wanted = view.tasks.iter().filter(|task| self.has_added || !task.added);
                wanted.map(|task| self.task(body, task, children)).collect()
            }
            None => {
                let wanted = planned.iter().filter(|task| self.has_added || !task.added);
                wanted.map(|task| untouched(&task.name)).collect()
            }
        };
        // Tasks that all have results, which cannot be put together, are to be run again.
        let is_stuck = tasks.iter().all(|task| task.result.is_some());
        let is_next = |task: &&TaskState| !self.is_live || is_stuck || task.result.is_none();
        let next = tasks.iter().filter(is_next).map(|task| task.name.clone()).collect();
        Step { next, tasks }
    }

    fn task(&self, body: Option<CallId>, task: &TaskView, children: &[ChildGraph]) -> TaskState {
        let is_answered = self.is_live && task.result.is_some();
        let is_its = |one: &&Interrupt| task.call.is_some() && asker(one, body) == task.call;
        let asked = self.asked.iter().filter(is_its).filter(|_| !is_answered);
        let child = task.call.filter(|_| self.subgraphs).and_then(|call| of_call(children, call));
        TaskState {
            name: task.name.clone(),
            id: task.call,
            error: task.failure.clone(),
            interrupts: OpenInterrupt::all(asked.cloned().collect()),
            result: task
                .result
                .clone()
                .map(|result| AnyValue::new(result, format!("result of node `{}`", task.name))),
            state: child.and_then(|child| self.child(child, children)).map(Box::new),
        }
    }

    /// The state of a graph that runs as a task.
    pub(crate) fn child(
        &self,
        child: &ChildGraph,
        children: &[ChildGraph],
    ) -> Option<StateSnapshot> {
        let head = child.checkpoints.last().cloned()?;
        let step = self.step(Some(child.call), &head.tasks, Some(&child.view), children);
        let values = live_values(&head, &child.view);
        Some(Shown::from(Checkpoint { values, ..head }).with_step(step, None))
    }
}

/// The values at a checkpoint with the updates of the tasks that have ended since.
pub(crate) fn live_values(checkpoint: &Checkpoint, view: &StepView) -> Payload {
    match has_begun(view) {
        true => view.values.clone(),
        false => checkpoint.values.clone(),
    }
}

/// Whether there is anything to be seen. What has no tasks has ended, or pauses before it begins.
fn has_begun(view: &StepView) -> bool {
    !view.tasks.is_empty()
}

/// The task of a graph that a question comes from. `body` is the call of the graph; none for that
/// of the thread.
pub(crate) fn asker(interrupt: &Interrupt, body: Option<CallId>) -> Option<CallId> {
    let mut path = interrupt.path.iter();
    if let Some(body) = body {
        path.find(|call| **call == body)?;
    }
    path.next().copied()
}

/// The graph that the names of tasks lead to, each in the graph that the ones before it lead to.
pub(crate) fn find_child<'a>(
    progress: &'a GraphProgress,
    path: &[String],
) -> Option<&'a ChildGraph> {
    let mut view = &progress.view;
    let mut found = None;
    for name in path {
        let named = view.tasks.iter().filter(|task| task.name == *name);
        let child = named.filter_map(|task| of_call(&progress.children, task.call?)).next()?;
        view = &child.view;
        found = Some(child);
    }
    found
}

fn of_call(children: &[ChildGraph], call: CallId) -> Option<&ChildGraph> {
    children.iter().find(|child| child.call == call)
}

/// A task of which nothing is known yet.
fn untouched(name: &str) -> TaskState {
    TaskState {
        name: name.to_owned(),
        id: None,
        error: None,
        interrupts: Vec::new(),
        result: None,
        state: None,
    }
}
