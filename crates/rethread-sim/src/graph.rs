//! Programs as graphs: each of the outermost ops is a step, whose parts are sent to nodes that run
//! beside each other.
//!
//! ```text
//!   START ──► plan ──Send──► work · flaky · inner ──► plan ──► .. ──► END
//!                                          └─ plan ──Send──► work ──► plan ──► END
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use rethread_graph::{Command, END, Graph, GraphError, Node, START, Send, Sent, State, StateGraph};
use rethread_sdk::{Error, Result, Retry, run_info};
use serde::{Deserialize, Serialize};

use crate::app::{Step, begin, post, run_op};
use crate::goals::Goal;
use crate::program::{Op, Program, conclude, fold, value_of};
use crate::random::mix;

/// Name of the graph that plays programs.
pub(crate) const GRAPH: &str = "play";
/// Nodes before and after which runs may pause.
pub(crate) const PAUSES: [&str; 2] = ["plan", "work"];
/// Steps of programs have smaller numbers than those that stand for plans.
const PLANS: u32 = 1_000_000;
/// The same of the plans of graphs in graphs.
const INNER_PLANS: u32 = 2_000_000;
/// Plans of one graph; more than a program has steps.
const PLANS_MAX: u32 = 1_000;

/// The state of a graph.
#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
pub(crate) struct Play {
    program: Program,
    /// How many steps of the program were planned.
    planned: usize,
    /// Results of parts of steps, of all executions.
    #[state(merge)]
    results: BTreeMap<String, u64>,
    /// What the last execution saved.
    saved: Option<u64>,
    value: u64,
    /// The last execution that came to its end.
    ended: u64,
}

/// What a graph gives in the end, or where it pauses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Played {
    pub(crate) value: u64,
    pub(crate) ended: u64,
}

/// The state of a graph in a graph.
#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Inner {
    given: Part,
    inner_planned: usize,
    #[state(merge)]
    inner_results: BTreeMap<String, u64>,
    #[state(merge)]
    results: BTreeMap<String, u64>,
}

/// What it takes.
#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Given {
    given: Part,
}

/// What it gives to the graph around it.
#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Found {
    #[state(merge)]
    results: BTreeMap<String, u64>,
}

/// A part of a step, that a node does.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Part {
    execution: u64,
    /// The place of its result.
    place: String,
    /// None only where nothing was given.
    op: Option<Op>,
}

/// The graph of a host.
pub(crate) fn graph() -> Result<Graph<PlayUpdate, Play>, GraphError> {
    let inner = StateGraph::<Inner>::new("inner")
        .input::<Given>()
        .output::<Found>()
        .add_node("plan", Node::new(plan_inner).ends(["work"]))
        .add_node("work", work_inside)
        .add_edge(START, "plan")
        .add_edge("work", "plan")
        .compile()?;
    let retry = Retry::attempts(50)
        .initial_interval(Duration::from_millis(10))
        .backoff_factor(1.0)
        .jitter(false);
    StateGraph::<Play>::new(GRAPH)
        .add_node("plan", Node::new(plan).ends(["work", "flaky", "inner"]))
        .add_node("work", work)
        .add_node("flaky", Node::new(flaky).retry(retry))
        .add_node("inner", inner)
        .add_edge(START, "plan")
        .add_edge("work", "plan")
        .add_edge("flaky", "plan")
        .add_edge("inner", "plan")
        .compile()
}

/// The input that begins a program.
pub(crate) fn input(program: &Program) -> impl Serialize {
    PlayUpdate::new().program(program.clone()).planned(0_usize)
}

async fn plan(state: Play) -> Result<Command> {
    let Play { program, planned, results, saved, .. } = state;
    let execution = program.execution;
    starts_plan(execution, PLANS, planned)?;
    let place = |step: usize, nth: usize| format!("{execution}/{step}/{nth}");
    if let Some(op) = program.ops.get(planned) {
        let parts = parts_of(op).iter().enumerate();
        let parts = parts.map(|(nth, op)| (part(execution, place(planned, nth), op), op));
        let sends: Vec<_> = parts.map(|(part, op)| send(part, op)).collect();
        if sends.len() > 1 {
            post()?.link.witness.reach(Goal::NodesBeside);
        }
        return Ok(Command::new()
            .update(PlayUpdate::new().planned(planned + 1))
            .and_goto_all(sends));
    }
    let steps = program.ops.iter().enumerate().map(|(step, op)| {
        let results = (0..parts_of(op).len()).map(|nth| result(&results, &place(step, nth)));
        combine(op, results.collect::<Result<Vec<_>>>()?)
    });
    let (value, saves) = conclude(fold(steps.collect::<Result<Vec<_>>>()?), saved);
    let update = PlayUpdate::new().value(value).saved(saves).ended(execution);
    Ok(Command::goto(END).update(update))
}

