//! Streams of runs whose bodies call entrypoints; the lines are what LangGraph shows.

use rethread_client::{CheckpointId, Cursor, EventKind, Mode, RunOutcome};
use rethread_core::checkpoint::Progress;
use rethread_core::event::ChildStart;
use rethread_core::policy::History;

use crate::coordinator::payload;
use crate::shown::{
    asked, begun, begun_again, cached, call, child, completed, ended, failed, fresh, known, no,
    run_with, shown, task, updated, wrote,
};

const MODES: [Mode; 5] =
    [Mode::Values, Mode::Updates, Mode::Custom, Mode::Tasks, Mode::Checkpoints];

/// The lines of a run with these events, without those that only its root has.
async fn inside(kinds: Vec<EventKind>) -> Vec<String> {
    let (run, _coordinator) = run_with(kinds).await;
    let lines = shown(run.stream(MODES).subgraphs(true)).await;
    lines.into_iter().filter(|line| line.contains(" [main")).collect()
}

fn with(kinds: impl IntoIterator<Item = EventKind>) -> Vec<EventKind> {
    [begun()].into_iter().chain(kinds).chain(completed()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_child_shows_its_checkpoints_and_everything_of_its_body() {
    let kinds = with([
        child(0, 1, "sub", fresh(1)),
        wrote(Some(1), "in sub"),
        task(1, 2, "step"),
        wrote(Some(2), "in step"),
        updated(2, "step", 2),
        updated(1, "sub", 3),
    ]);
    let expected = [
        "checkpoints [main:t0] c1a of none: input -1 values null user ada tasks [{name:sub}]",
        "tasks [main:t0] start sub t1 input [1]",
        "custom [main:t0] {value:in sub}",
        "tasks [main:t0] start step t2 input [1]",
        "custom [main:t0 sub:t1] {value:in step}",
        "updates [main:t0] {name:step,value:2}",
        "tasks [main:t0] finish step t2 result 2",
        "updates [main:t0] {name:sub,value:3}",
        "tasks [main:t0] finish sub t1 result 3",
        "values [main:t0] {value:3}",
        "checkpoints [main:t0] c1b of c1a: loop 0 values 3 user ada tasks []",
    ];
    assert_eq!(inside(kinds).await, expected);
}

#[tokio::test(start_paused = true)]
async fn paths_name_the_callers_and_count_children() {
    let kinds = with([
        task(0, 1, "t"),
        wrote(Some(1), "a"),
        updated(1, "t", 0),
        child(0, 2, "sub", fresh(2)),
        updated(2, "sub", 0),
        child(0, 3, "sub", fresh(3)),
        task(3, 4, "outer"),
        task(4, 5, "t"),
        wrote(Some(5), "b"),
        child(4, 6, "deep", fresh(6)),
        wrote(Some(6), "c"),
        child(4, 7, "deep", fresh(7)),
    ]);
    let lines = inside(kinds).await;
    let wanted: Vec<_> =
        lines.iter().filter(|l| l.starts_with("custom") || l.contains("start")).collect();
    let expected = [
        "custom [main:t0] {value:a}",
        "tasks [main:t0] start sub t2 input [1]",
        "tasks [main:t0 1] start sub t3 input [1]",
        "tasks [main:t0 1] start outer t4 input [1]",
        "tasks [main:t0 1] start t t5 input [1]",
        "custom [main:t0 1 sub:t3 outer:t4] {value:b}",
        "tasks [main:t0 1 sub:t3 outer:t4] start deep t6 input [1]",
        "custom [main:t0 1 sub:t3 outer:t4] {value:c}",
        "tasks [main:t0 1 sub:t3 outer:t4 1] start deep t7 input [1]",
    ];
    // A task of the root has no path, but what it writes has.
    assert_eq!(wanted, expected.iter().collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn without_subgraphs_nothing_of_children_is_shown() {
    let kinds = with([
        wrote(None, "m"),
        child(0, 1, "sub", fresh(1)),
        wrote(Some(1), "in sub"),
        task(1, 2, "step"),
        wrote(Some(2), "in step"),
        updated(2, "step", 2),
        updated(1, "sub", 3),
        task(0, 3, "outer"),
        task(3, 4, "step"),
        wrote(Some(4), "kept"),
    ]);
    let (run, _coordinator) = run_with(kinds).await;
    let modes = [Mode::Values, Mode::Updates, Mode::Custom, Mode::Tasks];
    let expected = [
        "tasks start main t0 input cat",
        "custom {value:m}",
        "tasks start outer t3 input [1]",
        "tasks start step t4 input [1]",
        "custom {value:kept}",
        "updates {name:main,value:cats}",
        "tasks finish main t0 result cats",
        "values {value:cats}",
    ];
    assert_eq!(shown(run.stream(modes)).await, expected);
}

#[tokio::test(start_paused = true)]
async fn questions_are_shown_at_every_level_from_the_inside_out() {
    let kinds = vec![
        begun(),
        child(0, 1, "mid", fresh(1)),
        child(1, 2, "sub", fresh(2)),
        task(2, 3, "ask"),
        task(0, 4, "ask"),
        ended(RunOutcome::Interrupted(vec![asked(1, &[4]), asked(2, &[1, 2, 3])])),
    ];
    let (run, _coordinator) = run_with(kinds).await;
    let modes = [Mode::Values, Mode::Updates, Mode::Tasks];
    let lines = shown(run.stream(modes).subgraphs(true)).await;
    let expected = [
        "updates [main:t0 mid:t1] {interrupts:[i2]}",
        "values [main:t0 mid:t1] {interrupts:[i2]}",
        "tasks [main:t0 mid:t1] finish sub t2 interrupts [i2]",
        "updates [main:t0] {interrupts:[i2]}",
        "values [main:t0] {interrupts:[i2]}",
        "tasks [main:t0] finish mid t1 interrupts [i2]",
        "updates {interrupts:[i1,i2]}",
        "values {interrupts:[i1,i2]}",
        "tasks finish main t0 interrupts [i1,i2]",
    ];
    assert_eq!(lines[5..], expected);
    // A reader that comes later knows the levels too.
    assert_eq!(shown(run.stream_from(modes, Cursor::behind(5)).subgraphs(true)).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_was_interrupted_goes_on() {
    let before = Progress { interrupts: vec![asked(1, &[1])], ..Progress::default() };
    let mut kinds = vec![
        begun_again(true, before.clone()),
        child(0, 1, "sub", known(1, before)),
        task(1, 2, "step"),
        updated(1, "sub", "yes"),
    ];
    kinds.extend(completed());
    let expected = [
        "values [main:t0] {value:null}",
        "checkpoints [main:t0] c1a of none: input -1 values null user ada tasks [{interrupts:[i1],name:sub}]",
        "tasks [main:t0] start sub t1 input [1]",
        "tasks [main:t0] start step t2 input [1]",
        "updates [main:t0] {name:sub,value:yes}",
        "tasks [main:t0] finish sub t1 result yes",
        "values [main:t0] {value:yes}",
        "checkpoints [main:t0] c1b of c1a: loop 0 values yes user ada tasks []",
    ];
    assert_eq!(inside(kinds).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_completed_before_shows_its_value_only() {
    let result = Progress { result: Some(payload(2)), ..Progress::default() };
    let mut kinds = vec![
        begun_again(true, Progress::default()),
        child(0, 1, "sub", known(1, result.clone())),
        child(0, 2, "sub", known(2, result)),
    ];
    kinds.extend(completed());
    let expected = [
        "values [main:t0] {value:2}",
        "checkpoints [main:t0] c1b of c1a: loop 0 values 2 user ada tasks []",
        "values [main:t0 1] {value:2}",
        "checkpoints [main:t0 1] c2b of c2a: loop 0 values 2 user ada tasks []",
    ];
    assert_eq!(inside(kinds).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_history_of_its_own_has_a_path_without_ids() {
    let former = CheckpointId::of_child(call(8), 1);
    let start = ChildStart {
        history: History::Thread,
        parent: Some(former),
        step: 1,
        values: payload("before"),
        ..fresh(1)
    };
    let kinds = with([
        child(0, 1, "sub", start),
        task(1, 2, "step"),
        wrote(Some(2), "in step"),
        updated(1, "sub", "now"),
    ]);
    let expected = [
        "checkpoints [main] c1a of c8b: input 1 values before user ada tasks [{name:sub}]",
        "tasks [main] start sub t1 input [1]",
        "tasks [main] start step t2 input [1]",
        "custom [main sub:t1] {value:in step}",
        "updates [main] {name:sub,value:now}",
        "tasks [main] finish sub t1 result now",
        "values [main] {value:now}",
        "checkpoints [main] c1b of c1a: loop 2 values now user ada tasks []",
    ];
    assert_eq!(inside(kinds).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_child_without_history_shows_no_checkpoints() {
    let start = ChildStart { history: History::Off, ..fresh(1) };
    let kinds = with([child(0, 1, "sub", start), updated(1, "sub", 3)]);
    let expected = [
        "tasks [main:t0] start sub t1 input [1]",
        "updates [main:t0] {name:sub,value:3}",
        "tasks [main:t0] finish sub t1 result 3",
        "values [main:t0] {value:3}",
    ];
    assert_eq!(inside(kinds).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_cached_child_has_no_finish() {
    let kinds = with([child(0, 1, "sub", fresh(1)), cached(1, "sub", 3)]);
    let expected = [
        "checkpoints [main:t0] c1a of none: input -1 values null user ada tasks [{name:sub}]",
        "tasks [main:t0] start sub t1 input [1]",
        "updates [main:t0] {cached:true,name:sub,value:3}",
        "values [main:t0] {value:3}",
        "checkpoints [main:t0] c1b of c1a: loop 0 values 3 user ada tasks []",
    ];
    assert_eq!(inside(kinds).await, expected);
}

#[tokio::test(start_paused = true)]
async fn failures_are_shown_from_the_inside_out() {
    let kinds = vec![
        begun(),
        child(0, 1, "sub", fresh(1)),
        task(1, 2, "step"),
        failed(2, "step"),
        failed(1, "sub"),
        ended(RunOutcome::Failed(no())),
    ];
    let (run, _coordinator) = run_with(kinds).await;
    let lines = shown(run.stream([Mode::Tasks]).subgraphs(true)).await;
    let expected = [
        "tasks [main:t0] finish step t2 error {kind:Declined,message:no}",
        "tasks [main:t0] finish sub t1 error {kind:Declined,message:no}",
        "tasks finish main t0 error {kind:Declined,message:no}",
    ];
    assert_eq!(lines[3..6], expected);
}

#[tokio::test(start_paused = true)]
async fn debug_counts_the_steps_of_each_run() {
    let start = ChildStart { step: 4, ..fresh(1) };
    let kinds = with([child(0, 1, "sub", start), task(1, 2, "step"), updated(1, "sub", 3)]);
    let (run, _coordinator) = run_with(kinds).await;
    let lines = shown(run.stream([Mode::Debug]).subgraphs(true)).await;
    let steps: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("[main:t0]"))
        .map(|line| line.split(' ').nth(2).expect("a step"))
        .collect();
    assert_eq!(steps, ["4", "5", "5", "5", "5"]);
}
