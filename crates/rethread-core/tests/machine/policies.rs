//! Policies of entrypoints, calls that are cancelled, limits of a run, and what the shell does.
//! Each is crashed at random places too: what comes out must be the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::{Either, join_all, select};
use rethread_core::event::{EventKind, RunOutcome};
use rethread_core::failure::{Failure, kind};
use rethread_core::header::ThreadStatus;
use rethread_core::ids::WorkerId;
use rethread_core::journal::Fact;
use rethread_core::message::{Action, AttemptOutcome, Called, Cancel, Emitted, InboxMessage};
use rethread_core::payload::Payload;
use rethread_core::policy::{Cache, EntrypointOptions, Retry, TaskOptions, Timeouts};
use rethread_core::replay::Scope;
use rethread_core::store::{Namespace, StoreReply, StoreRequest};

use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, ask, child, payload, sleep, store, task, task_with, value};

fn retrying(attempts: u32) -> EntrypointOptions {
    let retry = vec![Retry::attempts(attempts).jitter(false)];
    EntrypointOptions { retry, ..EntrypointOptions::default() }
}

fn attempt() -> u32 {
    Scope::current().expect("in a body").info().attempt
}

/// Runs to the end with and without crashes.
fn with_crashes(world: impl Fn() -> World, check: impl Fn(&mut World, &mut Rng, Option<usize>)) {
    check(&mut world(), &mut Rng::new(1), None);
    for seed in 0..60 {
        check(&mut world(), &mut Rng::new(seed), Some(4));
    }
}

#[test]
fn a_further_attempt_of_an_entrypoint_makes_its_calls_anew_and_keeps_its_answers() {
    let code = Code::main(|_| async {
        let first: u32 = value(&task("count", "a").await?);
        let answer: String = value(&ask("well?").await?);
        let second: u32 = value(&task("count", "b").await?);
        if attempt() < 3 {
            return Err(Failure::new("Flaky", "again"));
        }
        Ok(payload((first, answer, second)))
    });
    let program = Arc::new(code.options("main", retrying(3)));
    let make = || {
        let mut world = World::new(Code::default());
        world.program = Arc::clone(&program) as _;
        let count = AtomicU32::new(0);
        world.task("count", move |_| {
            AttemptOutcome::Completed(payload(count.fetch_add(1, Ordering::Relaxed) + 1))
        });
        world
    };
    with_crashes(make, |world, rng, crashes| {
        world.start(0);
        world.settle(rng, crashes);
        assert!(matches!(world.status(), Some(ThreadStatus::Interrupted(_))));
        let run = world.answer("yes");
        world.settle(rng, crashes);
        // The first attempt in each run counts the task's earlier result once only.
        let RunOutcome::Done(result) = world.outcome(run) else {
            panic!("{:?}", world.outcome(run));
        };
        let expected = (5, "yes".to_owned(), 6);
        assert_eq!(value::<(u32, String, u32)>(result), expected);
        assert_eq!(world.starts("count"), 6, "each attempt calls twice");
    });
}

#[test]
fn a_paused_run_replays_the_attempt_that_went_on() {
    let code = Code::main(|_| async {
        let n: u32 = value(&task("count", ()).await?);
        if n < 3 {
            return Err(Failure::new("Flaky", "again"));
        }
        let answer: u32 = value(&ask(n).await?);
        Ok(payload((n, answer, attempt())))
    });
    let mut world = World::new(code.options("main", retrying(5)));
    let count = AtomicU32::new(0);
    world.task("count", move |_| {
        AttemptOutcome::Completed(payload(count.fetch_add(1, Ordering::Relaxed) + 1))
    });
    world.start(0);
    world.settle(&mut Rng::new(1), None);
    world.crash();
    let run = world.answer(7_u32);
    world.settle(&mut Rng::new(1), None);
    // A new run has all its attempts again.
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload((3_u32, 7_u32, 1_u32))));
    assert_eq!(world.starts("count"), 3);
}

#[test]
fn tasks_inherit_the_policies_of_the_entrypoint() {
    let code = Code::main(|_| async {
        let own = TaskOptions { retry: vec![Retry::attempts(1)], ..TaskOptions::default() };
        let own = task_with("flaky", "own", own).await.is_ok();
        let inherited = task("flaky", "inherited").await.is_ok();
        Ok(payload((own, inherited)))
    });
    let mut world = World::new(code.options("main", retrying(2)));
    world.task("flaky", |order| match order.try_number {
        1 => AttemptOutcome::failed(Failure::new("Flaky", "not yet")),
        _ => AttemptOutcome::Completed(Payload::NULL),
    });
    let run = world.start(0);
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload((false, true))));
}

