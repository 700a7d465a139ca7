//! Places where live and replayed order came apart, and runs that did not end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures::future::join;
use rethread_core::event::{Refusal, RunOutcome};
use rethread_core::failure::Failure;
use rethread_core::header::ThreadStatus;
use rethread_core::message::{Action, Answers, AttemptOutcome, Cancel};
use rethread_core::payload::Payload;
use rethread_core::policy::{EntrypointOptions, History, Retry, Timeouts};
use rethread_core::replay::Scope;

use crate::recovery::Switch;
use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, ask, child, payload, sleep, task, value};

fn retrying(attempts: u32) -> EntrypointOptions {
    let retry = vec![Retry::attempts(attempts).jitter(false)];
    EntrypointOptions { retry, ..EntrypointOptions::default() }
}

fn off() -> EntrypointOptions {
    EntrypointOptions { history: History::Off, ..EntrypointOptions::default() }
}

fn done(value: impl serde::Serialize) -> RunOutcome {
    RunOutcome::Done(payload(value))
}

/// Answers with the first answer of the order, or asks.
fn asking(order: &rethread_core::message::TaskOrder) -> AttemptOutcome {
    match order.answers.first() {
        Some(answer) => AttemptOutcome::Completed(answer.clone()),
        None => AttemptOutcome::Asked { index: 0, value: payload("q") },
    }
}

#[test]
fn a_failed_attempt_with_a_call_in_flight_survives_a_crash() {
    for seed in 0..80 {
        let code = Code::main(|_| async {
            let attempt = Scope::current().expect("in a body").info().attempt;
            let slow = task("slow", ());
            let quick = task("quick", ()).await?;
            if attempt < 3 {
                return Err(Failure::new("Flaky", "again"));
            }
            slow.await?;
            Ok(quick)
        });
        let mut world = World::new(code.options("main", retrying(3)));
        let run = world.start(0);
        world.settle(&mut Rng::new(seed), (seed > 0).then_some(4));
        assert_eq!(world.outcome(run), &done(()), "seed {seed}");
        assert_eq!(world.starts("slow"), 3, "seed {seed}");
    }
}

#[test]
fn a_child_without_a_history_may_have_calls_that_a_cancel_did_not_reach() {
    let code = Code::main(|_| async { child("inner", ()).await })
        .with("inner", |_| async { task("slow", 1_u32).await })
        .options("inner", off());
    let mut world = World::new(code);
    let run = world.start(0);
    while world.store.queue.is_empty() {
        world.work(&mut Rng::new(1));
    }
    // The worker has ended when it is told.
    world.submit(Action::Cancel(Cancel::default()));
    world.run_order(0);
    let again = world.submit(Action::Retry);
    world.store.inbox.swap(1, 2);
    world.runs_recorded_again = true;
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(run), &RunOutcome::Cancelled);
    assert_eq!(world.outcome(again), &done(1_u32));
}

#[test]
fn a_child_without_a_history_runs_its_own_children_again() {
    for asks_inside in [false, true] {
        let code = Code::main(|_| async { child("off", ()).await })
            .with("off", |_| async {
                let inner = child("inner", ()).await?;
                ask("off").await?;
                Ok(inner)
            })
            .with("inner", move |_| async move {
                let one = task("one", 1_u32).await?;
                if asks_inside {
                    ask("inner").await?;
                }
                Ok(one)
            })
            .options("off", off());
        let mut world = World::new(code);
        world.runs_recorded_again = true;
        let mut run = world.start(0);
        for _ in 0..1 + usize::from(asks_inside) {
            world.settle(&mut Rng::new(1), Some(5));
            assert!(
                matches!(world.status(), Some(ThreadStatus::Interrupted(_))),
                "{:?}",
                world.status()
            );
            run = world.answer("A");
        }
        world.settle(&mut Rng::new(1), Some(5));
        assert_eq!(world.outcome(run), &done(1_u32), "asks inside: {asks_inside}");
    }
}

#[test]
fn a_child_without_a_history_runs_its_tasks_of_tasks_again() {
    for seed in 0..20 {
        let code = Code::main(|_| async { child("off", ()).await })
            .with("off", |_| async { task("outer", ()).await })
            .options("off", off());
        let mut world = World::new(code);
        world.runs_recorded_again = true;
        world.async_task("outer", |_| async {
            let one = task("one", 1_u32).await?;
            ask("outer").await?;
            Ok(one)
        });
        world.start(0);
        world.settle(&mut Rng::new(seed), Some(5));
        let run = world.answer("A");
        world.settle(&mut Rng::new(seed), Some(5));
        assert_eq!(world.outcome(run), &done(1_u32), "seed {seed}");
    }
}

