//! Graphs between their stops: what a load, a park, an answer or an edit finds of them.

use std::sync::Arc;

use rethread_core::event::{EventKind, Refusal, RunOutcome};
use rethread_core::failure::kind;
use rethread_core::header::ThreadStatus;
use rethread_core::message::{Action, Answers, Cancel};
use rethread_core::policy::{EntrypointOptions, History};
use rethread_core::thread::Limits;

use crate::graph_edits::{at, command, update};
use crate::graphs::{checkpoints, done, events, run, start, tasks, world, world_of};
use crate::support::graph::texts;
use crate::support::rng::Rng;
use crate::support::{Code, child, payload};

fn nested(outer: &[&[&str]], inner: &[&[&str]]) -> Code {
    Code::default().graph("main", outer).graph("inner", inner)
}

#[test]
fn a_child_without_a_history_gets_its_answers() {
    let off = EntrypointOptions { history: History::Off, ..Default::default() };
    let code = nested(&[&["@inner"], &["b"]], &[&["i"], &["c"], &["ask"], &["ask2"]]);
    let mut world = world_of(code.options("inner", off), 0);
    world.runs_recorded_again = true;
    start(&mut world, "in");
    for _ in 0..2 {
        assert!(matches!(world.status(), Some(ThreadStatus::Interrupted(_))));
        world.answer("yes");
        world.settle(&mut Rng::new(1), None);
        world.crash();
    }
    assert_eq!(world.status(), Some(&ThreadStatus::Idle));
    let values = texts(&checkpoints(&world).last().expect("has some").values);
    assert_eq!(values, ["in", "in", "i", "c", "yes", "yes", "b"]);
}

#[test]
fn a_child_without_a_history_counts_its_steps_from_its_input_in_each_run() {
    for (history, is_exceeded) in [(History::Off, true), (History::Inherit, false)] {
        let options = EntrypointOptions { history, ..Default::default() };
        let code = nested(&[&["@inner"], &["b"]], &[&["ask"], &["c"], &["d"]]);
        let mut world = world_of(code.options("inner", options), 0);
        start(&mut world, "in");
        world.asking.settings.recursion_limit = Some(3);
        let resumed = world.answer("yes");
        world.settle(&mut Rng::new(1), None);
        match world.outcome(resumed) {
            RunOutcome::Failed(failure) => assert_eq!(failure.kind, kind::RECURSION_LIMIT),
            outcome => assert_eq!(outcome, &done(&["in", "in", "yes", "c", "d", "b"])),
        }
        let has_failed = matches!(world.status(), Some(ThreadStatus::Failed(_)));
        assert_eq!(has_failed, is_exceeded);
    }
}

#[test]
fn a_child_without_a_history_goes_on_after_its_limit_in_its_last_step() {
    let off = EntrypointOptions { history: History::Off, ..Default::default() };
    let code = nested(&[&["@inner"], &["b"]], &[&["i"], &["c"], &["d"]]);
    let mut world = world_of(code.options("inner", off), 0);
    world.runs_recorded_again = true;
    world.asking.settings.recursion_limit = Some(3);
    start(&mut world, "in");
    assert!(matches!(world.status(), Some(ThreadStatus::Failed(_))), "{:?}", world.status());
    world.asking.settings.recursion_limit = None;
    let (_, outcome) = run(&mut world, Action::Retry);
    assert_eq!(outcome, done(&["in", "in", "i", "c", "d", "b"]));
}

#[test]
fn updates_in_the_name_of_a_node_are_shown_at_its_tasks_one_by_one() {
    let mut world = world(&[&["ask", "a"], &["c"]]);
    start(&mut world, "in");
    run(&mut world, command(None, &["ask"], None));
    run(&mut world, Action::Retry);
    let Action::Update(mut edit) = update("U", Some("ask"), &[]) else { panic!("an edit") };
    edit.more = ["V", "W"].map(|text| (payload(text), Some("ask".to_owned()))).into();
    edit.more.push((payload("X"), Some("a".to_owned())));
    run(&mut world, Action::Update(edit));
    let made = checkpoints(&world);
    let shown = made[1].progress.graph.as_ref().expect("was a step");
    let results: Vec<_> = tasks(shown).into_iter().map(|(_, result, _)| result).collect();
    assert_eq!(results, ["U", "a", "V"].map(|text| Some(payload(text))));
}

#[test]
fn a_child_is_not_edited_where_it_is_not_known_how_far_it_came() {
    let steps: (&[&[&str]], &[&[&str]]) = (&[&["@inner"], &["b"]], &[&["ask"], &["ask2"]]);
    let mut world = world_of(nested(steps.0, steps.1), 0);
    start(&mut world, "in");
    world.answer("yes");
    world.load();
    world.handle_message();
    world.run_order(0);
    world.handle_message();
    world.crash();
    let other = Arc::new(nested(&[&["a"]], steps.1));
    let code = std::mem::replace(&mut world.program, other);
    world.load();
    assert!(matches!(world.status(), Some(ThreadStatus::Parked(_))), "{:?}", world.status());
    world.crash();
    world.program = code;
    let (_, outcome) = run(&mut world, update("U", Some("ask"), &["@inner"]));
    assert!(matches!(outcome, RunOutcome::Refused(Refusal::InvalidUpdate { .. })), "{outcome:?}");
    run(&mut world, Action::Retry);
    let last = world.answer("sure");
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(last), &done(&["in", "in", "yes", "sure", "b"]));
}

#[test]
fn a_command_at_the_newest_checkpoint_answers_and_writes() {
    let mut world = world(&[&["ask"], &["c"]]);
    start(&mut world, "in");
    let newest = checkpoints(&world).len() - 1;
    at(&mut world, newest);
    let (_, outcome) = run(&mut world, command(Some("note"), &["b"], Some("yes")));
    assert_eq!(outcome, done(&["in", "note", "yes", "b", "c"]));
}

