//! Graphs that are the root: their steps, stops and limits.

use rethread_core::checkpoint::{Checkpoint, Source};
use rethread_core::event::{EventKind, RunOutcome};
use rethread_core::failure::{Failure, kind};
use rethread_core::graph::{Breakpoints, GraphProgress};
use rethread_core::header::ThreadStatus;
use rethread_core::ids::RunId;
use rethread_core::message::{Action, AttemptOutcome};
use rethread_core::payload::Payload;
use rethread_core::settings::RunDurability;

use crate::support::graph::texts;
use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, payload};

/// Nodes give their names; `ask` gives the answer to its question; `bad` fails the first times
/// that it is run, as often as is said.
pub(crate) fn world_of(code: Code, failures: usize) -> World {
    let mut world = World::new(code);
    for node in ["a", "b", "c", "d", "i", "j|"] {
        world.task(node, move |_| AttemptOutcome::Completed(payload(node)));
    }
    for node in ["ask", "ask2"] {
        world.task(node, move |order| match order.answers.first() {
            None => AttemptOutcome::Asked { index: 0, value: payload(format!("{node}?")) },
            Some(answer) => AttemptOutcome::Completed(answer.clone()),
        });
    }
    for node in ["bad", "bad2", "bad!"] {
        let left = std::cell::Cell::new(failures);
        world.task(node, move |_| match left.get() {
            0 => AttemptOutcome::Completed(payload(node)),
            more => {
                left.set(more - 1);
                AttemptOutcome::failed(Failure::new("Bad", node))
            }
        });
    }
    world
}

pub(crate) fn world(steps: &[&[&str]]) -> World {
    world_of(Code::default().graph("main", steps), 1)
}

pub(crate) fn run(world: &mut World, action: Action) -> (RunId, RunOutcome) {
    let run = world.submit(action);
    world.settle(&mut Rng::new(1), None);
    // Every step must survive a new owner.
    world.crash();
    (run, world.outcome(run).clone())
}

pub(crate) fn start(world: &mut World, input: &str) -> (RunId, RunOutcome) {
    run(world, Action::Start { entrypoint: "main".into(), input: payload(input) })
}

pub(crate) fn done(expected: &[&str]) -> RunOutcome {
    RunOutcome::Done(payload(expected))
}

/// The checkpoints of the thread, the oldest first.
pub(crate) fn checkpoints(world: &World) -> Vec<&Checkpoint> {
    world.store.checkpoints.values().collect()
}