async fn plan_inner(state: Inner) -> Result<Command> {
    let Inner { given, inner_planned, inner_results, .. } = state;
    let Part { execution, place, op } = given;
    let Some(Op::Child { id, ops }) = op else {
        return Err(Error::new("Sim", "a graph in a graph was given no steps"));
    };
    starts_plan(execution, INNER_PLANS + id * PLANS_MAX, inner_planned)?;
    let place_inside = |step: usize| format!("{place}/{step}");
    if let Some(op) = ops.get(inner_planned) {
        let part = part(execution, place_inside(inner_planned), op);
        let update = InnerUpdate::new().inner_planned(inner_planned + 1);
        return Ok(Command::new().update(update).and_goto(Send::new("work", part)));
    }
    let results = (0..ops.len()).map(|step| result(&inner_results, &place_inside(step)));
    let value = mix(value_of(execution, id), fold(results.collect::<Result<Vec<_>>>()?));
    let update = InnerUpdate::new().results(BTreeMap::from([(place, value)]));
    Ok(Command::goto(END).update(update))
}

async fn work(Sent(part): Sent<Part>) -> Result<PlayUpdate> {
    let (place, value) = done(part).await?;
    Ok(PlayUpdate::new().results(BTreeMap::from([(place, value)])))
}

async fn work_inside(Sent(part): Sent<Part>) -> Result<InnerUpdate> {
    let (place, value) = done(part).await?;
    Ok(InnerUpdate::new().inner_results(BTreeMap::from([(place, value)])))
}

/// Fails at first.
async fn flaky(Sent(part): Sent<Part>) -> Result<PlayUpdate> {
    let Some(Op::Flaky { id, fails }) = part.op else {
        return Err(Error::new("Sim", "the node was given another op"));
    };
    begin(&Step::plain(part.execution, id))?;
    if run_info()?.attempt <= fails {
        return Err(Error::new("Flaky", "it fails at first"));
    }
    let value = value_of(part.execution, id);
    Ok(PlayUpdate::new().results(BTreeMap::from([(part.place, value)])))
}

/// Does a part of a step: a task by itself, anything else with calls of its own.
async fn done(part: Part) -> Result<(String, u64)> {
    let Part { execution, place, op } = part;
    let Some(op) = op else { return Err(Error::new("Sim", "nothing was sent")) };
    let value = match op {
        Op::Task { id, ms } => {
            begin(&Step::plain(execution, id))?;
            tokio::time::sleep(Duration::from_millis(ms)).await;
            value_of(execution, id)
        }
        op => run_op(&op, execution).await?,
    };
    Ok((place, value))
}

fn starts_plan(execution: u64, first: u32, planned: usize) -> Result<()> {
    let planned = u32::try_from(planned).unwrap_or(u32::MAX);
    begin(&Step::plain(execution, first + planned)).map(drop)
}

fn part(execution: u64, place: String, op: &Op) -> Part {
    Part { execution, place, op: Some(op.clone()) }
}

fn send(part: Part, op: &Op) -> Send {
    match op {
        Op::Child { .. } => Send::new("inner", Given { given: part }),
        Op::Flaky { .. } => Send::new("flaky", part),
        _ => Send::new("work", part),
    }
}

/// What an op sends to nodes.
fn parts_of(op: &Op) -> &[Op] {
    match op {
        Op::Parallel { ops } => ops,
        op => std::slice::from_ref(op),
    }
}

/// The result of a step whose parts gave these.
fn combine(op: &Op, results: Vec<u64>) -> Result<u64> {
    match (op, &results[..]) {
        (Op::Parallel { .. }, _) => Ok(fold(results)),
        (_, [result]) => Ok(*result),
        (_, _) => Err(Error::new("Sim", "a step has one part")),
    }
}

fn result(results: &BTreeMap<String, u64>, place: &str) -> Result<u64> {
    let missing = || Error::new("Sim", format!("the result at {place} is missing"));
    results.get(place).copied().ok_or_else(missing)
}