#[test]
fn a_task_that_ends_takes_its_questions_along() {
    let code = Code::main(|_| async {
        let (a, b) = join(task("a", ()), task("b", ())).await;
        Ok(payload((value::<u32>(&a?), value::<u32>(&b?))))
    });
    let mut world = World::new(code);
    let asked = AtomicBool::new(false);
    world.task("a", asking);
    world.task("b", move |_| match asked.swap(true, Ordering::Relaxed) {
        false => AttemptOutcome::Asked { index: 0, value: payload("b") },
        true => AttemptOutcome::Completed(payload(2_u32)),
    });
    let first = world.start(0);
    world.settle(&mut Rng::new(1), None);
    let RunOutcome::Interrupted(open) = world.outcome(first).clone() else { panic!("not asked") };
    let question = open.iter().find(|one| value::<String>(&one.value) == "q").expect("of a");
    let answers = Answers::ById([(question.id, payload(1_u32))].into());
    let run = world.submit(Action::Resume(answers));
    world.settle(&mut Rng::new(1), Some(5));
    assert_eq!(world.outcome(run), &done((1_u32, 2_u32)));
}

#[test]
fn a_detached_call_of_a_task_is_replayed_in_the_next_run() {
    for seed in 0..30 {
        let code = Code::main(|_| async {
            let outer = task("outer", ()).await?;
            ask("first?").await?;
            ask("second?").await?;
            Ok(outer)
        });
        let mut world = World::new(code);
        world.async_task("outer", |_| async {
            let detached = task("inner", 1_u32);
            let result = task("other", 2_u32).await;
            drop(detached);
            result
        });
        let mut rng = Rng::new(seed);
        world.start(0);
        world.settle(&mut rng, Some(5));
        world.answer("A");
        world.settle(&mut rng, Some(5));
        let run = world.answer("B");
        world.settle(&mut rng, Some(5));
        assert_eq!(world.outcome(run), &done(2_u32), "seed {seed}");
        assert_eq!(world.starts("inner"), 1);
    }
}

#[test]
fn what_a_task_does_not_call_again_does_not_keep_a_child_going() {
    let went = Arc::new(AtomicBool::new(false));
    let code = Code::main(|_| async { child("child", ()).await })
        .with("child", |_| async { task("outer", ()).await });
    let mut world = World::new(code);
    let goes = Arc::clone(&went);
    world.async_task("outer", move |_| {
        let goes = goes.swap(true, Ordering::Relaxed);
        async move { if goes { Ok(payload(7_u32)) } else { task("middle", ()).await } }
    });
    world.async_task("middle", |_| async { task("asks", ()).await });
    world.task("asks", asking);
    world.start(0);
    world.settle(&mut Rng::new(1), None);
    assert!(matches!(world.status(), Some(ThreadStatus::Interrupted(_))));
    let run = world.submit(Action::Retry);
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(run), &done(7_u32));
}

#[test]
fn a_child_that_a_task_does_not_call_again_does_not_ask() {
    let went = Arc::new(AtomicBool::new(false));
    let code = Code::main(|_| async { task("outer", ()).await })
        .with("asks", |_| async { ask("still?").await });
    let mut world = World::new(code);
    let goes = Arc::clone(&went);
    world.async_task("outer", move |_| {
        let goes = goes.swap(true, Ordering::Relaxed);
        async move { if goes { Ok(payload(7_u32)) } else { child("asks", ()).await } }
    });
    world.start(0);
    world.settle(&mut Rng::new(1), None);
    assert!(matches!(world.status(), Some(ThreadStatus::Interrupted(_))));
    let run = world.submit(Action::Retry);
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(run), &done(7_u32));
}

#[test]
fn a_task_that_goes_another_way_asks_what_it_asks_now() {
    let runs = Arc::new(AtomicU32::new(0));
    let code = Code::main(|_| async { task("outer", ()).await });
    let mut world = World::new(code);
    let counted = Arc::clone(&runs);
    world.async_task("outer", move |_| {
        let way = counted.fetch_add(1, Ordering::Relaxed).min(1);
        async move { task("asks", way).await }
    });
    world.task("asks", asking);
    world.start(0);
    world.settle(&mut Rng::new(1), None);
    let again = world.submit(Action::Retry);
    world.settle(&mut Rng::new(1), None);
    let RunOutcome::Interrupted(open) = world.outcome(again) else { panic!("not asked") };
    assert_eq!(open.len(), 1, "what it asked before is not open");
    let run = world.answer(3_u32);
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(run), &done(3_u32));
}