#[test]
fn a_command_at_an_older_input_writes_before_it() {
    let mut world = world(&[&["a"], &["c"]]);
    start(&mut world, "in");
    at(&mut world, 0);
    let (_, outcome) = run(&mut world, command(Some("note"), &[], None));
    assert_eq!(outcome, done(&["note", "in", "a", "c"]));
}

#[test]
fn all_calls_are_shown_of_a_step_that_a_new_owner_begins() {
    // A run makes sixteen steps at a time; the first one writes the input.
    for steps in 14..17 {
        let mut outer: Vec<&[&str]> = vec![&["@inner"]; steps];
        outer.push(&["a"]);
        let run = |crash_after: Option<usize>| {
            let mut world = world_of(nested(&outer, &[]), 0);
            world.crash_after = crash_after;
            let run = world.start("in");
            world.settle(&mut Rng::new(1), None);
            (events(&world, run), world.effects)
        };
        let (expected, effects) = run(None);
        for crash_after in 1..effects.min(6) {
            let (shown, _) = run(Some(crash_after));
            assert_eq!(shown, expected, "{steps} steps, crash after {crash_after}");
        }
    }
}

#[test]
fn a_run_that_is_taken_back_leaves_a_paused_child_paused() {
    let mut world = world_of(nested(&[&["@inner"], &["b"]], &[&["j|"], &["d"]]), 0);
    start(&mut world, "in");
    assert_eq!(world.status(), Some(&ThreadStatus::Pending));
    world.submit(Action::Retry);
    world.load();
    world.handle_message();
    world.submit(Action::Cancel(Cancel { run: None, roll_back: true }));
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.status(), Some(&ThreadStatus::Pending));
    assert_eq!(run(&mut world, Action::Retry).1, done(&["in", "in", "j|", "d", "b"]));
}

#[test]
fn a_run_that_is_taken_back_leaves_an_edited_child_asking() {
    let mut world = world_of(nested(&[&["@inner"], &["b"]], &[&["i"], &["ask"]]), 0);
    start(&mut world, "in");
    run(&mut world, update("U", Some("i"), &["@inner"]));
    let asked = world.status().cloned();
    world.answer("no");
    world.load();
    world.handle_message();
    world.submit(Action::Cancel(Cancel { run: None, roll_back: true }));
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.status().cloned(), asked);
    let last = world.answer("yes");
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(last), &done(&["in", "in", "i", "U", "yes", "b"]));
}

#[test]
fn what_steps_had_come_to_counts_for_the_limit_of_the_journal() {
    let mut world = world(&[&["ask", "ask2"], &["c"]]);
    let text = "x".repeat(3_000);
    world.limits = Limits { journal_bytes_max: 11_000, ..Limits::default() };
    start(&mut world, &text);
    let Some(ThreadStatus::Interrupted(open)) = world.status() else { panic!("asks") };
    let one = [(open[0].id, payload("yes"))].into();
    let resumed = world.submit(Action::Resume(Answers::ById(one)));
    world.settle(&mut Rng::new(1), None);
    let RunOutcome::Failed(failure) = world.outcome(resumed) else {
        panic!("{:?}", world.outcome(resumed));
    };
    assert_eq!(failure.kind, kind::LIMIT);
}

#[test]
fn readers_are_told_only_what_they_show_of_a_stop() {
    let mut world = world_of(nested(&[&["@inner", "a"], &["b"]], &[&["ask"]]), 0);
    let (stopped, _) = start(&mut world, "in");
    let told = world.store.events[&stopped].iter().find_map(|event| match &event.kind {
        EventKind::StoppedInStep(graph) => Some(graph.clone()),
        _ => None,
    });
    let told = told.expect("it stopped in a step");
    assert_eq!(texts(&told.view.values), ["in", "a"]);
    assert!(told.children.is_empty() && told.view.tasks.is_empty());
    let resumed = world.answer("yes");
    world.settle(&mut Rng::new(1), None);
    let before = world.store.events[&resumed].iter().find_map(|event| match &event.kind {
        EventKind::RunStarted { before, .. } => before.graph.clone(),
        _ => None,
    });
    let before = before.expect("it had come to something");
    assert_eq!(before.view.tasks.len(), 2);
    assert!(before.children.is_empty() && before.view.values.is_null());
}

#[test]
fn a_result_is_not_shown_again_where_the_replay_is_stuck() {
    let mut world = world(&[&["a", "ask"], &["c"]]);
    start(&mut world, "in");
    world.program = Arc::new(Code::default().graph("main", &[&["a", "ask", "d"], &["c"]]));
    let resumed = world.answer("yes");
    world.settle(&mut Rng::new(1), None);
    assert!(matches!(world.outcome(resumed), RunOutcome::Parked(_)));
    assert!(!events(&world, resumed).contains(&"again a".to_owned()));
}

#[test]
fn a_task_is_told_at_once_that_the_graph_which_it_calls_pauses() {
    let code = Code::default().graph("main", &[&["t"], &["b"]]).graph("inner", &[&["j|"], &["d"]]);
    let mut world = world_of(code, 0);
    world.async_task("t", |_| async { child("inner", ["x"]).await });
    let mut rng = Rng::new(1);
    world.start("in");
    world.load();
    // Nobody asks again, and no time passes.
    for _ in 0..50 {
        world.work(&mut rng);
    }
    assert_eq!(world.status(), Some(&ThreadStatus::Pending));
    assert_eq!(run(&mut world, Action::Retry).1, done(&["in", "x", "j|", "d", "b"]));
}