#[test]
fn an_entrypoint_that_takes_too_long_loses_its_calls_and_can_be_retried() {
    let timeouts = Timeouts { run_ms: Some(500), idle_ms: None };
    let options = EntrypointOptions { timeouts, ..EntrypointOptions::default() };
    let code = Code::main(|_| async {
        let slept = Scope::current().expect("in a body").now();
        let _ = slept;
        sleep(10_000).await?;
        Ok(Payload::NULL)
    });
    let mut world = World::new(code.options("main", options));
    let run = world.start(0);
    world.settle(&mut Rng::new(1), None);
    match world.outcome(run) {
        RunOutcome::Failed(failure) => {
            assert_eq!(failure.kind, kind::TIMEOUT);
            assert!(failure.message.contains("`main`"), "{failure}");
        }
        other => panic!("{other:?}"),
    }
    // The timer that was given up is awaited anew, and the time counts from the new run.
    let again = world.submit(Action::Retry);
    world.settle(&mut Rng::new(1), None);
    assert!(matches!(world.outcome(again), RunOutcome::Failed(_)));
}

#[test]
fn equal_inputs_share_the_result_of_a_cached_entrypoint() {
    let make = || {
        let options =
            EntrypointOptions { cache: Some(Cache::forever()), ..EntrypointOptions::default() };
        let code = Code::main(|input| async move {
            task("count", value::<u32>(&input)).await?;
            child("inner", 1_u32).await
        })
        .with("inner", |input| async move { task("count", value::<u32>(&input) + 100).await })
        .options("main", options.clone())
        .options("inner", options);
        World::new(code)
    };
    with_crashes(make, |world, rng, crashes| {
        let results: Vec<_> = [1_u32, 1, 2]
            .into_iter()
            .map(|input| {
                let run = world.start(input);
                world.settle(rng, crashes);
                world.outcome(run).clone()
            })
            .collect();
        assert!(
            results.iter().all(|one| *one == RunOutcome::Done(payload(101_u32))),
            "{results:?}"
        );
        // Tasks inherit the policy, but the world's workers have no cache: they count.
        assert_eq!(world.starts("count"), 3, "1 and 2 once, and the child once");
        assert_eq!(world.cache.len(), 3);
    });
}

#[test]
fn a_hit_is_marked_in_the_stream_and_makes_the_same_checkpoints() {
    let options =
        EntrypointOptions { cache: Some(Cache::forever()), ..EntrypointOptions::default() };
    let mut world =
        World::new(Code::main(|input| async move { Ok(input) }).options("main", options));
    world.start(1);
    world.settle(&mut Rng::new(1), None);
    let hit = world.start(1);
    world.settle(&mut Rng::new(1), None);
    let is_cached = |kind: &EventKind| matches!(kind, EventKind::Updated { is_cached: true, .. });
    assert!(world.store.events[&hit].iter().any(|event| is_cached(&event.kind)));
    assert_eq!(world.store.checkpoints.len(), 4);
}

#[test]
fn a_cancelled_call_ends_at_once_and_its_worker_is_told() {
    let make = || {
        let code = Code::main(|_| async {
            let slow = task("slow", ());
            task("quick", ()).await?;
            slow.cancel();
            let failure = slow.await.expect_err("cancelled");
            Ok(payload(failure.kind))
        });
        let mut world = World::new(code);
        // It never ends by itself.
        world.async_task("slow", |_| std::future::pending());
        world
    };
    with_crashes(make, |world, rng, crashes| {
        let run = world.start(0);
        world.settle(rng, crashes);
        assert_eq!(world.outcome(run), &RunOutcome::Done(payload(kind::CANCELLED)));
        if crashes.is_none() {
            assert_eq!(world.cancels.len(), 1);
        }
    });
}

#[test]
fn cancelling_a_child_cancels_what_it_called() {
    let code = Code::main(|_| async {
        let inner = child("inner", ());
        task("quick", ()).await?;
        inner.cancel();
        Ok(payload(inner.await.expect_err("cancelled").kind))
    })
    .with("inner", |_| async { task("slow", ()).await });
    let mut world = World::new(code);
    world.async_task("slow", |_| std::future::pending());
    let run = world.start(0);
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(kind::CANCELLED)));
    assert_eq!(world.cancels.len(), 1);
}

