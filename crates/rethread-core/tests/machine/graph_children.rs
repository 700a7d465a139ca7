//! Graphs that run as nodes of graphs.

use rethread_core::event::{EventKind, RunOutcome};
use rethread_core::failure::kind;
use rethread_core::header::ThreadStatus;
use rethread_core::message::Action;
use rethread_core::policy::{EntrypointOptions, History};

use crate::graphs::{done, events, history, live, run, start, tasks, world_of};
use crate::support::graph::texts;
use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, child};

fn nested(outer: &[&[&str]], inner: &[&[&str]]) -> World {
    world_of(Code::default().graph("main", outer).graph("inner", inner), 1)
}

#[test]
fn a_child_makes_its_steps_inside_of_one_of_its_parent() {
    let mut world = nested(&[&["a"], &["@inner"], &["b"]], &[&["c"], &["d"]]);
    let (run, outcome) = start(&mut world, "in");
    assert_eq!(outcome, done(&["in", "a", "in", "a", "c", "d", "b"]));
    assert_eq!(history(&world).len(), 5);
    let shown = events(&world, run);
    let of_child: Vec<_> = shown.iter().filter(|it| it.starts_with("child")).collect();
    assert_eq!(of_child, ["child step 0 c", "child step 1 d", "child step 2 "]);
}

#[test]
fn a_question_in_a_child_stops_all_and_its_state_is_shown() {
    let mut world = nested(&[&["@inner", "a"], &["b"]], &[&["c"], &["i", "ask"], &["d"]]);
    start(&mut world, "in");
    assert!(matches!(world.status(), Some(ThreadStatus::Interrupted(_))));
    let graph = live(&world);
    assert_eq!(texts(&graph.view.values), ["in", "a"]);
    let [child] = &graph.children[..] else { panic!("{graph:?}") };
    assert_eq!(Some(child.call), graph.view.tasks[0].call);
    let steps: Vec<_> =
        child.checkpoints.iter().map(|one| (one.step, texts(&one.values))).collect();
    let texts_of = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = [(-1, texts_of(&[])), (0, texts_of(&["in"])), (1, texts_of(&["in", "c"]))];
    assert_eq!(steps, expected);
    assert_eq!(texts(&child.view.values), ["in", "c", "i"]);
    assert_eq!(child.checkpoints[2].progress.interrupts.len(), 1);
    let kept = child.checkpoints[1].progress.graph.as_ref().expect("was a step");
    assert_eq!(tasks(kept).len(), 1);

    let resumed = world.answer("yes");
    world.settle(&mut Rng::new(3), None);
    let expected = done(&["in", "in", "c", "i", "yes", "d", "a", "b"]);
    assert_eq!(world.outcome(resumed), &expected);
    for node in ["a", "c", "i"] {
        assert_eq!(world.starts(node), 1, "{node}");
    }
    // It goes on where it was.
    let begun = world.store.events[&resumed].iter().find_map(|event| match &event.kind {
        EventKind::CallStarted { child: Some(child), .. } => Some(child.clone()),
        _ => None,
    });
    let begun = begun.expect("the child is called");
    assert_eq!((begun.step, begun.continues), (1, true));
    assert_eq!(texts(&begun.values), ["in", "c"]);
}

#[test]
fn a_failure_in_a_child_is_tried_again_inside_of_it() {
    let mut world = nested(&[&["@inner", "a"], &["b"]], &[&["c"], &["bad", "bad2", "i"]]);
    let (_, outcome) = start(&mut world, "in");
    assert!(matches!(outcome, RunOutcome::Failed(_)));
    let graph = live(&world);
    assert!(graph.view.tasks[0].failure.is_some());
    let child = &graph.children[0];
    assert_eq!(texts(&child.view.values), ["in", "c", "i"]);
    let (_, outcome) = run(&mut world, Action::Retry);
    assert_eq!(outcome, done(&["in", "in", "c", "bad", "bad2", "i", "a", "b"]));
    for (node, starts) in [("a", 1), ("c", 1), ("i", 1), ("bad", 2), ("bad2", 2)] {
        assert_eq!(world.starts(node), starts, "{node}");
    }
}