#[test]
fn an_ended_child_of_a_failed_attempt_gives_nothing_to_the_next_one() {
    let code = Code::main(|_| async {
        let attempt = Scope::current().expect("in a body").info().attempt;
        if attempt == 1 {
            let inner = child("inner", ());
            task("quick", 0_u32).await?;
            drop(inner);
            return Err(Failure::new("Flaky", "again"));
        }
        task("quick", 1_u32).await
    })
    .with("inner", |_| async {
        let detached = task("asks", ());
        task("quick", 9_u32).await?;
        drop(detached);
        Ok(payload(9_u32))
    });
    let mut world = World::new(code.options("main", retrying(3)));
    world.task("asks", asking);
    let run = world.start(0);
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(run), &done(1_u32));
}

#[test]
fn a_body_that_is_called_later_than_it_began_begins() {
    let code = Code::main(|_| async {
        let first = task("flaky", ()).await;
        let late = child("late", ());
        first?;
        late.await
    })
    .with("late", |_| async {
        let attempt = Scope::current().expect("in a body").info().attempt;
        let n = task("n", attempt).await?;
        if attempt == 1 && value::<u32>(&n) == 1 {
            return Err(Failure::new("Flaky", "again"));
        }
        ask("late?").await
    });
    // The body fails although its child goes on.
    let retry = vec![Retry::attempts(2).jitter(false)];
    let options = EntrypointOptions { retry, ..EntrypointOptions::default() };
    let mut world = World::new(code.options("late", options));
    let tried = AtomicU32::new(0);
    world.task("flaky", move |_| match tried.fetch_add(1, Ordering::Relaxed) {
        0 => AttemptOutcome::failed(Failure::new("Down", "no").final_()),
        _ => AttemptOutcome::Completed(Payload::NULL),
    });
    let ran = AtomicU32::new(0);
    world.task("n", move |_| {
        AttemptOutcome::Completed(payload(ran.fetch_add(1, Ordering::Relaxed) + 1))
    });
    let first = world.start(0);
    world.settle(&mut Rng::new(1), None);
    assert!(matches!(world.outcome(first), RunOutcome::Failed(_)), "{:?}", world.outcome(first));
    world.submit(Action::Retry);
    world.settle(&mut Rng::new(1), None);
    assert!(matches!(world.status(), Some(ThreadStatus::Interrupted(_))), "{:?}", world.status());
    let run = world.answer(5_u32);
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(run), &done(5_u32));
}

#[test]
fn a_parent_and_a_child_that_take_too_long_at_once_end_once() {
    for name in ["inner", "a", "b", "c", "d", "e"] {
        let timeouts = Timeouts { run_ms: Some(500), idle_ms: None };
        let options = EntrypointOptions { timeouts, ..EntrypointOptions::default() };
        let code = Code::main(move |_| async move { child(name, ()).await })
            .with(name, |_| async { sleep(10_000).await })
            .options("main", options.clone())
            .options(name, options);
        let mut world = World::new(code);
        let run = world.start(0);
        world.settle(&mut Rng::new(1), None);
        assert!(matches!(world.outcome(run), RunOutcome::Failed(_)), "{:?}", world.outcome(run));
        let failed = world.store.journal.iter().filter(|entry| {
            matches!(&entry.fact, rethread_core::journal::Fact::Failed { delivery, .. }
                if delivery.name == name)
        });
        assert_eq!(failed.count(), 1, "{name}");
    }
}

#[test]
fn what_a_worker_still_does_of_a_cancelled_call_is_known_to_the_next_run() {
    let timeouts = Timeouts { run_ms: Some(500), idle_ms: None };
    let options = EntrypointOptions { timeouts, ..EntrypointOptions::default() };
    let code = Code::main(|_| async { task("slow", 1_u32).await });
    let mut world = World::new(code.options("main", options));
    let run = world.start(0);
    world.handle_message();
    let order = world.store.queue.pop().expect("it is ordered");
    world.pass_time();
    assert!(matches!(world.outcome(run), RunOutcome::Failed(_)));
    let machine = world.machine.as_ref().expect("in memory");
    assert_eq!(machine.in_flight().len(), 1, "the worker has not given it up yet");
    let again = world.submit(Action::Retry);
    world.handle_message();
    assert!(world.store.queue.is_empty(), "one attempt at a time");
    let report = rethread_core::message::Report {
        target: order.target,
        worker: rethread_core::ids::WorkerId::new("w").expect("valid"),
        outcome: AttemptOutcome::Cancelled,
    };
    world.store.inbox.push_back(rethread_core::message::InboxMessage::Report(report));
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(again), &done(1_u32));
}

