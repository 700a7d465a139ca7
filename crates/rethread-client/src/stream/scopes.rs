//! Who called whom in a run, as far as it still matters.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use rethread_core::event::{ChildStart, Interrupt};
use rethread_core::graph::Node;
use rethread_core::ids::{CallId, CallKind, CheckpointId};
use rethread_core::payload::Payload;
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

    /// The names without the calls.
    fn names(&self) -> Self {
        let name = |segment: &String| match segment.rsplit_once(':') {
            Some((name, _)) => name.to_owned(),
            None => segment.clone(),
        };
        Self(self.0.iter().map(name).collect())
    }
}

/// One execution of an entrypoint: the root's or a child's. Its tasks belong to it.
#[derive(Debug, Clone)]
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
    /// For a graph within another: the fields that are shown, if those are not all.
    pub(super) outputs: Option<Vec<String>>,
    /// What all its checkpoints show as their parent, if only its last one is kept.
    pub(super) kept_parent: Option<Option<CheckpointId>>,
    /// The run of the entrypoint that it is called in.
    parent: Option<Arc<Run>>,
}

impl Run {
    /// Whether it is the run of this call, or one in it.
    pub(super) fn is_within(&self, call: CallId) -> bool {
        let mut runs = std::iter::successors(Some(self), |run| run.parent.as_deref());
        runs.any(|run| run.call == call)
    }

    /// The parent that a checkpoint of it shows. As in LangGraph, those of a run that keeps its last
    /// one only show the parent of the one that it began at.
    pub(super) fn shown_parent(&self, parent: Option<CheckpointId>) -> Option<CheckpointId> {
        self.kept_parent.unwrap_or(parent)
    }

    /// The run that it is called in.
    pub(super) fn parent(&self) -> Option<&Arc<Self>> {
        self.parent.as_ref()
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
    /// The node of a graph that it is, if it is one.
    pub(super) node: Option<Arc<Node>>,
    /// Whether it is a task or an entrypoint.
    pub(super) kind: CallKind,
    /// Whether it is the body of a graph.
    pub(super) is_graph: bool,
}

/// What is known of a graph that runs.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// Its values at the beginning of the step in progress.
    pub(super) values: Payload,
    /// Whether it pauses before that step.
    pub(super) pauses: bool,
}

/// A run that waits for answers.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) run: Arc<Run>,
    pub(super) tasks: Vec<Asking>,
}

/// What of a run asks: the entrypoint itself, or one node of a graph.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) node: Option<(CallId, Arc<Node>)>,
    /// The places of its questions.
    pub(super) places: Vec<usize>,
}

impl Asking {
    fn call(&self) -> Option<CallId> {
        self.node.as_ref().map(|(call, _)| *call)
    }
}

/// A call that was made.
pub(super) struct Made<'a> {
    pub(super) call: CallId,
    pub(super) scope: CallId,
    pub(super) kind: CallKind,
    pub(super) name: &'a str,
    pub(super) child: Option<&'a ChildStart>,
    pub(super) node: Option<&'a Arc<Node>>,
}

/// The scopes of the bodies that have not shown their end.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    root: Option<CallId>,
    open: BTreeMap<CallId, Scope>,
    /// The graphs among the runs, by their calls.
    graphs: BTreeMap<CallId, Graph>,
}

impl Scopes {
    /// The entrypoint of the run began.
    pub(super) fn begin(
        &mut self,
        call: CallId,
        name: String,
        step: i64,
        kept_parent: Option<Option<CheckpointId>>,
    ) -> Arc<Run> {
        let path = Ns::default().with([segment(&name, call)]);
        let ns = Ns::default();
        let run = Arc::new(Run {
            call,
            name,
            ns: ns.clone(),
            depth: 0,
            step,
            checkpoint: None,
            outputs: None,
            kept_parent,
            parent: None,
        });
        let scope = Scope {
            run: Arc::clone(&run),
            writes_at: ns,
            path,
            children: 0,
            node: None,
            kind: CallKind::Entrypoint,
            is_graph: false,
        };
        self.root = Some(call);
        self.open.insert(call, scope);
        run
    }

    /// A body made a call; gives the run that its events belong to.
    pub(super) fn open(&mut self, made: &Made<'_>) -> Option<Arc<Run>> {
        let scope = self.open.get_mut(&made.scope)?;
        if made.node.is_some() {
            self.graphs.entry(scope.run.call).or_default();
        }
        let is_over = made.child.is_some_and(has_completed);
        let (run, writes_at) = match (made.kind, made.node) {
            // Of a node that ended in an earlier run only its update is shown.
            (CallKind::Entrypoint, node) if node.is_none() || !is_over => {
                let run = Arc::new(child_of(scope, made));
                scope.children += 1;
                let ns = run.ns.clone();
                (run, ns)
            }
            // Nodes stand beside their graph, not below it.
            (_, Some(_)) => (Arc::clone(&scope.run), scope.run.ns.clone()),
            (_, None) => (Arc::clone(&scope.run), scope.path.clone()),
        };
        let path = writes_at.with([segment(made.name(), made.call)]);
        let opened = Scope {
            run: Arc::clone(&run),
            writes_at,
            path,
            children: 0,
            node: made.node.cloned(),
            kind: made.kind,
            is_graph: made.child.is_some_and(|child| child.is_graph),
        };
        // What completed in an earlier run makes no calls and has no end in this one.
        if made.node.is_some() || !is_over {
            self.open.insert(made.call, opened);
        }
        Some(run)
    }

