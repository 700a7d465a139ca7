//! Numbers of attempts: none is given twice in a run, whoever is lost.

use std::collections::BTreeSet;

use rethread_core::event::RunOutcome;
use rethread_core::failure::Failure;
use rethread_core::message::AttemptOutcome;
use rethread_core::policy::{Retry, TaskOptions};

use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, payload, task, task_with};

fn retried(attempts: u32) -> TaskOptions {
    TaskOptions { retry: vec![Retry::attempts(attempts).jitter(false)], ..Default::default() }
}

/// The attempts of a task whose bodies started, in order.
fn attempts(world: &World, name: &str) -> Vec<u32> {
    let started = world.ledger.iter().filter(|(task, ..)| task == name);
    started.map(|(.., attempt)| *attempt).collect()
}

fn assert_given_once(world: &World, note: &str) {
    let mut seen = BTreeSet::new();
    for (name, call, attempt) in &world.ledger {
        assert!(seen.insert((*call, *attempt)), "attempt {attempt} of {name} is repeated; {note}");
    }
}

/// `outer` is tried four times, and calls `inner` each time, whose own retries are used up.
fn failing_inside() -> World {
    let code = Code::main(|_| async { task_with("outer", (), retried(4)).await });
    let mut world = World::new(code);
    world.async_task("outer", |_| async { task_with("inner", (), retried(2)).await });
    world.task("inner", |_| AttemptOutcome::failed(Failure::new("Broken", "always")));
    world
}

#[test]
fn a_failed_call_that_is_made_again_goes_on_with_the_next_number() {
    let mut world = failing_inside();
    let run = world.start(());
    world.settle(&mut Rng::new(1), None);
    assert!(matches!(world.outcome(run), RunOutcome::Failed(_)));
    assert_eq!(attempts(&world, "outer"), [1, 2, 3, 4]);
    assert_eq!(attempts(&world, "inner"), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_new_owner_counts_attempts_as_the_one_before_did() {
    for seed in 0..100 {
        let mut world = failing_inside();
        let run = world.start(());
        world.settle(&mut Rng::new(seed), Some(4));
        assert!(matches!(world.outcome(run), RunOutcome::Failed(_)));
        assert_eq!(attempts(&world, "inner"), [1, 2, 3, 4, 5, 6, 7, 8], "seed {seed}");
    }
}

#[test]
fn numbers_of_dead_workers_are_not_given_again() {
    for seed in 0..100 {
        let code = Code::main(|_| async { task_with("outer", (), retried(6)).await });
        let mut world = World::new(code);
        world.async_task("outer", |_| async { task_with("middle", (), retried(2)).await });
        world.async_task("middle", |_| async { task("inner", ()).await });
        world.task("inner", |_| AttemptOutcome::failed(Failure::new("Broken", "always")));
        let run = world.start(());
        let mut rng = Rng::new(seed);
        for _ in 0..8 {
            world.steps(rng.below(10), &mut rng);
            world.kill_workers();
            if rng.below(2) == 0 {
                world.crash();
            }
        }
        world.settle(&mut rng, Some(6));
        assert!(matches!(world.outcome(run), RunOutcome::Failed(_)));
        assert_given_once(&world, &format!("seed {seed}"));
    }
}

#[test]
fn a_call_that_was_given_up_is_made_again_behind_all_its_attempts() {
    for seed in 0..100 {
        let code = Code::main(|_| async { task_with("outer", (), retried(2)).await });
        let mut world = World::new(code);
        let times = std::cell::Cell::new(0);
        world.async_task("outer", move |_| {
            times.set(times.get() + 1);
            let is_first = times.get() == 1;
            async move {
                let slow = task("slow", 7);
                if is_first {
                    task("quick", 1).await?;
                    slow.cancel();
                    task("quick", 2).await?;
                    return Err(Failure::new("Impatient", "no time"));
                }
                slow.await
            }
        });
        let run = world.start(());
        world.handle_message();
        world.run_order(0);
        while world.store.queue.len() < 2 {
            world.handle_message();
        }
        let order = |world: &World, name| {
            world.store.queue.iter().position(|order| order.name == name).expect("ordered")
        };
        let slow = order(&world, "slow");
        // Two workers died of it.
        world.store.queue[slow].target.attempt += 2;
        world.run_order(order(&world, "quick"));
        // The end of the call, and what comes of its body.
        while world.cancels.is_empty() {
            world.handle_message();
        }
        let crash_one_in = (seed > 0).then_some(4);
        world.settle(&mut Rng::new(seed), crash_one_in);
        assert_eq!(world.outcome(run), &RunOutcome::Done(payload(7)), "seed {seed}");
        assert_eq!(attempts(&world, "slow"), [4], "seed {seed}");
    }
}
