//! Tasks that call tasks and entrypoints.

use futures::future::{join, try_join_all};
use rethread_core::event::RunOutcome;
use rethread_core::failure::Failure;
use rethread_core::header::ThreadStatus;
use rethread_core::message::AttemptOutcome;
use rethread_core::payload::Payload;
use rethread_core::policy::{Retry, TaskOptions};

use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, ask, child, payload, task, task_with, value};

fn sum(payloads: &[Payload]) -> u64 {
    payloads.iter().map(value::<u64>).sum()
}

/// `outer` calls `middle` twice at once, each of which calls `inner` and the entrypoint `child`,
/// which calls `inner` too.
fn world() -> World {
    let code = Code::main(|_| async {
        let both = join(task("outer", 1_u64), task("inner", 1_000_u64)).await;
        Ok(payload(sum(&[both.0?, both.1?])))
    })
    .with("child", |input| async move {
        let n: u64 = value(&input);
        Ok(payload(n + value::<u64>(&task("inner", n + 5).await?)))
    });
    let mut world = World::new(code);
    world.async_task("outer", |input| async move {
        let n: u64 = value(&input);
        let results = try_join_all([task("middle", n), task("middle", n + 1)]).await?;
        Ok(payload(sum(&results)))
    });
    world.async_task("middle", |input| async move {
        let n: u64 = value(&input);
        let inner = task("inner", n * 10).await?;
        let child = child("child", n * 100).await?;
        Ok(payload(sum(&[inner, child])))
    });
    world.task("inner", |order| AttemptOutcome::Completed(payload(value::<u64>(&order.input) + 1)));
    world
}

const RESULT: u64 = 1_001 + (11 + 100 + 106) + (21 + 200 + 206);

#[test]
fn calls_of_tasks_give_their_results() {
    let mut world = world();
    let run = world.start(());
    world.settle(&mut Rng::new(3), None);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(RESULT)));
    let starts = ["outer", "middle", "inner"].map(|name| world.starts(name));
    assert_eq!(starts, [1, 2, 5]);
}

#[test]
fn losing_the_coordinator_at_any_effect_runs_nothing_again() {
    for seed in 0..10 {
        let effects = {
            let mut world = world();
            world.start(());
            world.settle(&mut Rng::new(seed), None);
            world.effects
        };
        for crash_after in 1..=effects {
            let mut world = world();
            world.crash_after = Some(crash_after);
            let run = world.start(());
            world.settle(&mut Rng::new(seed), None);
            assert_eq!(world.outcome(run), &RunOutcome::Done(payload(RESULT)));
            let starts = ["outer", "middle", "inner"].map(|name| world.starts(name));
            assert_eq!(starts, [1, 2, 5], "seed {seed}, crash after {crash_after}");
        }
    }
}

#[test]
fn losing_workers_and_coordinator_keeps_what_was_finished() {
    for seed in 0..300 {
        let mut world = world();
        let run = world.start(());
        let mut rng = Rng::new(seed);
        for _ in 0..5 {
            world.steps(rng.below(8), &mut rng);
            world.kill_workers();
            if rng.below(2) == 0 {
                world.crash();
            }
        }
        world.settle(&mut rng, Some(20));
        assert_eq!(world.outcome(run), &RunOutcome::Done(payload(RESULT)), "seed {seed}");
        assert_eq!(world.starts("inner"), 5, "seed {seed}: finished calls stay finished");
    }
}

#[test]
fn a_retried_task_keeps_finished_calls_and_repeats_failed_ones() {
    let code = Code::main(|_| async {
        let options =
            TaskOptions { retry: vec![Retry::attempts(3).jitter(false)], ..Default::default() };
        task_with("outer", (), options).await
    });
    let mut world = World::new(code);
    world.async_task("outer", |_| async {
        let good = task("good", 1_u64).await?;
        let bad = task("bad", 2_u64).await?;
        Ok(payload(sum(&[good, bad])))
    });
    let failures = std::cell::Cell::new(0);
    world.task("bad", move |order| {
        failures.set(failures.get() + 1);
        match failures.get() {
            1 => AttemptOutcome::failed(Failure::new("Flaky", "not yet")),
            _ => AttemptOutcome::Completed(order.input.clone()),
        }
    });
    let run = world.start(());
    world.settle(&mut Rng::new(1), Some(7));
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(3_u64)));
    let starts = ["outer", "good", "bad"].map(|name| world.starts(name));
    assert_eq!(starts, [2, 1, 2]);
}

#[test]
fn a_question_deep_inside_suspends_every_caller() {
    for seed in 0..50 {
        let code = Code::main(|_| async { task("outer", ()).await });
        let mut world = World::new(code.with("child", |_| async {
            let answer = ask("in the child?").await?;
            let further = task("asks", ()).await?;
            Ok(payload((value::<u64>(&answer), value::<u64>(&further))))
        }));
        world.async_task("outer", |_| async { task("middle", ()).await });
        world.async_task("middle", |_| async {
            task("done", ()).await?;
            child("child", ()).await
        });
        world.async_task("asks", |_| async { ask("in the task?").await });
        let mut rng = Rng::new(seed);
        let mut run = world.start(());
        for (question, answer) in [("in the child?", 1_u64), ("in the task?", 2)] {
            world.settle(&mut rng, Some(9));
            let Some(ThreadStatus::Interrupted(open)) = world.status() else {
                panic!("seed {seed}: {question} is not open: {:?}", world.status());
            };
            assert_eq!(open.len(), 1, "the question is listed once");
            assert_eq!(value::<String>(&open[0].value), question);
            run = world.answer(answer);
        }
        world.settle(&mut rng, Some(9));
        assert_eq!(world.outcome(run), &RunOutcome::Done(payload((1_u64, 2_u64))), "seed {seed}");
        assert_eq!(world.starts("done"), 1);
    }
}