#[test]
fn a_run_has_no_more_attempts_in_flight_than_it_may() {
    let code = Code::main(|_| async {
        let all = join_all((0..6_u32).map(|n| task("outer", n))).await;
        Ok(payload(all.into_iter().filter(Result::is_ok).count()))
    });
    let mut world = World::new(code);
    // An attempt that waits for its own call takes no place, or this would never end.
    world.async_task("outer", |input| async move { task("inner", value::<u32>(&input)).await });
    world.asking.settings.max_concurrency = Some(1);
    let run = world.start(0);
    world.settle(&mut Rng::new(3), None);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(6)));
}

#[test]
fn an_attempt_that_stops_waiting_takes_its_place_again() {
    let code = Code::main(|_| async {
        let all = join_all((0..3_u32).map(|n| task("square", n))).await;
        Ok(payload(all.into_iter().filter(Result::is_ok).count()))
    });
    let mut world = World::new(code);
    world.asking.settings.max_concurrency = Some(1);
    let run = world.start(0);
    world.handle_message();
    assert_eq!(world.store.queue.len(), 1);
    let target = world.store.queue[0].target.clone();
    let worker = WorkerId::new("w").expect("valid");
    let (calls, cancelled) = (Vec::new(), Vec::new());
    let waits = Called { target: target.clone(), worker: worker.clone(), calls, cancelled };
    world.store.inbox.push_back(InboxMessage::Called(waits));
    world.handle_message();
    assert_eq!(world.store.queue.len(), 2, "who waits for others takes no place");
    let goes_on = Emitted { target, worker, first: 0, values: Vec::new() };
    world.store.inbox.push_back(InboxMessage::Emitted(goes_on));
    world.handle_message();
    world.run_order(1);
    world.handle_message();
    assert_eq!(world.store.queue.len(), 1, "who goes on takes one");
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(3)));
}