#[test]
fn a_failure_that_was_held_is_tried_again_by_a_retry() {
    let ready = Arc::new(AtomicBool::new(true));
    let fits = Arc::clone(&ready);
    let code = Code::main(move |_| {
        let fits = fits.load(Ordering::Relaxed);
        async move { if fits { task("flaky", 1_u32).await } else { task("other", 1_u32).await } }
    });
    let mut world = World::new(code);
    let failures = AtomicU32::new(0);
    world.task("flaky", move |_| match failures.fetch_add(1, Ordering::Relaxed) {
        0 => AttemptOutcome::failed(Failure::new("Down", "no").final_()),
        _ => AttemptOutcome::Completed(payload(1_u32)),
    });
    world.start(0);
    world.handle_message();
    // Other code is deployed while the order is queued: the run is parked.
    ready.store(false, Ordering::Relaxed);
    world.crash();
    world.load();
    assert!(matches!(world.status(), Some(ThreadStatus::Parked(_))), "{:?}", world.status());
    world.run_order(0);
    world.handle_message();
    ready.store(true, Ordering::Relaxed);
    let second = world.submit(Action::Retry);
    world.settle(&mut Rng::new(1), None);
    assert!(matches!(world.outcome(second), RunOutcome::Failed(_)));
    let third = world.submit(Action::Retry);
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(third), &done(1_u32));
}

#[test]
fn a_lower_limit_does_not_reach_what_is_recorded() {
    let code = Code::main(|_| async { child("middle", ()).await });
    let code =
        code.with("middle", |_| async { child("inner", ()).await }).with("inner", |_| async {
            let one = task("one", 1_u32).await?;
            ask("well?").await?;
            Ok(one)
        });
    let mut world = World::new(code);
    world.start(0);
    world.settle(&mut Rng::new(1), None);
    world.asking.settings.recursion_limit = Some(1);
    let run = world.answer("A");
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(run), &done(1_u32));
}

#[test]
fn an_answer_during_a_replay_does_not_cut_it_off() {
    let switch = Switch::on();
    let shared = switch.clone();
    let code = Code::main(move |_| {
        let switch = shared.clone();
        async move {
            let slow = task("slow", ());
            let asking = task("asking", ());
            switch.local().await;
            let one = task("one", 1_u32).await?;
            slow.await?;
            asking.await?;
            Ok(one)
        }
    });
    let mut world = World::new(code);
    world.task("asking", asking);
    let run = world.start(0);
    world.handle_message();
    for name in ["one", "asking"] {
        let place = world.store.queue.iter().position(|order| order.name == name);
        world.run_order(place.expect("it is ordered"));
        world.handle_message();
    }
    // Another owner takes over, and somebody answers before it has found its place.
    switch.set(false);
    world.crash();
    world.make_machine();
    let early = world.answer("A");
    world.handle_message();
    assert!(matches!(world.outcome(early), RunOutcome::Refused(Refusal::Busy { .. })));
    switch.set(true);
    world.wake();
    let joined = world.answer("A");
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(joined), &RunOutcome::Joined(run));
    assert_eq!(world.outcome(run), &done(1_u32));
    assert_eq!(world.starts("one"), 1);
}

#[test]
fn a_job_that_is_done_while_a_body_does_not_rest_loses_no_report() {
    let cache = Some(rethread_core::policy::Cache::forever());
    let switch = Switch::default();
    let shared = switch.clone();
    let code = Code::main(move |_| {
        let switch = shared.clone();
        async move {
            let (one, cached) = (task("one", 1_u32), child("cached", 2_u32));
            task("go", ()).await?;
            switch.busy().await;
            Ok(payload((value::<u32>(&one.await?), value::<u32>(&cached.await?))))
        }
    })
    .with("cached", |input| async move { Ok(input) })
    .options("cached", EntrypointOptions { cache, ..EntrypointOptions::default() });
    let mut world = World::new(code);
    let run = world.start(0);
    world.handle_message();
    for name in ["go", "one"] {
        let place = world.store.queue.iter().position(|order| order.name == name);
        world.run_order(place.expect("it is ordered"));
        world.handle_message();
    }
    world.do_job(0);
    switch.set(true);
    world.wake();
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(run), &done((1_u32, 2_u32)));
}
