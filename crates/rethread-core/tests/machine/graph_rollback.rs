//! Runs of graphs that are taken back, with the steps that they have made.

use std::collections::BTreeMap;
use std::sync::Arc;

use rethread_core::checkpoint::Checkpoint;
use rethread_core::event::{Refusal, RunOutcome};
use rethread_core::graph::Breakpoints;
use rethread_core::header::{ThreadHeader, ThreadStatus};
use rethread_core::ids::{CheckpointId, ExecutionId, RunId};
use rethread_core::journal::{Entry, Fact};
use rethread_core::message::{Action, Answers, Cancel, Multitask};
use rethread_core::record::Record;
use rethread_core::settings::RunDurability;

use crate::graph_edits::{at, command, update};
use crate::graphs::{checkpoints, done, history, run, start, world, world_of};
use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, payload};

/// Where a thread stands.
#[derive(Debug, PartialEq)]
struct Place {
    entrypoint: String,
    execution: Option<ExecutionId>,
    head: CheckpointId,
    base: Option<CheckpointId>,
    step: i64,
}

/// What a thread is, but for when it was written and how many checkpoints it has ever made.
#[derive(Debug, PartialEq)]
struct Standing {
    status: Option<ThreadStatus>,
    place: Option<Place>,
    checkpoints: BTreeMap<CheckpointId, Checkpoint>,
    /// The entries of the step in progress.
    journal: Vec<Entry>,
}

fn standing(world: &World) -> Standing {
    let header = world.store.header.as_ref();
    let place = |header: &ThreadHeader| Place {
        entrypoint: header.entrypoint.clone(),
        execution: header.execution,
        head: header.head,
        base: header.base,
        step: header.step,
    };
    let journal = &world.store.journal;
    let begins = |entry: &Entry| matches!(entry.fact, Fact::Began(_));
    let began = journal.iter().rposition(begins).unwrap_or_default();
    assert!(header.is_none_or(|header| header.base == world.store.base));
    Standing {
        status: world.status().cloned(),
        place: header.map(place),
        checkpoints: world.store.checkpoints.clone(),
        journal: journal[began..].to_vec(),
    }
}

fn cancel(world: &mut World) -> RunId {
    world.submit(Action::Cancel(Cancel { run: None, roll_back: true }))
}

/// Lets a run make as many steps as it can until a node is run that never ends.
fn until_never(world: &mut World) {
    world.load();
    let mut rng = Rng::new(1);
    for _ in 0..200 {
        let is_last = |world: &World| {
            world.store.inbox.is_empty() && world.store.queue.iter().all(|it| it.name == "never")
        };
        if is_last(world) {
            return;
        }
        match world.store.queue.iter().position(|it| it.name != "never") {
            Some(order) if rng.below(2) == 0 || world.store.inbox.is_empty() => {
                world.run_order(order);
            }
            _ => world.handle_message(),
        }
    }
    panic!("comes to no node that never ends: {:?}", world.status());
}

/// Takes a run back that waits for a node which never ends; the owner may change before.
fn roll_back(world: &mut World) {
    for _ in 0..2 {
        let before = world.store.checkpoints.len();
        until_never(world);
        assert_eq!(world.status(), Some(&ThreadStatus::Running));
        world.crash();
        assert!(world.store.checkpoints.len() >= before);
    }
    let by = cancel(world);
    while !world.store.inbox.is_empty() {
        world.handle_message();
    }
    assert_eq!(world.outcome(by), &RunOutcome::Edited(None));
    world.crash();
}

#[test]
fn the_first_run_leaves_no_thread() {
    let mut world = world(&[&["a"], &["b"], &["never"]]);
    world.start("in");
    roll_back(&mut world);
    assert_eq!(world.status(), None);
    assert!(world.store.checkpoints.is_empty() && world.store.journal.is_empty());
    assert_eq!(world.starts("b"), 1);
}

#[test]
fn a_further_input_leaves_what_was_before() {
    let mut world = world(&[&["a"], &["b"]]);
    start(&mut world, "in");
    let before = standing(&world);
    let program = world.program.clone();
    world.program = Arc::new(Code::default().graph("main", &[&["c"], &["never"]]));
    world.start("more");
    roll_back(&mut world);
    assert_eq!(standing(&world), before);
    world.program = program;
    assert_eq!(start(&mut world, "x").1, done(&["in", "a", "b", "x", "a", "b"]));
}

#[test]
fn a_resume_stands_before_its_answers_again() {
    let mut world = world(&[&["a", "ask"], &["b"], &["c"], &["never"]]);
    start(&mut world, "in");
    let before = standing(&world);
    world.answer("no");
    roll_back(&mut world);
    assert_eq!(standing(&world), before);
    let code = Code::default().graph("main", &[&["a", "ask"], &["b"], &["c"]]);
    world.program = Arc::new(code);
    let last = world.answer("yes");
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(last), &done(&["in", "a", "yes", "b", "c"]));
    assert_eq!((world.starts("a"), world.starts("b")), (1, 2));
}

