//! Runs that go on after failures deep inside: in child entrypoints that tasks called.

use std::cell::Cell;

use rethread_core::event::RunOutcome;
use rethread_core::failure::Failure;
use rethread_core::message::{Action, AttemptOutcome};

use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, ask, child, payload, task};

/// A task that calls a child, which does two steps around a question and one that fails at first.
fn world(failures: u32) -> World {
    let code = Code::main(|_| async { task("nested", ()).await }).with("child", |_| async {
        task("step", 1).await?;
        ask("go on?").await?;
        task("step", 2).await?;
        task("broken", ()).await
    });
    let mut world = World::new(code);
    world.async_task("nested", |_| async { child("child", ()).await });
    let failed = Cell::new(0);
    world.task("broken", move |_| {
        failed.set(failed.get() + 1);
        match failed.get() <= failures {
            true => AttemptOutcome::failed(Failure::new("Broken", "for some time")),
            false => AttemptOutcome::Completed(payload("mended")),
        }
    });
    world
}

#[test]
fn what_a_child_of_a_task_has_done_is_not_done_again_after_a_failure() {
    for failures in 1..4 {
        for seed in 0..15 {
            for crash in [None, Some(8)] {
                let mut rng = Rng::new(seed);
                let mut world = world(failures);
                world.start(());
                world.settle(&mut rng, crash);
                let mut run = world.answer("yes");
                world.settle(&mut rng, crash);
                // A retry tries it at once, and again when the task calls the child again.
                let mut retries = 0;
                while let RunOutcome::Failed(_) = world.outcome(run) {
                    retries += 1;
                    run = world.submit(Action::Retry);
                    world.settle(&mut rng, crash);
                }
                assert!((1..=failures).contains(&retries), "seed {seed}: {retries} retries");
                let done = RunOutcome::Done(payload("mended"));
                assert_eq!(world.outcome(run), &done, "seed {seed}, {failures} failures");
                assert_eq!(world.starts("step"), 2, "seed {seed}, {failures} failures");
            }
        }
    }
}

#[test]
fn a_body_whose_execution_is_over_does_not_wait_for_its_calls_for_ever() {
    let mut world = world(0);
    world.start(());
    world.handle_message();
    world.run_order(0);
    world.crash();
    let early = world.store.inbox.pop_front().expect("it called the child");
    // The thread is removed, but the order of the body was lost sight of.
    world.submit(Action::Delete);
    let order = world.store.queue[0].clone();
    world.handle_message();
    world.handle_message();
    world.store.queue.push(order);
    world.store.inbox.push_back(early);
    world.settle(&mut Rng::new(1), None);
    assert!(!world.has_work(), "the body has ended, and its order with it");
}