#[test]
fn calls_are_nested_no_deeper_than_the_run_allows() {
    let code = Code::main(|_| async { child("main", ()).await });
    let mut world = World::new(code);
    world.asking.settings.recursion_limit = Some(5);
    let run = world.start(0);
    world.settle(&mut Rng::new(1), None);
    match world.outcome(run) {
        RunOutcome::Failed(failure) => assert_eq!(failure.kind, kind::LIMIT, "{failure}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_store_answered_an_entrypoint_is_recorded() {
    let namespace = || Namespace::new(["n"]).expect("valid");
    let get =
        move || StoreRequest::Get { namespace: namespace(), key: "k".into(), refresh_ttl: true };
    let put = move |value: u32| StoreRequest::Put {
        namespace: namespace(),
        key: "k".into(),
        value: payload(value),
        ttl_ms: None,
        is_indexed: true,
    };
    let make = || {
        let code = Code::main(move |_| async move {
            store(put(1)).await?;
            let found: StoreReply = value(&store(get()).await?);
            ask("go on?").await?;
            let StoreReply::Item(Some(item)) = found else {
                return Err(Failure::new("Bad", "no item"));
            };
            Ok(item.value)
        });
        World::new(code)
    };
    with_crashes(make, |world, rng, crashes| {
        world.start(0);
        world.settle(rng, crashes);
        world.items.insert((namespace(), "k".into()), payload(2_u32));
        let run = world.answer(true);
        world.settle(rng, crashes);
        assert_eq!(world.outcome(run), &RunOutcome::Done(payload(1_u32)));
        let is_shown = |kind: &EventKind| matches!(kind, EventKind::CallStarted { .. });
        let events = world.store.events.values().flatten();
        assert!(!events.into_iter().any(|event| is_shown(&event.kind)), "streams show no store");
        if crashes.is_none() {
            assert_eq!(world.jobs_done, 2, "a replay asks nothing");
        }
    });
}

#[test]
fn a_lost_race_is_cancelled_and_replays_as_it_went() {
    let make = || {
        let code = Code::main(|_| async {
            let winner = match select(task("quick", ()), task("slow", ())).await {
                Either::Left((_, slow)) => {
                    slow.cancel();
                    "quick"
                }
                Either::Right(_) => "slow",
            };
            task("after", winner).await
        });
        let mut world = World::new(code);
        world.async_task("slow", |_| std::future::pending());
        world
    };
    with_crashes(make, |world, rng, crashes| {
        let run = world.start(0);
        world.settle(rng, crashes);
        assert_eq!(world.outcome(run), &RunOutcome::Done(payload("quick")));
    });
}

#[test]
fn a_stopped_run_goes_on_with_what_it_had() {
    let code = Code::main(|_| async {
        let a: u32 = value(&task("first", 1_u32).await?);
        let b: u32 = value(&task("second", 2_u32).await?);
        Ok(payload(a + b))
    });
    let mut world = World::new(code);
    let run = world.start(0);
    let is_done = |world: &World, name: &str| {
        world.store.journal.iter().any(|entry| match &entry.fact {
            Fact::Completed { delivery, .. } => delivery.name == name,
            _ => false,
        })
    };
    let mut rng = Rng::new(1);
    while !is_done(&world, "first") {
        world.steps(1, &mut rng);
    }
    let cancel = world.submit(Action::Cancel(Cancel::default()));
    world.settle(&mut rng, None);
    assert_eq!(world.outcome(run), &RunOutcome::Cancelled);
    assert_eq!(world.outcome(cancel), &RunOutcome::Edited(None));
    assert_eq!(world.status(), Some(&ThreadStatus::Cancelled));
    world.crash();
    let again = world.submit(Action::Retry);
    world.settle(&mut rng, None);
    assert_eq!(world.outcome(again), &RunOutcome::Done(payload(3_u32)));
    assert_eq!(world.starts("first"), 1);
}

/// A question with a deadline, one of a task beside it, and one of a task's task.
fn deadlines() -> World {
    let code = Code::main(|_| async {
        let nested = task("outer", ());
        let answer = match select(ask("within a day?"), sleep(86_400_000)).await {
            Either::Left((answer, _)) => value::<String>(&answer?),
            Either::Right(_) => "too late".to_owned(),
        };
        let nested: String = value(&nested.await?);
        Ok(payload((answer, nested)))
    });
    let mut world = World::new(code);
    world.async_task("outer", |_| async { task("inner", ()).await });
    world.task("inner", |order| match order.answers.first() {
        Some(answer) => AttemptOutcome::Completed(answer.clone()),
        None => AttemptOutcome::Asked { index: 0, value: payload("inner?") },
    });
    world
}

#[test]
fn a_question_beside_work_is_answered_at_once() {
    for seed in 0..40 {
        let mut world = deadlines();
        let mut rng = Rng::new(seed);
        let run = world.start(0);
        let asking = |world: &World| {
            world.store.header.as_ref().map(|header| header.asking.clone()).unwrap_or_default()
        };
        while asking(&world).len() < 2 || world.has_work() {
            world.work(&mut rng);
        }
        let open = asking(&world);
        assert_eq!(world.status(), Some(&ThreadStatus::Running), "the timer runs");
        if seed % 2 == 1 {
            world.crash();
        }
        let answers = open.iter().map(|one| (one.id, payload(value::<String>(&one.value))));
        let answer =
            world.submit(Action::Resume(rethread_core::message::Answers::ById(answers.collect())));
        world.settle(&mut rng, (seed % 2 == 1).then_some(6));
        assert_eq!(world.outcome(answer), &RunOutcome::Joined(run));
        let expected = ("within a day?".to_owned(), "inner?".to_owned());
        assert_eq!(world.outcome(run), &RunOutcome::Done(payload(expected)), "seed {seed}");
        assert!(asking(&world).is_empty());
    }
}

#[test]
fn a_question_that_nobody_answers_in_time_is_given_up() {
    let mut world = deadlines();
    let run = world.start(0);
    world.settle(&mut Rng::new(1), None);
    let RunOutcome::Interrupted(open) = world.outcome(run) else { panic!("the task still asks") };
    assert_eq!(open.len(), 1, "only the question of the task is left: {open:?}");
}

#[test]
fn a_call_that_calls_itself_for_ever_ends() {
    let mut world = World::new(Code::main(|_| async { child("main", ()).await }));
    let run = world.start(0);
    world.settle(&mut Rng::new(1), None);
    match world.outcome(run) {
        RunOutcome::Failed(failure) => assert_eq!(failure.kind, kind::LIMIT, "{failure}"),
        other => panic!("{other:?}"),
    }
}
