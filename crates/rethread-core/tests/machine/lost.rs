//! Orders and reports that get lost, orders that kill workers, and tasks that no worker knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use rethread_core::dead_letter::DeadItem;
use rethread_core::event::RunOutcome;
use rethread_core::failure::{Failure, kind};
use rethread_core::header::ThreadStatus;
use rethread_core::message::{Action, Answers, AttemptOutcome};
use rethread_core::policy::{Retry, TaskOptions};
use rethread_core::thread::Limits;

use crate::mixtures;
use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, ask, payload, task, task_with};

fn settled(world: &mut World) {
    world.settle(&mut Rng::new(1), None);
}

fn calling_work() -> World {
    World::new(Code::main(|_| async { task("work", 7).await }))
}

#[test]
fn a_lost_order_is_made_again_under_the_next_number() {
    let mut world = calling_work();
    let run = world.start(());
    world.handle_message();
    assert_eq!(world.find_lost(), 0);
    world.lose_order(0);
    assert_eq!(world.find_lost(), 1);
    assert_eq!(world.store.queue[0].target.attempt, 2, "its body may have begun");
    assert_eq!(world.store.queue[0].try_number, 2);
    assert_eq!(world.find_lost(), 0);
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(7)));
}

#[test]
fn a_lost_report_is_made_up_for() {
    let mut world = calling_work();
    let run = world.start(());
    world.handle_message();
    world.run_order(0);
    world.store.inbox.clear();
    assert_eq!(world.find_lost(), 1);
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(7)));
    assert_eq!(world.starts("work"), 2);
}

#[test]
fn a_lost_order_takes_no_place_of_others() {
    let mut world = World::new(Code::main(|_| async {
        let calls = join_all((0..4_u64).map(|n| task("work", n))).await;
        Ok(payload(calls.len()))
    }));
    world.limits = Limits { orders_max: 2, ..Limits::default() };
    let run = world.start(());
    world.handle_message();
    assert_eq!(world.store.queue.len(), 2);
    world.lose_order(0);
    world.lose_order(0);
    assert_eq!(world.find_lost(), 2);
    assert_eq!(world.store.queue.len(), 2);
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(4)));
    assert_eq!(world.starts("work"), 4);
}

#[test]
fn the_number_of_a_lost_attempt_is_not_given_again_by_the_next_machine() {
    let mut world = calling_work();
    let run = world.start(());
    world.handle_message();
    world.lose_order(0);
    assert_eq!(world.find_lost(), 1);
    world.lose_order(0);
    world.crash();
    world.load();
    assert_eq!(world.store.queue[0].target.attempt, 2, "nobody knows of the second");
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(7)));
}

#[test]
fn what_may_be_in_flight_is_not_ordered_until_it_is_known_to_be_lost() {
    let mut world = World::new(Code::main(|_| async {
        task("work", 7).await?;
        task("last", 1).await
    }));
    let run = world.start(());
    world.handle_message();
    // A newer version has it.
    world.lose_order(0);
    world.crash();
    world.in_doubt = true;
    world.load();
    assert!(world.store.queue.is_empty());
    assert_eq!(world.in_flight().into_values().collect::<Vec<_>>(), [1]);
    assert_eq!(world.find_lost(), 1);
    assert_eq!(world.store.queue[0].target.attempt, 2);
    world.run_order(0);
    world.handle_message();
    assert_eq!(world.store.queue[0].name, "last", "what is called later is not in doubt");
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(1)));
}

/// A run with an order of a newer version, and code that does not fit its journal, until it is told
/// to.
fn doubted_and_parked() -> (World, Arc<AtomicBool>) {
    let fits = Arc::new(AtomicBool::new(true));
    let code_fits = Arc::clone(&fits);
    let mut world = World::new(Code::main(move |_| {
        let fits = code_fits.load(Ordering::Relaxed);
        async move {
            task(if fits { "first" } else { "other" }, 1).await?;
            task("work", 7).await
        }
    }));
    world.start(());
    world.handle_message();
    world.run_order(0);
    world.handle_message();
    world.lose_order(0);
    world.crash();
    world.in_doubt = true;
    fits.store(false, Ordering::Relaxed);
    world.load();
    assert!(matches!(world.status(), Some(ThreadStatus::Parked(_))), "{:?}", world.status());
    (world, fits)
}