#[test]
fn a_retry_stands_at_its_failure_again() {
    let mut world = world(&[&["a", "bad"], &["b"], &["never"]]);
    start(&mut world, "in");
    let before = standing(&world);
    world.submit(Action::Retry);
    roll_back(&mut world);
    assert_eq!(standing(&world), before);
    assert!(matches!(world.status(), Some(ThreadStatus::Failed(_))));
}

#[test]
fn a_run_behind_a_breakpoint_stands_there_again() {
    let mut world = world(&[&["a"], &["b"], &["c"], &["never"]]);
    let before = vec!["b".into()];
    world.asking.settings.breakpoints = Breakpoints { before, after: Vec::new() };
    start(&mut world, "in");
    let before = standing(&world);
    assert_eq!(world.status(), Some(&ThreadStatus::Pending));
    world.submit(Action::Retry);
    roll_back(&mut world);
    assert_eq!(standing(&world), before);
}

#[test]
fn a_command_in_place_is_taken_back() {
    for (update, goto, answer) in [
        (Some("note"), vec!["b"], Some("yes")),
        (Some("note"), vec![], Some("yes")),
        (None, vec!["never"], None),
    ] {
        let mut world = world(&[&["a", "ask"], &["c"], &["never"]]);
        start(&mut world, "in");
        let before = standing(&world);
        world.submit(command(update, &goto, answer));
        roll_back(&mut world);
        assert_eq!(standing(&world), before, "{goto:?}");
    }
}

#[test]
fn a_command_at_the_end_is_taken_back() {
    for goto in [["b"], ["never"]] {
        let mut world = world(&[&["a"]]);
        start(&mut world, "in");
        let before = standing(&world);
        let steps: &[&[&str]] = &[&["a"], &["c"], &["never"]];
        world.program = Arc::new(Code::default().graph("main", steps));
        world.submit(command(Some("note"), &goto, None));
        roll_back(&mut world);
        assert_eq!(standing(&world), before);
    }
}

#[test]
fn a_run_from_an_older_checkpoint_leaves_the_thread_there() {
    let mut world = world(&[&["a"], &["b"], &["c"]]);
    start(&mut world, "in");
    let before = standing(&world);
    at(&mut world, 2);
    let older = checkpoints(&world)[2].clone();
    let steps: &[&[&str]] = &[&["a"], &["b"], &["c"], &["never"]];
    world.program = Arc::new(Code::default().graph("main", steps));
    world.submit(command(Some("note"), &[], None));
    roll_back(&mut world);
    let after = standing(&world);
    assert_eq!(after.checkpoints, before.checkpoints);
    let header = world.store.header.clone().expect("it ran");
    assert_eq!((header.head, header.base), (older.id, Some(older.id)));
    assert_eq!((header.status, header.step), (ThreadStatus::Idle, older.step));
    world.program = Arc::new(Code::default().graph("main", &[&["d"]]));
    assert_eq!(start(&mut world, "x").1, done(&["in", "a", "x", "d"]));
}

#[test]
fn a_run_of_durability_exit_is_taken_back() {
    let mut world = world(&[&["a"], &["ask"], &["b"], &["c"], &["never"]]);
    world.asking.settings.durability = RunDurability::Exit;
    start(&mut world, "in");
    let before = standing(&world);
    assert_eq!(history(&world).len(), 1);
    world.asking.settings.durability = RunDurability::Exit;
    world.answer("yes");
    roll_back(&mut world);
    assert_eq!(standing(&world), before);
}

#[test]
fn an_input_that_rolls_back_begins_where_the_thread_was() {
    let mut world = world(&[&["a"], &["b"]]);
    start(&mut world, "in");
    let made = checkpoints(&world).len();
    let rolled_back = world.start("x");
    world.load();
    world.handle_message();
    world.run_order(0);
    world.handle_message();
    world.asking.multitask = Multitask::Rollback;
    let last = world.start("y");
    world.handle_message();
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(rolled_back), &RunOutcome::Cancelled);
    assert_eq!(world.outcome(last), &done(&["in", "a", "b", "y", "a", "b"]));
    assert_eq!(checkpoints(&world).len(), 2 * made);
}

#[test]
fn the_journal_does_not_grow_with_the_steps_of_a_run() {
    let steps: Vec<&[&str]> = vec![&["a"]; 300];
    let mut world = world(&steps);
    world.start("x".repeat(2_000));
    let mut most = 0;
    for _ in 0..600 {
        world.steps(1, &mut Rng::new(1));
        let bytes = |entry: &Entry| entry.to_record().len();
        most = most.max(world.store.journal.iter().map(bytes).sum());
    }
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.status(), Some(&ThreadStatus::Idle));
    assert!(most < 120_000, "{most} bytes");
}

