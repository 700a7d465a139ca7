//! The machine is lost after every single effect of a run; what comes out is the same, and
//! nothing that was recorded runs twice.

use futures::future::{join, try_join_all};
use rethread_core::event::RunOutcome;
use rethread_core::failure::Failure;
use rethread_core::header::ThreadStatus;
use rethread_core::message::AttemptOutcome;
use rethread_core::payload::Payload;
use rethread_core::policy::{Retry, TaskOptions};

use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, ask, child, emit, payload, sleep, task, task_with, value};

/// Parallel tasks, a retried one, a child entrypoint with a task of its own, a timer, a question
/// of the entrypoint and a question of a task.
async fn body() -> Result<Payload, Failure> {
    emit("begin");
    let options =
        TaskOptions { retry: vec![Retry::attempts(3).jitter(false)], ..Default::default() };
    let parallel = try_join_all((0..3_u64).map(|n| task("work", n)));
    let (parallel, flaky) = join(parallel, task_with("flaky", "x", options)).await;
    let parallel: Vec<u64> = parallel?.iter().map(value).collect();
    let flaky: u64 = value(&flaky?);
    let detached = task("work", 70_u64);
    let approved: bool = value(&ask("first?").await?);
    emit("answered");
    let from_child: u64 = value(&child("child", 5_u64).await?);
    sleep(1_000).await?;
    let asked: String = value(&task("asking", ()).await?);
    drop(detached);
    Ok(payload((parallel, flaky, approved, from_child, asked)))
}

fn world() -> World {
    let code = Code::main(|_| body()).with("child", |input| async move {
        let n: u64 = value(&input);
        let (a, b) = join(task("work", n), task("work", n)).await;
        Ok(payload(value::<u64>(&a?) + value::<u64>(&b?)))
    });
    let mut world = World::new(code);
    world.task("work", |order| AttemptOutcome::Completed(payload(value::<u64>(&order.input) * 10)));
    world.task("flaky", |order| match order.target.attempt {
        1 => AttemptOutcome::failed(Failure::new("Flaky", "not yet")),
        _ => AttemptOutcome::Completed(payload(7_u64)),
    });
    world.task("asking", |order| match order.answers.first() {
        None => AttemptOutcome::Asked { index: 0, value: payload("second?") },
        Some(answer) => AttemptOutcome::Completed(answer.clone()),
    });
    world
}

type Answer = (Vec<u64>, u64, bool, u64, String);

/// Runs to the end with answers given when they are asked for. Says how often the machine was
/// lost.
fn run(seed: u64, crash_after: Option<usize>) -> (World, usize) {
    let mut rng = Rng::new(seed);
    let mut world = world();
    world.crash_after = crash_after;
    let mut run = world.start(());
    world.settle(&mut rng, None);
    for answer in [payload(true), payload("fine")] {
        let Some(ThreadStatus::Interrupted(open)) = world.status() else {
            panic!("a question is open, crash after {crash_after:?}: {:?}", world.status());
        };
        assert_eq!(open.len(), 1);
        run = world.answer(value::<Any>(&answer));
        world.settle(&mut rng, None);
    }
    let RunOutcome::Done(result) = world.outcome(run) else {
        panic!("crash after {crash_after:?}: {:?}", world.outcome(run));
    };
    let expected = (vec![0, 10, 20], 7, true, 100, "fine".to_owned());
    assert_eq!(value::<Answer>(result), expected, "crash after {crash_after:?}");
    assert_eq!(world.custom(run), ["begin", "answered"], "a resume shows the body from the top");
    assert!(world.store.journal.is_empty(), "a completed execution folds its journal");
    let crashes = world.crashes;
    (world, crashes)
}

/// Any of the answers' types.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
enum Any {
    Bool(bool),
    Text(String),
}

#[test]
fn without_a_crash_every_body_runs_as_often_as_it_must() {
    let (world, _) = run(1, None);
    let starts = ["work", "flaky", "asking"].map(|name| world.starts(name));
    assert_eq!(starts, [3 + 1 + 2, 2, 2]);
}

#[test]
fn a_crash_after_any_effect_changes_nothing() {
    for seed in 0..20 {
        let effects = run(seed, None).0.effects;
        assert!(effects > 20, "the run has many effects: {effects}");
        for crash_after in 1..=effects {
            let (world, crashes) = run(seed, Some(crash_after));
            assert_eq!(crashes, 1, "seed {seed}: crash point {crash_after} was reached");
            // Orders survive the machine, so no body runs more often than without the crash.
            let starts = ["work", "flaky", "asking"].map(|name| world.starts(name));
            assert_eq!(starts, [6, 2, 2], "seed {seed}, crash after {crash_after}");
        }
    }
}

#[test]
fn random_crashes_change_nothing() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let mut world = world();
        world.start(());
        world.settle(&mut rng, Some(4));
        world.answer(true);
        world.settle(&mut rng, Some(4));
        let run = world.answer("fine");
        world.settle(&mut rng, Some(4));
        assert!(matches!(world.outcome(run), RunOutcome::Done(_)), "seed {seed}");
        assert_eq!(["work", "flaky", "asking"].map(|name| world.starts(name)), [6, 2, 2]);
    }
}