    /// A graph stands at the beginning of a step.
    pub(super) fn at_step(&mut self, graph: CallId, now: Graph) {
        self.graphs.insert(graph, now);
    }

    /// A graph made a step: its tasks belong to the next one from here on.
    pub(super) fn step(&mut self, body: Option<CallId>, step: i64) -> Option<Arc<Run>> {
        let scope = self.open.get_mut(&body.or(self.root)?)?;
        scope.run = Arc::new(Run { step: step + 1, ..Run::clone(&scope.run) });
        Some(Arc::clone(&scope.run))
    }

    /// The same, to be changed.
    pub(super) fn graph_mut(&mut self, run: &Run) -> Option<&mut Graph> {
        self.graphs.get_mut(&run.call)
    }

    /// What is known of a run, if it is a graph.
    pub(super) fn graph(&self, run: &Run) -> Option<&Graph> {
        self.graphs.get(&run.call)
    }

    /// A call ended; gives its scope.
    pub(super) fn close(&mut self, call: CallId) -> Option<Scope> {
        match self.root == Some(call) {
            // Tasks that its body dropped may still run.
            true => self.open.get(&call).cloned(),
            false => {
                self.graphs.remove(&call);
                self.open.remove(&call)
            }
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

    /// The runs that wait for answers, the innermost first, with the places of their questions in
    /// `asked`.
    pub(super) fn waiting(&self, asked: &[Interrupt]) -> Vec<Waiting> {
        let mut waiting: Vec<Waiting> = Vec::new();
        let Some(root) = self.root() else { return waiting };
        for (place, interrupt) in asked.iter().enumerate() {
            let below = interrupt.path.iter().enumerate();
            let children = below
                .filter_map(|(nth, call)| Some((self.child(*call)?, &interrupt.path[nth + 1..])));
            for (run, path) in [(root, &interrupt.path[..])].into_iter().chain(children) {
                let node = match self.graph(run) {
                    Some(_) => path.first().and_then(|call| self.node(*call)),
                    None => None,
                };
                let known = waiting.iter().position(|one| one.run.call == run.call);
                let known = known.unwrap_or_else(|| {
                    waiting.push(Waiting { run: Arc::clone(run), tasks: Vec::new() });
                    waiting.len() - 1
                });
                let tasks = &mut waiting[known].tasks;
                let call = node.as_ref().map(|(call, _)| *call);
                match tasks.iter_mut().find(|asking| asking.call() == call) {
                    Some(asking) => asking.places.push(place),
                    None => tasks.push(Asking { node, places: vec![place] }),
                }
            }
        }
        waiting.sort_by_key(|one| Reverse(one.run.depth));
        waiting
    }

    /// The node that a call is.
    fn node(&self, call: CallId) -> Option<(CallId, Arc<Node>)> {
        Some((call, Arc::clone(self.open.get(&call)?.node.as_ref()?)))
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

impl Made<'_> {
    /// The name that it is shown under.
    fn name(&self) -> &str {
        self.node.map_or(self.name, |node| &node.name)
    }
}

fn child_of(caller: &Scope, made: &Made<'_>) -> Run {
    let number = (caller.children > 0).then(|| caller.children.to_string());
    let has_history = made.child.is_some_and(|child| child.history == History::Thread);
    let ns = match (made.child, made.node) {
        // A history of its own is kept under names only.
        (_, Some(node)) if has_history => caller.run.ns.names().with([node.name.clone()]),
        (Some(child), None) if has_history => Ns::default().with(child.place.iter().cloned()),
        (_, Some(_)) => caller.run.ns.with([segment(made.name(), made.call)]),
        (_, None) => caller.path.with(number),
    };
    let kept = made.child.filter(|child| child.history != History::Off);
    Run {
        call: made.call,
        name: made.name.to_owned(),
        ns,
        depth: caller.run.depth + 1,
        step: kept.map_or(0, |child| child.step + 1),
        checkpoint: kept.map(|child| child.checkpoint),
        outputs: made.child.and_then(|child| child.outputs.clone()),
        kept_parent: caller.run.kept_parent.and(kept.map(|child| child.parent)),
        parent: Some(Arc::clone(&caller.run)),
    }
}

fn segment(name: &str, call: CallId) -> String {
    format!("{name}:{call}")
}
