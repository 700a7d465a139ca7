use std::collections::{BTreeMap, BTreeSet};

use rethread_core::graph::{Destination, StepTask};
use rethread_core::payload::Payload;
use serde::{Deserialize, Serialize};

use crate::START;
use crate::topology::{Join, Topology};
use crate::values::Values;

/// Where a graph stands between two steps: its values, and what leads to the nodes of the next
/// step. This is what a checkpoint of a graph saves.
///
/// The marks that lead to nodes differ in how long they stay:
///
/// * *edges* and *sends* are for the next step only;
/// * *joins* remember their sources until their target has run, over the end of runs too;
/// * *late* nodes are deferred ones that were reached: they stay until they have run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    #[serde(rename = "v", with = "crate::values::saved")]
    pub(crate) values: Values,
    /// Nodes that edges, paths and commands lead to.
    #[serde(rename = "e", default, skip_serializing_if = "BTreeSet::is_empty")]
    edges: BTreeSet<String>,
    /// By the key of the join.
    #[serde(rename = "j", default, skip_serializing_if = "BTreeMap::is_empty")]
    joins: BTreeMap<String, Arrived>,
    /// Deferred nodes that were reached, and whether their time has come.
    #[serde(rename = "l", default, skip_serializing_if = "BTreeMap::is_empty")]
    late: BTreeMap<String, bool>,
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    sends: Vec<Sent>,
    /// The nodes of the last step that edges led to: in whose name an update is made that names
    /// nobody.
    #[serde(rename = "r", default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) ran: BTreeSet<String>,
    /// Nodes that a command started beside the step that was planned.
    #[serde(rename = "a", default, skip_serializing_if = "BTreeSet::is_empty")]
    added: BTreeSet<String>,
}

/// The sources of a join that have run since its target last ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Arrived {
    #[serde(rename = "s")]
    sources: BTreeSet<String>,
    /// For a deferred target: whether its time has come.
    #[serde(rename = "t", default, skip_serializing_if = "std::ops::Not::not")]
    its_time: bool,
}

/// One more task of a node, with an input of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    #[serde(rename = "n")]
    node: String,
    #[serde(rename = "i")]
    input: Payload,
    #[serde(rename = "a", default, skip_serializing_if = "std::ops::Not::not")]
    added: bool,
}

/// A task that the next step runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Planned {
    pub(crate) node: String,
    /// Of a sent one: its number among the sends, and its input.
    pub(crate) sent: Option<(usize, Payload)>,
    /// Whether a command started it beside the planned step.
    pub(crate) added: bool,
}

impl Planned {
    /// What tells its call from the others of the step.
    pub(crate) fn key(&self) -> String {
        match &self.sent {
            None => self.node.clone(),
            // No node has a colon in its name.
            Some((place, _)) => format!("{place}:{}", self.node),
        }
    }

    pub(crate) fn shown(&self) -> StepTask {
        StepTask { name: self.node.clone(), sent: self.sent.is_some(), added: self.added }
    }
}

/// A task that has ended: its node, and where it leads besides the node's edges.
#[derive(Debug, Clone)]
pub(crate) struct Ended<'a> {
    pub(crate) node: &'a str,
    pub(crate) was_sent: bool,
    pub(crate) goto: &'a [Destination],
    /// Whether the edges of the node are followed.
    pub(crate) follows_edges: bool,
}

impl Point {
    /// The point of a new thread.
    pub(crate) fn new(values: Values) -> Self {
        Self { values, ..Self::default() }
    }

    /// Nodes that it leads to and the graph does not have: its code has changed.
    pub(crate) fn strangers<'a>(&'a self, topology: &'a Topology) -> impl Iterator<Item = &'a str> {
        let sent = self.sends.iter().map(|sent| &sent.node);
        let led_to = sent.chain(&self.edges).chain(self.late.keys()).map(String::as_str);
        led_to.filter(|node| !topology.has(node))
    }

    /// The tasks of the next step: sent ones in the order of the sends, then nodes as they were
    /// added. This is the order of states; [`in_order_of_updates`] gives the other one.
    pub(crate) fn planned(&self, topology: &Topology) -> Vec<Planned> {
        let sent = self.sends.iter().enumerate().map(|(place, sent)| Planned {
            node: sent.node.clone(),
            sent: Some((place, sent.input.clone())),
            added: sent.added,
        });
        let reached = topology.nodes.iter().filter(|node| self.is_reached(topology, &node.name));
        let reached = reached.map(|node| Planned {
            node: node.name.clone(),
            sent: None,
            added: self.added.contains(&node.name),
        });
        sent.chain(reached).collect()
    }