/// A retry, with code that fits, leaves alone what may be in flight until it is known to be lost.
fn retries_in_doubt(mut world: World) {
    let run = world.submit(Action::Retry);
    world.handle_message();
    assert!(world.store.queue.is_empty(), "a newer version may have it");
    assert_eq!(world.find_lost(), 1);
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(7)));
}

#[test]
fn a_run_that_was_parked_stays_in_doubt() {
    let (mut world, fits) = doubted_and_parked();
    world.submit(Action::Retry);
    world.handle_message();
    assert!(matches!(world.status(), Some(ThreadStatus::Parked(_))), "{:?}", world.status());
    fits.store(true, Ordering::Relaxed);
    retries_in_doubt(world);
}

#[test]
fn a_run_that_was_parked_and_evicted_stays_in_doubt() {
    let (mut world, fits) = doubted_and_parked();
    world.evict();
    assert!(world.in_doubt);
    fits.store(true, Ordering::Relaxed);
    retries_in_doubt(world);
}

#[test]
fn what_was_doubted_stays_in_flight_when_the_thread_is_evicted() {
    let mut world = calling_work();
    let run = world.start(());
    world.handle_message();
    world.lose_order(0);
    world.crash();
    world.in_doubt = true;
    world.load();
    world.evict();
    assert!(!world.in_doubt, "all that was in doubt is in flight");
    world.load();
    assert!(world.store.queue.is_empty());
    assert_eq!(world.find_lost(), 1);
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(7)));
}

#[test]
fn a_doubted_thread_that_is_deleted_takes_its_orders_back() {
    let (mut world, _) = doubted_and_parked();
    assert_eq!(world.withdrawn, 0);
    world.submit(Action::Delete);
    world.handle_message();
    assert_eq!(world.withdrawn, 1, "orders that cannot be read too");
}

#[test]
fn nothing_is_in_doubt_of_a_run_that_asked_people() {
    let mut world = World::new(Code::main(|_| async {
        ask("go on?").await?;
        task("work", 7).await
    }));
    let first = world.start(());
    settled(&mut world);
    assert!(matches!(world.outcome(first), RunOutcome::Interrupted(_)));
    world.crash();
    world.in_doubt = true;
    world.load();
    let run = world.submit(Action::Resume(Answers::Only(payload(1))));
    world.handle_message();
    assert_eq!(world.store.queue.len(), 1, "nothing was in flight while people were asked");
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(7)));
}

#[test]
fn what_is_said_of_an_attempt_that_is_over_changes_nothing() {
    let mut world = World::new(Code::main(|_| async {
        let retry = vec![Retry::attempts(3).jitter(false)];
        task_with("work", 7, TaskOptions { retry, ..TaskOptions::default() }).await
    }));
    world.task("work", |order| match order.try_number {
        1 => AttemptOutcome::failed(Failure::new("Flaky", "not yet")),
        _ => AttemptOutcome::Completed(order.input.clone()),
    });
    let run = world.start(());
    world.handle_message();
    let first = world.in_flight();
    world.run_order(0);
    world.handle_message();
    assert_eq!(world.say_lost(&first), 0, "it waits for its next attempt");
    assert!(world.pass_time());
    assert_eq!(world.say_lost(&first), 0, "another attempt is in flight");
    assert_eq!(world.store.queue.len(), 1);
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(7)));
    assert_eq!(world.say_lost(&first), 0, "the run has ended");
}

