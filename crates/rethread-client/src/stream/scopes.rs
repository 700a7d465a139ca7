//! Who called whom in a run, as far as it still matters.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use rethread_core::event::{ChildStart, Interrupt};
use rethread_core::ids::{CallId, CallKind, CheckpointId};
use rethread_core::policy::History;

/// A path of callers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ns(Arc<[String]>);

impl Ns {
    pub(super) fn to_vec(&self) -> Vec<String> {
        self.0.to_vec()
    }

    fn with(&self, more: impl IntoIterator<Item = String>) -> Self {
        Self(self.0.iter().cloned().chain(more).collect())
    }
}

/// One execution of an entrypoint: the root's or a child's. Its tasks belong to it.
#[derive(Debug)]
pub(super) struct Run {
    /// The call of the entrypoint.
    pub(super) call: CallId,
    /// The entrypoint.
    pub(super) name: String,
    /// The path of its events.
    pub(super) ns: Ns,
    /// How many entrypoints enclose it.
    pub(super) depth: usize,
    /// The step that it makes.
    pub(super) step: i64,
    /// For a child that shows checkpoints: the one that its input made.
    pub(super) checkpoint: Option<CheckpointId>,
    /// The run of the entrypoint that it is called in.
    parent: Option<Arc<Run>>,
}

impl Run {
    /// Whether it is the run of this call, or one in it.
    pub(super) fn is_within(&self, call: CallId) -> bool {
        let mut runs = std::iter::successors(Some(self), |run| run.parent.as_deref());
        runs.any(|run| run.call == call)
    }
}

/// The scope of one body.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// The run that its events belong to.
    pub(super) run: Arc<Run>,
    /// The path of what it writes: that of its caller.
    pub(super) writes_at: Ns,
    /// The path of what it calls.
    path: Ns,
    /// How many child entrypoints it has called.
    children: usize,
}

/// A call that was made.
pub(super) struct Made<'a> {
    pub(super) call: CallId,
    pub(super) scope: CallId,
    pub(super) kind: CallKind,
    pub(super) name: &'a str,
    pub(super) child: Option<&'a ChildStart>,
}

/// The scopes of the bodies that have not shown their end.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    root: Option<CallId>,
    open: BTreeMap<CallId, Scope>,
}

impl Scopes {
    /// The entrypoint of the run began.
    pub(super) fn begin(&mut self, call: CallId, name: String, step: i64) -> Arc<Run> {
        let path = Ns::default().with([segment(&name, call)]);
        let ns = Ns::default();
        let run =
            Run { call, name, ns: ns.clone(), depth: 0, step, checkpoint: None, parent: None };
        let run = Arc::new(run);
        let scope = Scope { run: Arc::clone(&run), writes_at: ns, path, children: 0 };
        self.root = Some(call);
        self.open.insert(call, scope);
        run
    }

    /// A body made a call; gives the run that its events belong to.
    pub(super) fn open(&mut self, made: &Made<'_>) -> Option<Arc<Run>> {
        let scope = self.open.get_mut(&made.scope)?;
        let (run, writes_at) = match made.kind {
            CallKind::Entrypoint => {
                let run = Arc::new(child_of(scope, made));
                scope.children += 1;
                let ns = run.ns.clone();
                (run, ns)
            }
            _ => (Arc::clone(&scope.run), scope.path.clone()),
        };
        let path = writes_at.with([segment(made.name, made.call)]);
        let opened = Scope { run: Arc::clone(&run), writes_at, path, children: 0 };
        // What completed in an earlier run makes no calls and has no end in this one.
        if !made.child.is_some_and(has_completed) {
            self.open.insert(made.call, opened);
        }
        Some(run)
    }

    /// A call ended; gives its scope.
    pub(super) fn close(&mut self, call: CallId) -> Option<Scope> {
        match self.root == Some(call) {
            // Tasks that its body dropped may still run.
            true => self.open.get(&call).cloned(),
            false => self.open.remove(&call),
        }
    }

    /// The scope of a body; none stands for that of the root.
    pub(super) fn get(&self, call: Option<CallId>) -> Option<&Scope> {
        self.open.get(&call.or(self.root)?)
    }

    /// The run itself.
    pub(super) fn root(&self) -> Option<&Arc<Run>> {
        self.get(None).map(|scope| &scope.run)
    }

    /// The child entrypoints that wait for answers, the innermost first, each with the places of
    /// its questions in `asked`.
    pub(super) fn waiting(&self, asked: &[Interrupt]) -> Vec<(Arc<Run>, Vec<usize>)> {
        let mut waiting: Vec<(Arc<Run>, Vec<usize>)> = Vec::new();
        for (place, interrupt) in asked.iter().enumerate() {
            for run in interrupt.path.iter().filter_map(|body| self.child(*body)) {
                match waiting.iter_mut().find(|(known, _)| known.call == run.call) {
                    Some((_, places)) => places.push(place),
                    None => waiting.push((Arc::clone(run), vec![place])),
                }
            }
        }
        waiting.sort_by_key(|(run, _)| Reverse(run.depth));
        waiting
    }

    /// The run of a child entrypoint; none for a task's call.
    fn child(&self, call: CallId) -> Option<&Arc<Run>> {
        self.open.get(&call).map(|scope| &scope.run).filter(|run| run.call == call)
    }
}

/// Whether a child entrypoint completed in an earlier run of the execution.
pub(super) fn has_completed(child: &ChildStart) -> bool {
    child.continues && child.before.result.is_some()
}

fn child_of(caller: &Scope, made: &Made<'_>) -> Run {
    let number = (caller.children > 0).then(|| caller.children.to_string());
    let ns = match made.child {
        // A history of its own is kept under the names of the callers.
        Some(child) if child.history == History::Thread => {
            Ns::default().with(child.place.iter().cloned())
        }
        _ => caller.path.with(number),
    };
    let kept = made.child.filter(|child| child.history != History::Off);
    Run {
        call: made.call,
        name: made.name.to_owned(),
        ns,
        depth: caller.run.depth + 1,
        step: kept.map_or(0, |child| child.step + 1),
        checkpoint: kept.map(|child| child.checkpoint),
        parent: Some(Arc::clone(&caller.run)),
    }
}

fn segment(name: &str, call: CallId) -> String {
    format!("{name}:{call}")
}