    fn is_reached(&self, topology: &Topology, node: &str) -> bool {
        let mut joins = topology.joins.iter().filter(|join| join.target == node);
        self.edges.contains(node)
            || self.late.get(node).is_some_and(|its_time| *its_time)
            || joins.any(|join| self.is_full(topology, join))
    }

    /// Whether a join leads to its target now.
    fn is_full(&self, topology: &Topology, join: &Join) -> bool {
        let Some(arrived) = self.joins.get(&join.key()) else { return false };
        arrived.has_all(join) && (arrived.its_time || !topology.is_deferred(&join.target))
    }

    /// Ends a step: what led to its tasks is used up, and what they lead to is marked.
    pub(crate) fn end_step(&mut self, topology: &Topology, ended: &[Ended<'_>]) {
        self.use_up(topology, ended.iter().filter(|task| !task.was_sent).map(|task| task.node));
        let ran = ended.iter().filter(|task| !task.was_sent).map(|task| task.node.to_owned());
        let ran: BTreeSet<_> = ran.collect();
        if !ran.is_empty() {
            self.ran = ran;
        }
        self.lead_on(topology, ended);
    }

    /// Makes a step of updates from outside: what leads to tasks for the next step only is given
    /// up, and what the updates lead to is marked.
    pub(crate) fn update(&mut self, topology: &Topology, ended: &[Ended<'_>]) {
        self.end_marks_of_step();
        self.lead_on(topology, ended);
    }

    /// Gives up the step that was planned, for a new input.
    pub(crate) fn give_up_step(&mut self, topology: &Topology) {
        let planned = self.planned(topology);
        let reached = planned.iter().filter(|task| task.sent.is_none());
        self.use_up(topology, reached.map(|task| task.node.as_str()));
    }

    /// Marks nodes that a command starts in the step that is planned.
    pub(crate) fn start_beside(&mut self, topology: &Topology, goto: &[Destination]) {
        let planned: BTreeSet<String> = self
            .planned(topology)
            .into_iter()
            .filter(|task| task.sent.is_none())
            .map(|task| task.node)
            .collect();
        let sends = self.sends.len();
        for destination in goto {
            self.lead_to(topology, destination);
        }
        self.sends[sends..].iter_mut().for_each(|sent| sent.added = true);
        let now = self.planned(topology).into_iter().filter(|task| task.sent.is_none());
        let added = now.map(|task| task.node).filter(|node| !planned.contains(node));
        self.added.extend(added);
    }

    /// What led to tasks that have run is used up.
    fn use_up<'a>(&mut self, topology: &Topology, ran: impl Iterator<Item = &'a str>) {
        for node in ran {
            for join in topology.joins.iter().filter(|join| join.target == node) {
                if self.is_full(topology, join) {
                    self.joins.remove(&join.key());
                }
            }
            if self.late.get(node).is_some_and(|its_time| *its_time) {
                self.late.remove(node);
            }
        }
        self.end_marks_of_step();
    }

    fn end_marks_of_step(&mut self) {
        self.edges.clear();
        self.sends.clear();
        self.added.clear();
    }

    fn lead_on(&mut self, topology: &Topology, ended: &[Ended<'_>]) {
        let mut is_join_filled = false;
        for task in ended {
            for destination in task.goto {
                self.lead_to(topology, destination);
            }
            if !task.follows_edges {
                continue;
            }
            for target in topology.edges_from(task.node) {
                self.lead_to_node(topology, target);
            }
            for join in topology.joins.iter().filter(|join| join.has_source(task.node)) {
                let arrived = self.joins.entry(join.key()).or_default();
                let is_new = arrived.sources.insert(task.node.to_owned());
                is_join_filled |= is_new && self.is_full(topology, join);
            }
        }
        if self.edges.is_empty() && !is_join_filled {
            self.let_late_ones_run(topology);
        }
    }

    fn lead_to(&mut self, topology: &Topology, destination: &Destination) {
        match destination {
            Destination::Node(name) => self.lead_to_node(topology, name),
            Destination::Send { node, input } => {
                self.sends.push(Sent { node: node.clone(), input: input.clone(), added: false });
            }
        }
    }

    fn lead_to_node(&mut self, topology: &Topology, name: &str) {
        match topology.node(name) {
            Some(node) if node.is_deferred => drop(self.late.insert(name.to_owned(), false)),
            Some(_) => drop(self.edges.insert(name.to_owned())),
            // The end.
            None => {}
        }
    }

    /// Nothing else was reached by edges: the time of deferred nodes has come. Sent tasks do not
    /// keep them waiting.
    fn let_late_ones_run(&mut self, topology: &Topology) {
        self.late.values_mut().for_each(|its_time| *its_time = true);
        for join in topology.joins.iter().filter(|join| topology.is_deferred(&join.target)) {
            if let Some(arrived) = self.joins.get_mut(&join.key()) {
                arrived.its_time |= arrived.has_all(join);
            }
        }
    }
}

impl Join {
    fn has_source(&self, node: &str) -> bool {
        self.sources.iter().any(|source| source == node)
    }
}

impl Arrived {
    fn has_all(&self, join: &Join) -> bool {
        join.sources.iter().all(|source| self.sources.contains(source))
    }
}

/// Sorts tasks into the order in which their updates count: first those that edges lead to, by
/// the names of their nodes, then sent ones in the order of the sends.
pub(crate) fn in_order_of_updates<T>(tasks: &mut [T], planned: impl Fn(&T) -> &Planned) {
    tasks.sort_by(|a, b| {
        let key = |task: &Planned| match &task.sent {
            None => (0, task.node.clone()),
            Some((place, _)) => (place + 1, String::new()),
        };
        key(planned(a)).cmp(&key(planned(b)))
    });
}

/// What the step of the start is shown as.
pub(crate) fn start_task() -> StepTask {
    StepTask::new(START)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::TopologyNode;

    const GOTO: &[Destination] = &[];

    struct Graph {
        topology: Topology,
        point: Point,
    }

    impl Graph {
        fn new(nodes: &[&str], edges: &[(&str, &str)], joins: &[(&[&str], &str)]) -> Self {
            let mut topology = Topology::default();
            for name in nodes {
                let is_deferred = name.starts_with("late");
                topology.nodes.push(TopologyNode { name: (*name).to_owned(), is_deferred });
            }
            for (from, to) in edges {
                topology.edges.entry((*from).to_owned()).or_default().push((*to).to_owned());
            }
            for (sources, target) in joins {
                let sources = sources.iter().map(|source| (*source).to_owned()).collect();
                topology.joins.push(Join { sources, target: (*target).to_owned() });
            }
            let mut graph = Self { topology, point: Point::default() };
            graph.input();
            graph
        }

        fn input(&mut self) {
            self.point.give_up_step(&self.topology);
            self.step_of(&[START]);
        }

        fn next(&self) -> Vec<String> {
            self.point.planned(&self.topology).iter().map(Planned::key).collect()
        }

        /// Plays the planned step.
        fn step(&mut self) -> Vec<String> {
            let planned = self.point.planned(&self.topology);
            let ended: Vec<_> = planned
                .iter()
                .map(|task| Ended {
                    node: &task.node,
                    was_sent: task.sent.is_some(),
                    goto: GOTO,
                    follows_edges: true,
                })
                .collect();
            self.point.end_step(&self.topology, &ended);
            self.next()
        }

        fn step_of(&mut self, nodes: &[&str]) {
            let ended: Vec<_> = nodes.iter().map(|node| edges_of(node)).collect();
            self.point.end_step(&self.topology, &ended);
        }

        fn update_as(&mut self, node: &str) -> Vec<String> {
            self.point.update(&self.topology, &[edges_of(node)]);
            self.next()
        }
    }

    fn edges_of(node: &str) -> Ended<'_> {
        Ended { node, was_sent: false, goto: GOTO, follows_edges: true }
    }

    fn send(node: &str) -> Destination {
        Destination::Send { node: node.to_owned(), input: Payload::NULL }
    }

    #[test]
    fn a_node_that_several_edges_lead_to_in_one_step_runs_once() {
        let edges = [(START, "a"), (START, "b"), ("a", "c"), ("b", "c"), ("c", "__end__")];
        let mut diamond = Graph::new(&["a", "b", "c"], &edges, &[]);
        assert_eq!(diamond.next(), ["a", "b"]);
        assert_eq!(diamond.step(), ["c"]);
        assert_eq!(diamond.step(), [""; 0]);
    }

    #[test]
    fn a_join_waits_for_all_and_remembers_over_inputs() {
        let edges = [(START, "a"), ("a", "b")];
        let mut graph = Graph::new(&["a", "b", "c"], &edges, &[(&["a", "b"], "c")]);
        assert_eq!(graph.step(), ["b"], "half full");
        graph.input();
        assert_eq!(graph.next(), ["a"]);
        assert_eq!(graph.step(), ["b"]);
        assert_eq!(graph.step(), ["c"]);
        assert_eq!(graph.step(), [""; 0], "used up");
    }

    #[test]
    fn a_full_join_outlives_updates_and_ends_with_a_new_input() {
        let edges = [(START, "a"), (START, "b"), ("b", "z")];
        let mut graph = Graph::new(&["a", "b", "c", "z"], &edges, &[(&["a", "b"], "c")]);
        assert_eq!(graph.step(), ["c", "z"]);
        assert_eq!(graph.update_as("z"), ["c"]);
        assert_eq!(graph.update_as("c"), ["c"]);
        graph.input();
        assert_eq!(graph.next(), ["a", "b"]);
    }

    #[test]
    fn a_deferred_node_waits_for_edges_and_not_for_sends() {
        let edges = [(START, "a"), ("a", "late"), ("a", "b"), ("b", "c")];
        let mut graph = Graph::new(&["a", "b", "c", "late"], &edges, &[]);
        assert_eq!(graph.step(), ["b"]);
        assert_eq!(graph.step(), ["c"]);
        assert_eq!(graph.step(), ["late"]);
        assert_eq!(graph.step(), [""; 0]);

        let mut graph = Graph::new(&["a", "w", "late"], &[(START, "a"), ("a", "late")], &[]);
        let goto = [send("w"), send("w")];
        graph.point.end_step(&graph.topology, &[Ended { goto: &goto, ..edges_of("a") }]);
        assert_eq!(graph.next(), ["0:w", "1:w", "late"]);
    }

    #[test]
    fn a_deferred_node_that_waits_outlives_inputs_and_updates() {
        let edges = [(START, "a"), ("a", "late"), ("a", "b")];
        let mut graph = Graph::new(&["a", "b", "late", "z"], &edges, &[]);
        assert_eq!(graph.step(), ["b"]);
        graph.input();
        assert_eq!(graph.next(), ["a"]);
        assert_eq!(graph.update_as("z"), ["late"]);
    }

    #[test]
    fn a_deferred_join_needs_all_sources_and_the_end() {
        let edges = [(START, "a"), (START, "b"), ("a", "c"), ("c", "d")];
        let mut graph = Graph::new(&["a", "b", "c", "d", "late"], &edges, &[(&["a", "b"], "late")]);
        assert_eq!(graph.step(), ["c"]);
        assert_eq!(graph.step(), ["d"]);
        assert_eq!(graph.step(), ["late"]);
        assert_eq!(graph.step(), [""; 0]);
    }

    #[test]
    fn commands_start_nodes_beside_the_planned_step() {
        let mut graph = Graph::new(&["a", "b"], &[(START, "a")], &[]);
        let goto = [Destination::Node("b".into()), Destination::Node("a".into()), send("b")];
        graph.point.start_beside(&graph.topology, &goto);
        let planned = graph.point.planned(&graph.topology);
        let shown: Vec<_> = planned.iter().map(|task| (task.key(), task.added)).collect();
        let expected = [("0:b".to_owned(), true), ("a".into(), false), ("b".into(), true)];
        assert_eq!(shown, expected);
    }

    #[test]
    fn updates_count_by_name_and_then_in_the_order_of_sends() {
        let planned = |node: &str, sent: Option<usize>| Planned {
            node: node.into(),
            sent: sent.map(|place| (place, Payload::NULL)),
            added: false,
        };
        let mut tasks =
            [planned("x", Some(1)), planned("y", Some(0)), planned("b", None), planned("B", None)];
        in_order_of_updates(&mut tasks, |task| task);
        let names: Vec<_> = tasks.iter().map(|task| task.node.as_str()).collect();
        assert_eq!(names, ["B", "b", "y", "x"]);
    }

    #[test]
    fn a_point_is_read_as_it_was_saved() {
        let mut graph = Graph::new(&["a", "b", "late"], &[(START, "a")], &[(&["a", "b"], "late")]);
        graph.point.start_beside(&graph.topology, &[send("b")]);
        graph.step_of(&["a"]);
        let saved = Payload::encode(&graph.point, "point").expect("encodes");
        assert_eq!(saved.decode::<Point>("point"), Ok(graph.point));
    }
}
