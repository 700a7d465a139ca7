//! Random programs of tasks, children and questions, with crashes, cancels and retries: every one
//! comes to its end, and none is found not to fit its journal.

use futures::future::{BoxFuture, FutureExt, join};
use rethread_core::event::RunOutcome;
use rethread_core::failure::Failure;
use rethread_core::header::ThreadStatus;
use rethread_core::message::{Action, Answers, AttemptOutcome, Cancel};
use rethread_core::payload::Payload;
use rethread_core::policy::{EntrypointOptions, History, Retry, TaskOptions};
use rethread_core::replay::Outcome;

use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, ask, child, payload, task, task_with, value};

/// Does what a seed says, some levels deep, in whatever body it is called.
fn act(seed: u64, depth: u32) -> BoxFuture<'static, Outcome> {
    async move {
        let mut rng = Rng::new(seed);
        let mut detached = Vec::new();
        for step in 0..1 + rng.below(3) {
            let next =
                (seed.wrapping_mul(31).wrapping_add(step as u64 + 1), depth.saturating_sub(1));
            let kinds = if depth == 0 { 3 } else { 9 };
            match rng.below(kinds) {
                0 => drop(task("echo", next).await?),
                1 => drop(ask(step).await?),
                2 => detached.push(task("echo", next)),
                3 => drop(child(["kept", "off", "again"][rng.below(3)], next).await?),
                4 => drop(task("calls", next).await?),
                5 => {
                    let (a, b) = join(task("calls", next), child("kept", next)).await;
                    a?;
                    b?;
                }
                6 => {
                    let retry = vec![Retry::attempts(3).jitter(false)];
                    let options = TaskOptions { retry, ..TaskOptions::default() };
                    drop(task_with("flaky", next, options).await?);
                }
                7 => detached.push(child(["kept", "off", "again"][rng.below(3)], next)),
                _ => drop(join(task("echo", next), task("asks", next)).await),
            }
        }
        Ok(payload(seed))
    }
    .boxed()
}

pub(crate) fn world() -> World {
    let run = |input: Payload| {
        let (seed, depth): (u64, u32) = value(&input);
        act(seed, depth)
    };
    let again = move |input: Payload| async move {
        let result = run(input).await?;
        // A run that goes on counts its attempts anew, so this is decided by what is recorded.
        let n: u32 = value(&task("flip", ()).await?);
        if n == 0 { Err(Failure::new("Flaky", "again")) } else { Ok(result) }
    };
    let off = EntrypointOptions { history: History::Off, ..EntrypointOptions::default() };
    let retry = vec![Retry::attempts(1_000).jitter(false)];
    let retrying = EntrypointOptions { retry, ..EntrypointOptions::default() };
    let code = Code::main(run).with("kept", run).with("off", run).with("again", again);
    let mut world = World::new(code.options("off", off).options("again", retrying));
    world.runs_recorded_again = true;
    world.async_task("calls", run);
    world.task("asks", |order| match order.answers.first() {
        Some(answer) => AttemptOutcome::Completed(answer.clone()),
        None => AttemptOutcome::Asked { index: 0, value: Payload::NULL },
    });
    let flips = std::cell::Cell::new(0_u32);
    world.task("flip", move |_| {
        flips.set(flips.get() + 1);
        AttemptOutcome::Completed(payload(flips.get() % 2))
    });
    world.task("flaky", |order| match order.try_number {
        1 => AttemptOutcome::failed(Failure::new("Flaky", "not yet")),
        _ => AttemptOutcome::Completed(order.input.clone()),
    });
    world
}

#[test]
fn random_programs_come_to_their_end() {
    let mut ended = 0;
    for seed in 0..60_u64 {
        let mut world = world();
        let mut rng = Rng::new(seed);
        let crashes = (seed % 3 > 0).then_some(12);
        let mut run = world.start((seed, 3_u32));
        for round in 0..100 {
            if rng.below(6) == 0 {
                world.steps(rng.below(12), &mut rng);
                world.submit(Action::Cancel(Cancel::default()));
            }
            world.settle(&mut rng, crashes);
            match world.status().expect("it ran").clone() {
                ThreadStatus::Idle => break,
                ThreadStatus::Interrupted(open) => {
                    let one = open[rng.below(open.len())].id;
                    let answers = Answers::ById([(one, payload(round))].into());
                    run = world.submit(Action::Resume(answers));
                }
                ThreadStatus::Cancelled => run = world.submit(Action::Retry),
                other => panic!("seed {seed}, round {round}: {other:?}"),
            }
        }
        // What a child without a history does again may differ each time, and so never end.
        if world.status() == Some(&ThreadStatus::Idle) {
            assert_eq!(world.outcome(run), &RunOutcome::Done(payload(seed)), "seed {seed}");
            ended += 1;
        }
    }
    assert!(ended > 50, "only {ended} of 60 programs ended");
}
