//! Text for Mermaid, in the layout of LangGraph.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::draw::{Drawing, DrawnEdge, DrawnNode};

const HEAD: &str = "---\nconfig:\n  flowchart:\n    curve: linear\n---\ngraph TD;\n";

const STYLES: &str = "\tclassDef default fill:#f2f0ff,line-height:1.2\n\
                      \tclassDef first fill-opacity:0\n\
                      \tclassDef last fill:#bfb6fc\n";

/// Words of a label in one line.
const WORDS_IN_LINE: usize = 9;

/// The text of a drawing.
pub(crate) fn text(drawing: &Drawing) -> String {
    let mut groups = BTreeMap::<&str, Group<'_>>::new();
    for node in &drawing.nodes {
        groups.entry(group_of(&node.id)).or_default().nodes.push(node);
    }
    let mut order = Vec::new();
    for edge in &drawing.edges {
        let group = common_group(&edge.source, &edge.target);
        groups.entry(group).or_default().edges.push(edge);
        if !order.contains(&group) {
            order.push(group);
        }
    }
    // Groups without edges come last, and so do those that only hold other groups.
    for group in groups.keys().copied() {
        for (at, _) in group.match_indices(':').chain([(group.len(), "")]) {
            if !order.contains(&&group[..at]) {
                order.push(&group[..at]);
            }
        }
    }
    let mut text = Text {
        text: HEAD.to_owned(),
        groups: &groups,
        order: &order,
        first: drawing.first(),
        last: drawing.last(),
        seen: BTreeSet::new(),
    };
    for node in groups.get("").into_iter().flat_map(|group| &group.nodes) {
        text.node(node);
    }
    text.edges("");
    for group in order.iter().filter(|group| !group.is_empty() && !group.contains(':')) {
        text.subgraph(group);
    }
    text.text + STYLES
}

#[derive(Default)]
struct Group<'a> {
    nodes: Vec<&'a DrawnNode>,
    edges: Vec<&'a DrawnEdge>,
}

struct Text<'a> {
    text: String,
    groups: &'a BTreeMap<&'a str, Group<'a>>,
    order: &'a [&'a str],
    first: Option<&'a DrawnNode>,
    last: Option<&'a DrawnNode>,
    seen: BTreeSet<&'a str>,
}

impl<'a> Text<'a> {
    fn node(&mut self, node: &DrawnNode) {
        let id = safe(&node.id);
        let special = |c: char| "*_`".contains(c);
        let label = match node.name.starts_with(special) && node.name.ends_with(special) {
            true => format!("<p>{}</p>", node.name),
            false => node.name.clone(),
        };
        let notes = notes(node);
        let line = if self.first == Some(node) {
            format!("\t{id}([{label}{notes}]):::first\n")
        } else if self.last == Some(node) {
            format!("\t{id}([{label}{notes}]):::last\n")
        } else {
            format!("\t{id}({label}{notes})\n")
        };
        self.text.push_str(&line);
    }

    fn subgraph(&mut self, group: &'a str) {
        if !self.seen.insert(group) {
            return;
        }
        let name = group.rsplit(':').next().unwrap_or(group);
        let _ = writeln!(self.text, "\tsubgraph {name}");
        let groups = self.groups;
        for node in groups.get(group).into_iter().flat_map(|group| &group.nodes) {
            self.node(node);
        }
        self.edges(group);
        let order = self.order;
        for inner in order.iter().filter(|inner| group_of(inner) == group && !inner.is_empty()) {
            self.subgraph(inner);
        }
        self.text.push_str("\tend\n");
    }

    fn edges(&mut self, group: &str) {
        let groups = self.groups;
        for edge in groups.get(group).into_iter().flat_map(|group| &group.edges) {
            let line = match (&edge.label, edge.conditional) {
                (Some(label), true) => format!(" -. &nbsp;{}&nbsp; .-> ", wrapped(label)),
                (Some(label), false) => format!(" -- &nbsp;{}&nbsp; --> ", wrapped(label)),
                (None, true) => " -.-> ".to_owned(),
                (None, false) => " --> ".to_owned(),
            };
            let (source, target) = (safe(&edge.source), safe(&edge.target));
            let _ = writeln!(self.text, "\t{source}{line}{target};");
        }
    }
}

/// What is said below the name of a node.
fn notes(node: &DrawnNode) -> String {
    let interrupt = match (node.interrupt_before, node.interrupt_after) {
        (true, true) => Some("before,after"),
        (true, false) => Some("before"),
        (false, true) => Some("after"),
        (false, false) => None,
    };
    let defer = node.defer.then(|| "defer = True".to_owned());
    let notes: Vec<_> =
        defer.into_iter().chain(interrupt.map(|when| format!("__interrupt = {when}"))).collect();
    if notes.is_empty() {
        return String::new();
    }
    format!("<hr/><small><em>{}</em></small>", notes.join("\n"))
}

/// The graph that a node is drawn in: all of its id before the last colon.
fn group_of(id: &str) -> &str {
    id.rsplit_once(':').map_or("", |(group, _)| group)
}

/// The innermost graph that both nodes are in.
fn common_group<'a>(source: &'a str, target: &str) -> &'a str {
    let (source, target) = (group_of(source), group_of(target));
    let mut ends =
        std::iter::once(source.len()).chain(source.rmatch_indices(':').map(|(at, _)| at));
    let common = |end: &usize| {
        let group = &source[..*end];
        target == group || target.strip_prefix(group).is_some_and(|rest| rest.starts_with(':'))
    };
    ends.find(common).map_or("", |end| &source[..end])
}

fn wrapped(label: &str) -> String {
    let words: Vec<_> = label.split_whitespace().collect();
    if words.len() <= WORDS_IN_LINE {
        return label.to_owned();
    }
    let lines = words.chunks(WORDS_IN_LINE).map(|line| line.join(" "));
    lines.collect::<Vec<_>>().join("&nbsp<br>&nbsp")
}

/// An id that Mermaid can read: other letters by their numbers.
fn safe(id: &str) -> String {
    let mut safe = String::with_capacity(id.len());
    for c in id.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') {
            safe.push(c);
        } else {
            let _ = write!(safe, "\\{:x}", u32::from(c));
        }
    }
    safe
}