/// Each checkpoint as its step, what it shows and what its step runs.
pub(crate) fn history(world: &World) -> Vec<(i64, Vec<String>, Vec<String>)> {
    let shown = |one: &&Checkpoint| {
        let tasks = one.tasks.iter().map(|task| task.name.clone()).collect();
        (one.step, texts(&one.values), tasks)
    };
    checkpoints(world).iter().map(shown).collect()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

pub(crate) fn entry(step: i64, log: &[&str], next: &[&str]) -> (i64, Vec<String>, Vec<String>) {
    (step, strings(log), strings(next))
}

/// What the newest checkpoint shows of its step.
pub(crate) fn live(world: &World) -> GraphProgress {
    let head = world.store.header.as_ref().expect("has run").head;
    let progress = &world.store.checkpoints[&head].progress;
    *progress.graph.clone().expect("a step is in progress")
}

/// The tasks of a view: name, result, failure.
pub(crate) fn tasks(graph: &GraphProgress) -> Vec<(String, Option<Payload>, Option<String>)> {
    let tasks = graph.view.tasks.iter().map(|task| {
        let failure = task.failure.as_ref().map(|failure| failure.message.clone());
        (task.name.clone(), task.result.clone(), failure)
    });
    tasks.collect()
}

/// The names of a run's events that matter here.
pub(crate) fn events(world: &World, run: RunId) -> Vec<String> {
    let shown = world.store.events[&run].iter().map(|event| match &event.kind {
        EventKind::RunStarted { continues, .. } => format!("began {continues}"),
        EventKind::CallStarted { node: Some(node), .. } => format!("call {}", node.name),
        EventKind::Updated { node: Some(node), is_cached: false, .. } => {
            format!("end {}", node.name)
        }
        EventKind::Updated { node: Some(node), is_cached: true, .. } => {
            format!("again {}", node.name)
        }
        EventKind::CallFailed { node: Some(node), .. } => format!("fail {}", node.name),
        EventKind::Stepped { body, step, tasks, pause, .. } => {
            let of = if body.is_some() { "child " } else { "" };
            let pause = if *pause { " pause" } else { "" };
            let names: Vec<_> = tasks.iter().map(|task| task.name.as_str()).collect();
            format!("{of}step {step} {}{pause}", names.join(","))
        }
        EventKind::StoppedInStep(graph) => {
            format!("stop {}", texts(&graph.view.values).join(","))
        }
        EventKind::RunEnded(outcome) => {
            let text = format!("{outcome:?}");
            text.split(['(', '{', ' ']).next().unwrap_or_default().to_owned()
        }
        other => format!("{other:?}"),
    });
    shown.collect()
}

#[test]
fn a_graph_makes_a_checkpoint_for_each_step() {
    let mut world = world(&[&["a", "b"], &["c"]]);
    let (run, outcome) = start(&mut world, "in");
    assert_eq!(outcome, done(&["in", "a", "b", "c"]));
    assert_eq!(world.status(), Some(&ThreadStatus::Idle));
    let expected = [
        entry(-1, &[], &["__start__"]),
        entry(0, &["in"], &["a", "b"]),
        entry(1, &["in", "a", "b"], &["c"]),
        entry(2, &["in", "a", "b", "c"], &[]),
    ];
    assert_eq!(history(&world), expected);
    let made = checkpoints(&world);
    let parents: Vec<_> = made.iter().map(|one| one.parent).collect();
    let ids: Vec<_> = made.iter().map(|one| Some(one.id)).collect();
    assert_eq!(parents, [None, ids[0], ids[1], ids[2]]);
    let sources: Vec<_> = made.iter().map(|one| one.source).collect();
    assert_eq!(sources, [Source::Input, Source::Loop, Source::Loop, Source::Loop]);
    assert!(world.store.journal.is_empty());

    // What came of each step is kept with it.
    let kept = made[1].progress.graph.as_ref().expect("was a step");
    let expected = [("a".into(), Some(payload("a")), None), ("b".into(), Some(payload("b")), None)];
    assert_eq!(tasks(kept), expected);
    assert!(kept.view.values.is_null());
    let kept = made[0].progress.graph.as_ref().expect("was a step");
    assert_eq!(tasks(kept), [("__start__".into(), Some(payload(["in"])), None)]);

    let shown = events(&world, run);
    assert_eq!(shown[..4], ["began false", "step 0 a,b", "call a", "call b"]);
    assert_eq!(shown[6..], ["step 1 c", "call c", "end c", "step 2 ", "Done"]);
}

#[test]
fn a_further_input_goes_on_from_the_state() {
    let mut world = world(&[&["a"]]);
    start(&mut world, "x");
    let (_, outcome) = start(&mut world, "y");
    assert_eq!(outcome, done(&["x", "a", "y", "a"]));
    let steps: Vec<_> = history(&world).into_iter().map(|(step, ..)| step).collect();
    assert_eq!(steps, [-1, 0, 1, 2, 3, 4]);
    // Nothing is left to do: a retry gives the value.
    assert_eq!(run(&mut world, Action::Retry).1, done(&["x", "a", "y", "a"]));
}

#[test]
fn what_has_ended_stays_when_another_task_of_the_step_asks() {
    let mut world = world(&[&["a", "ask"], &["c"]]);
    let (first, outcome) = start(&mut world, "in");
    assert!(matches!(outcome, RunOutcome::Interrupted(open) if open.len() == 1));
    let graph = live(&world);
    assert_eq!(texts(&graph.view.values), ["in", "a"]);
    assert!(graph.view.changed);
    assert_eq!(events(&world, first)[5..], ["stop in,a", "Interrupted"]);
    let head = *checkpoints(&world).last().expect("has some");
    assert_eq!(texts(&head.values), ["in"]);
    assert_eq!(head.progress.interrupts.len(), 1);

    let resumed = world.answer("yes");
    world.settle(&mut Rng::new(2), None);
    assert_eq!(world.outcome(resumed), &done(&["in", "a", "yes", "c"]));
    assert_eq!(world.starts("a"), 1);
    let shown = events(&world, resumed);
    assert_eq!(shown[..4], ["began true", "call a", "call ask", "again a"]);
    // The question stays with the step in which it was asked.
    assert_eq!(checkpoints(&world)[1].progress.interrupts.len(), 1);
}

#[test]
fn all_that_failed_in_a_step_is_tried_again_and_nothing_else() {
    let mut world = world(&[&["a", "bad", "bad2"], &["c"]]);
    let (_, outcome) = start(&mut world, "in");
    assert!(matches!(outcome, RunOutcome::Failed(_)));
    let graph = live(&world);
    let failed: Vec<_> = tasks(&graph).into_iter().map(|(.., failure)| failure).collect();
    assert_eq!(failed, [None, Some("bad".into()), Some("bad2".into())]);
    assert_eq!(texts(&graph.view.values), ["in", "a"]);

    let (_, outcome) = run(&mut world, Action::Retry);
    assert_eq!(outcome, done(&["in", "a", "bad", "bad2", "c"]));
    assert_eq!((world.starts("a"), world.starts("bad"), world.starts("bad2")), (1, 2, 2));
}

#[test]
fn a_handled_failure_stands() {
    let mut world = world(&[&["bad!", "bad"], &["c"]]);
    start(&mut world, "in");
    run(&mut world, Action::Retry);
    assert_eq!(world.starts("bad!"), 1);
}

#[test]
fn a_new_input_drops_the_step_in_progress() {
    let mut world = world(&[&["a", "ask"], &["c"]]);
    start(&mut world, "x");
    let (_, outcome) = start(&mut world, "y");
    assert!(matches!(outcome, RunOutcome::Interrupted(_)));
    assert_eq!(texts(&live(&world).view.values), ["x", "y", "a"]);
    assert_eq!(history(&world)[2], entry(1, &["x"], &["__start__"]));
    assert_eq!(world.starts("a"), 2);
}

#[test]
fn a_run_pauses_at_its_breakpoints_and_goes_on() {
    let mut world = world(&[&["a"], &["b"], &["c"]]);
    world.asking.settings.breakpoints = Breakpoints { before: vec!["b".into()], after: Vec::new() };
    let (paused, outcome) = start(&mut world, "in");
    assert_eq!(outcome, done(&["in", "a"]));
    assert_eq!(world.status(), Some(&ThreadStatus::Pending));
    assert_eq!(events(&world, paused).iter().rev().nth(1).expect("has some"), "step 1 b pause");

    world.asking.settings.breakpoints = Breakpoints { before: Vec::new(), after: vec!["b".into()] };
    assert_eq!(run(&mut world, Action::Retry).1, done(&["in", "a", "b"]));
    // An answer to nothing goes on too.
    let resumed = world.answer("unused");
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(resumed), &done(&["in", "a", "b", "c"]));
}