#[test]
fn a_child_that_pauses_stops_the_run() {
    let mut world = nested(&[&["@inner", "a"], &["b"]], &[&["c"], &["j|"], &["d"]]);
    let (paused, outcome) = start(&mut world, "in");
    assert_eq!(world.status(), Some(&ThreadStatus::Pending));
    assert_eq!(outcome, done(&["in", "a"]));
    let shown = events(&world, paused);
    assert!(shown.contains(&"child step 2 d pause".to_owned()), "{shown:?}");
    assert_eq!(shown[shown.len() - 2..], ["stop in,a", "Done"]);
    let (_, outcome) = run(&mut world, Action::Retry);
    assert_eq!(outcome, done(&["in", "in", "c", "j|", "d", "a", "b"]));
    assert_eq!((world.starts("j|"), world.starts("a")), (1, 1));
}

#[test]
fn a_child_counts_its_own_steps() {
    let mut world = nested(&[&["@inner"]], &[&["a"], &["b"], &["c"]]);
    world.asking.settings.recursion_limit = Some(2);
    let (_, outcome) = start(&mut world, "in");
    let RunOutcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.kind, kind::RECURSION_LIMIT);
    world.asking.settings.recursion_limit = Some(2);
    let (_, outcome) = run(&mut world, Action::Retry);
    assert_eq!(outcome, done(&["in", "in", "a", "b", "c"]));
    assert_eq!(world.starts("a"), 1);
}

#[test]
fn a_child_with_a_history_goes_on_from_it() {
    let history = EntrypointOptions { history: History::Thread, ..Default::default() };
    let code = Code::default()
        .graph("main", &[&["@inner1", "@inner2"], &["@inner2"]])
        .graph("inner", &[&["a"]])
        .options("inner", history);
    let mut world = world_of(code, 0);
    let (_, outcome) = start(&mut world, "x");
    let once = ["x", "a"];
    let state = [["x"].as_slice(), &once, &once].concat();
    // The second node has its own, and goes on from it in the next step.
    let expected = [&state[..], &once, &state].concat();
    assert_eq!(outcome, done(&[&expected[..], &["a"]].concat()));
}

/// Whatever is lost and whenever, nested graphs come to the same.
#[test]
fn nested_graphs_survive_crashes() {
    for seed in 0..150 {
        let mut rng = Rng::new(seed);
        let mut world =
            nested(&[&["a"], &["@inner", "b"]], &[&["c", "i"], &["ask", "j|"], &["bad", "d"]]);
        let mut run = world.start("in");
        world.settle(&mut rng, Some(6));
        assert!(matches!(world.outcome(run), RunOutcome::Interrupted(_)), "seed {seed}");
        run = world.answer("yes");
        world.settle(&mut rng, Some(6));
        assert_eq!(world.status(), Some(&ThreadStatus::Pending), "seed {seed}");
        run = {
            let _ = run;
            world.submit(Action::Retry)
        };
        world.settle(&mut rng, Some(6));
        assert!(matches!(world.outcome(run), RunOutcome::Failed(_)), "seed {seed}");
        run = world.submit(Action::Retry);
        world.settle(&mut rng, Some(6));
        let expected = done(&["in", "a", "in", "a", "c", "i", "yes", "j|", "bad", "d", "b"]);
        assert_eq!(world.outcome(run), &expected, "seed {seed}");
    }
}

#[test]
fn a_child_that_fails_does_not_wait_for_answers() {
    for seed in 0..20 {
        let mut rng = Rng::new(seed);
        let mut world = nested(&[&["@inner"], &["b"]], &[&["bad", "ask"]]);
        let started = world.start("in");
        world.settle(&mut rng, Some(5));
        assert!(matches!(world.outcome(started), RunOutcome::Failed(_)), "seed {seed}");
        world.submit(Action::Retry);
        world.settle(&mut rng, Some(5));
        assert!(matches!(world.status(), Some(ThreadStatus::Interrupted(_))), "seed {seed}");
        let resumed = world.answer("yes");
        world.settle(&mut rng, Some(5));
        assert_eq!(world.outcome(resumed), &done(&["in", "in", "bad", "yes", "b"]));
    }
}

#[test]
fn an_entrypoint_pauses_with_the_graph_that_it_calls() {
    let code =
        Code::main(|_| async { child("inner", ["in"]).await }).graph("inner", &[&["j|"], &["d"]]);
    let mut world = world_of(code, 0);
    let (_, outcome) = start(&mut world, "in");
    assert_eq!(outcome, RunOutcome::Interrupted(Vec::new()));
    assert_eq!(world.status(), Some(&ThreadStatus::Pending));
    assert_eq!(run(&mut world, Action::Retry).1, done(&["in", "j|", "d"]));
}