#[test]
fn a_lost_attempt_of_a_cancelled_call_is_forgotten() {
    let mut world = World::new(Code::main(|_| async {
        let slow = task("slow", ());
        task("work", 7).await?;
        slow.cancel();
        let _ = slow.await;
        task("last", 1).await
    }));
    let run = world.start(());
    world.handle_message();
    let slow = world.store.queue.iter().position(|order| order.name == "slow").expect("ordered");
    world.lose_order(slow);
    world.run_order(0);
    world.handle_message();
    assert_eq!(world.find_lost(), 1);
    assert!(world.store.queue.iter().all(|order| order.name == "last"));
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(1)));
    assert!(world.in_flight().is_empty());
}

#[test]
fn random_programs_that_lose_orders_and_reports_come_to_their_end() {
    let (mut ended, mut lost) = (0, 0);
    for seed in 0..60_u64 {
        let mut world = mixtures::world();
        let mut rng = Rng::new(seed);
        let mut run = world.start((seed, 3_u32));
        for round in 0..100 {
            for _ in 0..30 {
                world.steps(1, &mut rng);
                if rng.below(8) == 0 {
                    world.lose_something(&mut rng);
                }
                if rng.below(10) == 0 {
                    lost += world.find_lost();
                }
                if rng.below(20) == 0 {
                    world.crash();
                }
            }
            world.load();
            lost += world.find_lost();
            world.settle(&mut rng, None);
            match world.status().expect("it ran").clone() {
                ThreadStatus::Idle => break,
                ThreadStatus::Interrupted(open) => {
                    let one = open[rng.below(open.len())].id;
                    let answers = Answers::ById([(one, payload(round))].into());
                    run = world.submit(Action::Resume(answers));
                }
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
    assert!(lost > 100, "only {lost} were lost");
}

#[test]
fn a_task_that_no_worker_survives_is_buried_once() {
    let mut world = calling_work();
    world.task("work", |_| {
        let failure = Failure::new(kind::POISONED, "3 workers took it").final_();
        AttemptOutcome::failed(failure)
    });
    let run = world.start(());
    world.handle_message();
    let call = world.store.queue[0].target.call;
    settled(&mut world);
    world.crash();
    world.load();
    assert!(
        matches!(world.outcome(run), RunOutcome::Failed(failure) if failure.kind == kind::POISONED)
    );
    let [letter] = &world.store.dead_letters[..] else { panic!("{:?}", world.store.dead_letters) };
    let what = DeadItem::Task { thread: World::thread(), run, call, name: "work".into() };
    assert_eq!((letter.reason.as_str(), &letter.what), ("3 workers took it", &what));
}

/// Lets workers say that they do not know the task; gives how long it waits then.
fn nobody_knows(world: &mut World) -> u64 {
    world.run_order(0);
    world.handle_message();
    let machine = world.machine.as_ref().expect("in memory");
    machine.poll_timeout().expect("it is offered again").0 - world.now.0
}

#[test]
fn a_task_that_no_worker_knows_is_offered_less_and_less_often_and_at_once_to_new_workers() {
    let mut world = calling_work();
    world.task("work", |_| AttemptOutcome::UnknownTask);
    let run = world.start(());
    world.handle_message();
    let mut waits = Vec::new();
    for _ in 0..8 {
        waits.push(nobody_knows(&mut world));
        assert!(world.store.queue.is_empty());
        assert!(world.pass_time());
    }
    assert!((750..=1_000).contains(&waits[0]), "{waits:?}");
    assert!(waits.windows(2).take(4).all(|pair| pair[0] < pair[1]), "{waits:?}");
    assert!((22_500..=30_000).contains(&waits[7]), "{waits:?}");

    nobody_knows(&mut world);
    world.new_workers();
    assert_eq!(world.store.queue.len(), 1, "offered at once");
    world.new_workers();
    assert_eq!(world.store.queue.len(), 1, "it is queued already");
    world.task("work", |order| AttemptOutcome::Completed(order.input.clone()));
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(7)));
}
