//! Nodes that run in the machine, without an order.

use rethread_core::event::RunOutcome;
use rethread_core::failure::kind;
use rethread_core::message::Action;

use crate::graphs::{done, entry, events, history, live, run, start, tasks, world, world_of};
use crate::support::inline::starts;
use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, payload};

fn plain() -> World {
    world(&[&["=x", "a"], &["=y"], &["=z"]])
}

#[test]
fn an_inline_node_looks_as_any_other_and_has_no_order() {
    let mut world = plain();
    let (run, outcome) = start(&mut world, "in");
    assert_eq!(outcome, done(&["in", "=x", "a", "=y", "=z"]));
    assert_eq!((world.starts("a"), world.starts("=x"), world.starts("=y")), (1, 0, 0));
    assert_eq!((starts("=x"), starts("=y"), starts("=z")), (1, 1, 1));
    let expected = [
        entry(-1, &[], &["__start__"]),
        entry(0, &["in"], &["=x", "a"]),
        entry(1, &["in", "=x", "a"], &["=y"]),
        entry(2, &["in", "=x", "a", "=y"], &["=z"]),
        entry(3, &["in", "=x", "a", "=y", "=z"], &[]),
    ];
    assert_eq!(history(&world), expected);
    let shown = events(&world, run);
    let expected = [
        "began false",
        "step 0 =x,a",
        "call =x",
        "call a",
        "end =x",
        "end a",
        "step 1 =y",
        "call =y",
        "end =y",
        "step 2 =z",
        "call =z",
        "end =z",
        "step 3 ",
        "Done",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn an_inline_node_survives_a_crash_after_each_effect() {
    let mut effects = 1;
    loop {
        let before = (starts("=x"), starts("=y"), starts("=z"));
        let mut world = plain();
        world.crash_after = Some(effects);
        let run = world.submit(Action::Start { entrypoint: "main".into(), input: payload("in") });
        world.settle(&mut Rng::new(1), None);
        assert_eq!(world.outcome(run), &done(&["in", "=x", "a", "=y", "=z"]), "after {effects}");
        assert_eq!(world.starts("a"), 1);
        for (node, before) in [("=x", before.0), ("=y", before.1), ("=z", before.2)] {
            let runs = starts(node) - before;
            assert!((1..=1 + world.crashes).contains(&runs), "{node} after {effects}: {runs}");
        }
        if world.crashes == 0 {
            break;
        }
        effects += 1;
    }
    assert!(effects > 3, "the machine was lost in between");
}

#[test]
fn what_an_inline_node_gave_is_kept_when_another_node_asks() {
    let mut world = world(&[&["=x", "ask"], &["=y"]]);
    let (_, outcome) = start(&mut world, "in");
    assert!(matches!(outcome, RunOutcome::Interrupted(open) if open.len() == 1));
    let expected =
        vec![("=x".to_owned(), Some(payload("=x")), None), ("ask".to_owned(), None, None)];
    assert_eq!(tasks(&live(&world)), expected);
    let resumed = world.answer("yes");
    world.settle(&mut Rng::new(2), None);
    assert_eq!(world.outcome(resumed), &done(&["in", "=x", "yes", "=y"]));
    assert_eq!(starts("=x"), 1, "a replay does not run it again");
    let shown = events(&world, resumed);
    assert_eq!(shown[..4], ["began true", "call =x", "call ask", "again =x"]);
}

#[test]
fn an_inline_node_that_fails_runs_again_in_a_retry() {
    let mut world = world(&[&["=x", "=once"], &["=y"]]);
    let (_, outcome) = start(&mut world, "in");
    assert!(matches!(outcome, RunOutcome::Failed(failure) if failure.kind == "Bad"));
    assert_eq!(run(&mut world, Action::Retry).1, done(&["in", "=x", "=once", "=y"]));
    assert_eq!((starts("=x"), starts("=once")), (1, 2));
}

#[test]
fn an_inline_node_only_computes() {
    for (node, does) in [
        ("=asks", "asks a person"),
        ("=calls", "calls `a`"),
        ("=leaves", "calls `a`"),
        ("=sleeps", "sleeps"),
        ("=emits", "writes to the stream"),
        ("=waits", "waits for something"),
    ] {
        let mut world = world(&[&[node]]);
        let (_, outcome) = start(&mut world, "in");
        let RunOutcome::Failed(failure) = outcome else { panic!("{node}: {outcome:?}") };
        assert_eq!(failure.kind, kind::INVALID_GRAPH);
        let expected = format!("node `{node}` runs inline and {does};");
        assert!(failure.message.starts_with(&expected), "{}", failure.message);
        assert_eq!(world.starts("a"), 0);
    }
    let mut world = world(&[&["=panics"]]);
    let (_, outcome) = start(&mut world, "in");
    assert!(matches!(outcome, RunOutcome::Failed(failure) if failure.kind == kind::PANIC));
}

#[test]
fn nodes_of_graphs_that_are_nodes_run_inline_too() {
    let code = Code::default().graph("main", &[&["@sub"], &["c"]]);
    let mut world = world_of(code.graph("sub", &[&["=i", "a"], &["=j"]]), 0);
    let (_, outcome) = start(&mut world, "in");
    assert!(matches!(outcome, RunOutcome::Done(_)));
    assert_eq!((starts("=i"), starts("=j"), world.starts("=i")), (1, 1, 0));
}