#[test]
fn a_run_makes_no_more_steps_than_it_may() {
    let mut world = world(&[&["a"], &["b"], &["c"]]);
    world.asking.settings.recursion_limit = Some(2);
    let (run_id, outcome) = start(&mut world, "in");
    let RunOutcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.kind, kind::RECURSION_LIMIT);
    assert_eq!(history(&world).last(), Some(&entry(2, &["in", "a", "b"], &["c"])));
    assert_eq!(events(&world, run_id).iter().rev().nth(1).expect("has some"), "step 2 c");
    // Going on counts anew.
    world.asking.settings.recursion_limit = Some(1);
    assert_eq!(run(&mut world, Action::Retry).1, done(&["in", "a", "b", "c"]));
}

#[test]
fn a_run_that_makes_as_many_steps_as_it_may_fails_at_its_end() {
    let mut world = world(&[&["a"], &["b"]]);
    world.asking.settings.recursion_limit = Some(2);
    let (_, outcome) = start(&mut world, "in");
    assert!(
        matches!(outcome, RunOutcome::Failed(failure) if failure.kind == kind::RECURSION_LIMIT)
    );
    assert_eq!(history(&world).last(), Some(&entry(2, &["in", "a", "b"], &[])));
    assert_eq!(run(&mut world, Action::Retry).1, done(&["in", "a", "b"]));
}