/// Whatever a thread rests at, whatever goes on from there, however far it came, and whoever
/// owns it: taken back, the thread is what it was, and comes to the same as if nothing had been.
#[test]
fn random_runs_are_taken_back_under_crashes() {
    let (mut taken_back, mut stepped) = (0, 0);
    for seed in 0..400 {
        let mut rng = Rng::new(seed);
        // Between two stops it makes some steps.
        let stops: [&[&str]; 4] = [&["a", "ask"], &["@inner", "b"], &["bad", "c"], &["a"]];
        let outer: Vec<_> = stops
            .iter()
            .flat_map(|stop| std::iter::once(*stop).chain([["d"].as_slice(); 6]))
            .collect();
        let inner: &[&[&str]] = &[&["c", "i"], &["ask2"], &["j|"], &["d"]];
        let mut world = world_of(Code::default().graph("main", &outer).graph("inner", inner), 1);
        let exit = rng.below(4) == 0;
        let ask = |world: &mut World| {
            if exit {
                world.asking.settings.durability = RunDurability::Exit;
            }
        };
        ask(&mut world);
        world.start("in");
        world.settle(&mut rng, Some(8));
        for _ in 0..rng.below(5) {
            ask(&mut world);
            go_on(&mut world, rng.below(4), &mut rng);
            world.settle(&mut rng, Some(8));
        }
        let (before, was) = (standing(&world), world.status().cloned());
        let (starts, made) = (world.starts("a"), world.store.checkpoints.len());
        ask(&mut world);
        // An edit is no part of the run that follows it.
        let kind = [0, 1, 3, 4][rng.below(4)];
        let is_start = go_on(&mut world, kind, &mut rng);
        for _ in 0..rng.below(25) {
            if rng.below(6) == 0 {
                world.crash();
            }
            world.steps(1, &mut rng);
        }
        let run = world.store.header.as_ref().map(|header| header.run);
        let by = cancel(&mut world);
        while world.store.inbox.len() > 1 {
            world.handle_message();
        }
        let has_stepped = world.store.checkpoints.len() > made + 1;
        world.settle(&mut rng, Some(8));
        if matches!(world.outcome(by), RunOutcome::Refused(_)) {
            continue;
        }
        taken_back += 1;
        stepped += usize::from(has_stepped);
        let after = standing(&world);
        if is_start {
            assert_eq!(after.checkpoints, before.checkpoints, "seed {seed}");
            assert_eq!(after.status, Some(ThreadStatus::Idle), "seed {seed}");
            assert!(after.journal.is_empty());
        } else {
            let is_same = after == before;
            assert_eq!(after.status, before.status, "seed {seed}, {kind}");
            assert_eq!(after.place, before.place, "seed {seed}, {kind}");
            assert!(is_same, "seed {seed}, {kind}, {was:?}, {run:?}");
            assert!(world.starts("a") >= starts);
        }
        finish(&mut world, &mut rng);
        assert_eq!(world.status(), Some(&ThreadStatus::Idle), "seed {seed}");
    }
    assert!(taken_back > 100 && stepped > 50, "{taken_back} taken back, {stepped} with steps");
}

/// Goes on with a thread in one of several ways; says whether a new input was given.
fn go_on(world: &mut World, kind: usize, rng: &mut Rng) -> bool {
    let status = world.status().cloned();
    match (kind, status) {
        (0, Some(ThreadStatus::Interrupted(open))) if !open.is_empty() => {
            let answered = open.iter().skip(rng.below(2) % open.len());
            let answers = answered.map(|one| (one.id, payload("yes"))).collect();
            world.submit(Action::Resume(Answers::ById(answers)));
        }
        (1, _) => {
            world.submit(command(Some("note"), &["b"], None));
        }
        (2, Some(ThreadStatus::Interrupted(_) | ThreadStatus::Pending)) => {
            // May be refused: then a retry follows.
            world.submit(update("U", Some("i"), &["@inner"]));
            world.settle(rng, None);
            world.submit(Action::Retry);
        }
        (4, _) | (0 | 3, Some(ThreadStatus::Idle)) => {
            world.start("more");
            return true;
        }
        _ => {
            world.submit(Action::Retry);
        }
    }
    false
}

/// Brings a thread to its end.
fn finish(world: &mut World, rng: &mut Rng) {
    for _ in 0..30 {
        match world.status().cloned() {
            Some(ThreadStatus::Interrupted(open)) => {
                let answers = open.iter().map(|one| (one.id, payload("yes"))).collect();
                world.submit(Action::Resume(Answers::ById(answers)));
            }
            Some(ThreadStatus::Idle) => return,
            _ => {
                world.submit(Action::Retry);
            }
        }
        world.settle(rng, Some(8));
    }
}

#[test]
fn a_run_that_has_ended_is_not_taken_back() {
    let mut world = world(&[&["a"], &["b"]]);
    let (ended, _) = start(&mut world, "in");
    let cancel = Cancel { run: Some(ended), roll_back: true };
    let (_, outcome) = run(&mut world, Action::Cancel(cancel));
    assert_eq!(outcome, RunOutcome::Refused(Refusal::NotRunning { run: ended }));
}