#[test]
fn a_run_of_durability_exit_keeps_its_last_checkpoint() {
    let mut world = world(&[&["a"], &["b"]]);
    start(&mut world, "x");
    let head = checkpoints(&world).last().map(|one| one.id);
    world.asking.settings.durability = RunDurability::Exit;
    let (_, outcome) = start(&mut world, "y");
    assert_eq!(outcome, done(&["x", "a", "b", "y", "a", "b"]));
    let made = checkpoints(&world);
    assert_eq!(made.len(), 5);
    assert_eq!((made[4].parent, made[4].step), (head, 6));
}

#[test]
fn a_run_of_durability_exit_that_stops_keeps_its_step() {
    let mut world = world(&[&["a"], &["ask"]]);
    world.asking.settings.durability = RunDurability::Exit;
    start(&mut world, "in");
    assert_eq!(history(&world), [entry(1, &["in", "a"], &["ask"])]);
    world.asking.settings.durability = RunDurability::Exit;
    let resumed = world.answer("yes");
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(resumed), &done(&["in", "a", "yes"]));
    assert_eq!(history(&world).len(), 2);
}

#[test]
fn a_cancelled_run_keeps_what_its_step_has() {
    let mut world = world(&[&["a", "never"], &["c"]]);
    let started = world.start("in");
    world.load();
    world.handle_message();
    let order = world.store.queue.iter().position(|order| order.name == "a");
    world.run_order(order.expect("is ordered"));
    world.handle_message();
    let cancelled = world.submit(Action::Cancel(Default::default()));
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(started), &RunOutcome::Cancelled);
    assert!(matches!(world.outcome(cancelled), RunOutcome::Edited(None)));
    assert_eq!(texts(&live(&world).view.values), ["in", "a"]);
}

#[test]
fn many_steps_do_not_grow_the_stack_or_a_write() {
    let steps: Vec<&[&str]> = vec![&[]; 0];
    let mut many = steps;
    for _ in 0..200 {
        many.push(&["a"]);
    }
    let mut world = world(&many);
    let (_, outcome) = start(&mut world, "in");
    assert!(matches!(outcome, RunOutcome::Done(_)));
    assert_eq!(world.starts("a"), 200);
}

/// Whatever is lost and whenever, a graph comes to the same, and nothing recorded runs again.
#[test]
fn graphs_survive_crashes() {
    for seed in 0..150 {
        let mut rng = Rng::new(seed);
        let mut world = world(&[&["a", "b", "ask"], &["c", "bad"], &["d"]]);
        let first = world.start("in");
        world.settle(&mut rng, Some(6));
        assert!(matches!(world.outcome(first), RunOutcome::Interrupted(_)), "seed {seed}");
        let second = world.answer("yes");
        world.settle(&mut rng, Some(6));
        assert!(matches!(world.outcome(second), RunOutcome::Failed(_)), "seed {seed}");
        let third = world.submit(Action::Retry);
        world.settle(&mut rng, Some(6));
        let expected = done(&["in", "a", "b", "yes", "c", "bad", "d"]);
        assert_eq!(world.outcome(third), &expected, "seed {seed}");
        assert_eq!(history(&world).len(), 5);
        for run in [first, second, third] {
            let seqs: Vec<_> = world.store.events[&run].iter().map(|event| event.seq).collect();
            assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
        }
    }
}
