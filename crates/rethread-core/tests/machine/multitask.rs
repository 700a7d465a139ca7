//! Requests that meet a run in progress, and those that stop one.

use std::sync::Arc;

use rethread_core::event::{Refusal, RunOutcome};
use rethread_core::header::ThreadStatus;
use rethread_core::ids::RunId;
use rethread_core::message::{Action, Answers, AttemptOutcome, Cancel, Multitask};
use rethread_core::outlook::WaitsFor;
use rethread_core::replay::Scope;
use rethread_core::thread::{Activity, Limits};

use crate::mixtures;
use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, ask, emit, payload, sleep, task, value};

/// Adds its input to what the thread has, through a task.
fn adding() -> World {
    World::new(Code::main(|input| async move {
        let scope = Scope::current().expect("in a body");
        let previous = scope.info().previous.as_ref().map_or(0, value::<u64>);
        let added: u64 = value(&task("work", value::<u64>(&input)).await?);
        Ok(payload(previous + added))
    }))
}

fn settled(world: &mut World) {
    world.settle(&mut Rng::new(1), None);
}

fn start_with(world: &mut World, multitask: Multitask, input: u64) -> RunId {
    world.asking.multitask = multitask;
    world.start(input)
}

fn refusal(world: &World, run: RunId) -> &Refusal {
    match world.outcome(run) {
        RunOutcome::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn messages(world: &mut World, count: usize) {
    for _ in 0..count {
        world.handle_message();
    }
}

#[test]
fn queued_requests_run_one_after_the_other_in_their_order() {
    for crash in [false, true] {
        let mut world = adding();
        let runs: Vec<_> = (1..=5).map(|n| start_with(&mut world, Multitask::Enqueue, n)).collect();
        messages(&mut world, 5);
        assert_eq!(world.store.waiting.len(), 4);
        if crash {
            world.crash();
        }
        settled(&mut world);
        let outcomes: Vec<_> = runs.iter().map(|run| world.outcome(*run).clone()).collect();
        let expected = [1_u64, 3, 6, 10, 15].map(|sum| RunOutcome::Done(payload(sum)));
        assert_eq!(outcomes, expected);
        assert!(world.store.waiting.is_empty());
    }
}

#[test]
fn queued_requests_survive_a_crash_after_every_effect() {
    let effects = {
        let mut world = queued();
        settled(&mut world);
        world.effects
    };
    for crash_after in 1..=effects {
        let mut world = queued();
        world.crash_after = Some(crash_after);
        settled(&mut world);
        let idle = Some(&ThreadStatus::Idle);
        assert_eq!(world.status(), idle, "crash after {crash_after}");
        assert_eq!(world.starts("work"), 3, "crash after {crash_after}");
        let run = RunId::from_uuid(uuid::Uuid::from_u128(3));
        let done = RunOutcome::Done(payload(6_u64));
        assert_eq!(world.outcome(run), &done, "crash after {crash_after}");
    }
}

fn queued() -> World {
    let mut world = adding();
    for n in 1..=3 {
        start_with(&mut world, Multitask::Enqueue, n);
    }
    world
}

#[test]
fn a_queued_request_runs_after_a_failed_and_after_an_interrupted_run() {
    let code = Code::main(|input| async move {
        match value::<u64>(&input) {
            0 => task("fails", ()).await,
            1 => ask("who?").await,
            n => task("work", n).await,
        }
    });
    let mut world = World::new(code);
    world.task("fails", |_| {
        AttemptOutcome::failed(rethread_core::failure::Failure::new("Bad", "no"))
    });
    let runs: Vec<_> = (0..3).map(|n| start_with(&mut world, Multitask::Enqueue, n)).collect();
    settled(&mut world);
    assert!(matches!(world.outcome(runs[0]), RunOutcome::Failed(_)));
    assert!(matches!(world.outcome(runs[1]), RunOutcome::Interrupted(_)));
    assert_eq!(world.outcome(runs[2]), &RunOutcome::Done(payload(2_u64)));
}

#[test]
fn only_so_many_requests_may_wait() {
    let mut world = adding();
    world.limits = Limits { waiting_max: 2, ..Limits::default() };
    let runs: Vec<_> = (1..=4).map(|n| start_with(&mut world, Multitask::Enqueue, n)).collect();
    messages(&mut world, 4);
    assert_eq!(refusal(&world, runs[3]), &Refusal::TooManyWaiting { max: 2 });
    settled(&mut world);
    assert_eq!(world.outcome(runs[2]), &RunOutcome::Done(payload(6_u64)));
}

#[test]
fn an_interrupting_start_cancels_the_run_and_takes_its_orders_back() {
    let mut world = adding();
    let first = world.start(1_u64);
    world.handle_message();
    assert_eq!(world.store.queue.len(), 1);
    let second = start_with(&mut world, Multitask::Interrupt, 2);
    world.handle_message();
    assert_eq!(world.outcome(first), &RunOutcome::Cancelled);
    assert_eq!(world.store.queue.len(), 1, "the first order is gone, the second is there");
    settled(&mut world);
    assert_eq!(world.outcome(second), &RunOutcome::Done(payload(2_u64)));
    assert_eq!(world.starts("work"), 1);
}

#[test]
fn an_interrupting_start_that_is_refused_stops_nothing() {
    let mut world = adding();
    let first = world.start(1_u64);
    world.handle_message();
    world.asking.multitask = Multitask::Interrupt;
    let second = world.submit(Action::Start { entrypoint: "mian".into(), input: payload(2_u64) });
    settled(&mut world);
    assert!(matches!(refusal(&world, second), Refusal::UnknownEntrypoint { .. }));
    assert_eq!(world.outcome(first), &RunOutcome::Done(payload(1_u64)));
}

#[test]
fn a_rollback_leaves_nothing_of_the_run() {
    let mut world = adding();
    world.start(5_u64);
    settled(&mut world);
    let (head, checkpoints) =
        (world.store.header.clone().expect("it ran").head, world.store.checkpoints.len());
    let second = world.start(1_u64);
    messages(&mut world, 1);
    let cancel = world.submit(Action::Cancel(Cancel { run: Some(second), roll_back: true }));
    settled(&mut world);
    assert_eq!(world.outcome(second), &RunOutcome::Cancelled);
    assert_eq!(world.outcome(cancel), &RunOutcome::Edited(None));
    let header = world.store.header.clone().expect("the thread is there");
    assert_eq!((header.head, header.status, header.step), (head, ThreadStatus::Idle, 0));
    assert_eq!(world.store.checkpoints.len(), checkpoints);
    assert!(world.store.journal.is_empty() && world.store.queue.is_empty());
    world.crash();
    let third = world.start(2_u64);
    settled(&mut world);
    assert_eq!(world.outcome(third), &RunOutcome::Done(payload(7_u64)));
}

#[test]
fn a_rollback_of_the_first_run_leaves_no_thread() {
    let mut world = adding();
    world.start(1_u64);
    messages(&mut world, 1);
    start_with(&mut world, Multitask::Enqueue, 2);
    messages(&mut world, 1);
    world.submit(Action::Cancel(Cancel { run: None, roll_back: true }));
    messages(&mut world, 1);
    let waiting_runs_now = world.store.header.as_ref().map(|header| header.status.clone());
    assert_eq!(waiting_runs_now, Some(ThreadStatus::Running), "what waited has begun");
    settled(&mut world);
    assert_eq!(world.store.checkpoints.len(), 2, "those of the second run");

    let mut world = adding();
    world.start(1_u64);
    messages(&mut world, 1);
    world.submit(Action::Cancel(Cancel { run: None, roll_back: true }));
    settled(&mut world);
    assert_eq!(world.status(), None);
    assert!(world.store.checkpoints.is_empty() && world.store.journal.is_empty());
}

#[test]
fn a_rollback_of_a_resume_asks_again() {
    let code = Code::main(|_| async {
        let answer: u64 = value(&ask("how many?").await?);
        task("work", answer).await
    });
    let mut world = World::new(code);
    world.start(());
    settled(&mut world);
    let asked = world.status().cloned();
    let resume = world.answer(3_u64);
    messages(&mut world, 1);
    world.submit(Action::Cancel(Cancel { run: Some(resume), roll_back: true }));
    messages(&mut world, 1);
    settled(&mut world);
    assert_eq!(world.status().cloned(), asked);
    world.crash();
    let again = world.answer(4_u64);
    settled(&mut world);
    assert_eq!(world.outcome(again), &RunOutcome::Done(payload(4_u64)));
    assert_eq!(world.starts("work"), 1);
}

#[test]
fn a_start_that_rolls_back_finds_what_was_before() {
    let mut world = adding();
    world.start(5_u64);
    settled(&mut world);
    let second = world.start(1_u64);
    messages(&mut world, 1);
    let third = start_with(&mut world, Multitask::Rollback, 2);
    settled(&mut world);
    assert_eq!(world.outcome(second), &RunOutcome::Cancelled);
    assert_eq!(world.outcome(third), &RunOutcome::Done(payload(7_u64)));
    assert_eq!(world.store.checkpoints.len(), 4);
}

#[test]
fn a_cancel_names_the_run_that_it_stops() {
    let mut world = adding();
    let first = world.start(1_u64);
    let second = start_with(&mut world, Multitask::Enqueue, 2);
    let third = start_with(&mut world, Multitask::Enqueue, 3);
    messages(&mut world, 3);
    let cancel = Cancel { run: Some(second), roll_back: false };
    let cancelling = world.submit(Action::Cancel(cancel));
    messages(&mut world, 1);
    assert_eq!(world.outcome(cancelling), &RunOutcome::Edited(None));
    assert_eq!(world.outcome(second), &RunOutcome::Cancelled);
    world.crash();
    settled(&mut world);
    assert_eq!(world.outcome(first), &RunOutcome::Done(payload(1_u64)));
    assert_eq!(world.outcome(third), &RunOutcome::Done(payload(4_u64)));
    let late = world.submit(Action::Cancel(Cancel { run: Some(first), roll_back: false }));
    settled(&mut world);
    assert_eq!(refusal(&world, late), &Refusal::NotRunning { run: first });
}

#[test]
fn no_body_of_a_cancelled_run_starts() {
    let mut world = World::new(Code::main(|_| async {
        futures::future::try_join_all((0..10_u64).map(|n| task("work", n))).await?;
        Ok(payload(()))
    }));
    let run = world.start(());
    messages(&mut world, 1);
    world.run_order(0);
    world.submit(Action::Cancel(Cancel::default()));
    messages(&mut world, 2);
    settled(&mut world);
    assert_eq!(world.outcome(run), &RunOutcome::Cancelled);
    assert_eq!(world.starts("work"), 1);
    assert!(world.store.queue.is_empty());
    let again = world.submit(Action::Retry);
    settled(&mut world);
    assert_eq!(world.outcome(again), &RunOutcome::Done(payload(())));
    assert_eq!(world.starts("work"), 10, "the one that was recorded did not run again");
}

#[test]
fn deleting_a_thread_ends_what_waits_on_it() {
    let code = Code::main(|_| async { ask("who?").await });
    let mut world = World::new(code);
    world.start(());
    settled(&mut world);
    world.submit(Action::Delete);
    settled(&mut world);
    assert_eq!(world.status(), None);
    assert!(world.store.waiting.is_empty());
}

#[test]
fn a_thread_explains_what_it_waits_for() {
    let mut world = World::new(Code::main(|_| async {
        let sleeping = sleep(60_000);
        let (a, b) = futures::future::join(task("work", 1), ask("who?")).await;
        a?;
        b?;
        sleeping.await
    }));
    world.start(());
    messages(&mut world, 1);
    let waiting = start_with(&mut world, Multitask::Enqueue, 2);
    let explain = world.submit(Action::Explain);
    messages(&mut world, 2);
    let RunOutcome::Explained(outlook) = world.outcome(explain) else { panic!("explained") };
    let waits: Vec<_> =
        outlook.calls.iter().map(|call| (call.name.as_str(), &call.waits_for)).collect();
    assert!(
        matches!(
            waits[..],
            [("sleep", WaitsFor::Time { .. }), ("work", WaitsFor::Worker { attempt: 1, .. })]
        ),
        "{waits:?}"
    );
    assert_eq!((outlook.questions.len(), outlook.calls_open), (1, 2));
    assert_eq!(outlook.waiting, [waiting]);
    assert_eq!(outlook.status, Some(ThreadStatus::Running));
}

#[test]
fn a_thread_that_only_sleeps_is_due_when_it_wakes() {
    let mut world = World::new(Code::main(|_| async {
        sleep(60_000).await?;
        task("work", 1).await
    }));
    world.start(());
    messages(&mut world, 1);
    let due = world.now.plus(60_000);
    assert_eq!(world.store.activity, Some(Activity::Due(due)));
    world.crash();
    settled(&mut world);
    assert_eq!(world.store.activity, Some(Activity::Parked));
    assert_eq!(world.starts("work"), 1);
}

#[test]
fn a_large_fan_out_leaves_room_in_the_queues() {
    let mut world = World::new(Code::main(|_| async {
        futures::future::try_join_all((0..50_u64).map(|n| task("work", n))).await?;
        Ok(payload(()))
    }));
    world.limits = Limits { orders_max: 7, ..Limits::default() };
    let run = world.start(());
    let mut most = 0;
    for _ in 0..10_000 {
        world.steps(1, &mut Rng::new(3));
        most = most.max(world.store.queue.len());
    }
    assert_eq!(most, 7);
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(())));
}

#[test]
fn a_run_that_reaches_a_limit_fails_and_leaves_nothing_running() {
    let mut world = World::new(Code::main(|_| async {
        let others = futures::future::try_join_all((0..4_u64).map(|n| task("work", n)));
        for n in 0..100_u64 {
            emit(n);
        }
        others.await?;
        Ok(payload(()))
    }));
    world.limits = Limits { events_max: 20, ..Limits::default() };
    let run = world.start(());
    settled(&mut world);
    let RunOutcome::Failed(failure) = world.outcome(run) else { panic!("failed") };
    assert_eq!(failure.kind, "LimitExceeded");
    assert!(failure.message.contains("events_max"), "{failure}");
    assert!(world.store.queue.is_empty());
    world.limits = Limits::default();
    world.crash();
    let again = world.submit(Action::Retry);
    settled(&mut world);
    assert_eq!(world.outcome(again), &RunOutcome::Done(payload(())));
}

#[test]
fn values_that_are_too_large_are_refused() {
    let code = Code::main(|input| async move {
        match value::<String>(&input).as_str() {
            "call" => task("work", "x".repeat(2_000)).await,
            "result" => task("large", ()).await,
            other => panic!("{other}"),
        }
    });
    let mut world = World::new(code);
    world.task("large", |_| AttemptOutcome::Completed(payload("x".repeat(2_000))));
    world.limits = Limits { payload_bytes_max: 1_000, ..Limits::default() };
    for (input, named) in [("call", "the input of `work`"), ("result", "the result of `large`")] {
        let run = world.start(input);
        settled(&mut world);
        let RunOutcome::Failed(failure) = world.outcome(run) else { panic!("failed") };
        assert!(failure.message.starts_with(named), "{failure}");
    }
    let run = world.start("x".repeat(2_000));
    settled(&mut world);
    assert!(matches!(refusal(&world, run), Refusal::Limit { .. }));
    let most = 1_000 - 3;
    world.limits = Limits { journal_bytes_max: 1_500, ..world.limits };
    world.crash();
    let mut two = World::new(Code::main(move |_| async move {
        task("work", "x".repeat(most)).await?;
        task("work", "y".repeat(most)).await
    }));
    two.limits = world.limits;
    let run = two.start(());
    settled(&mut two);
    let RunOutcome::Failed(failure) = two.outcome(run) else { panic!("failed") };
    assert!(failure.message.contains("journal_bytes_max"), "{failure}");
}

/// Random requests of all kinds, in the middle of random runs, with crashes: each one ends, and
/// nothing is left behind.
#[test]
fn random_requests_meet_random_runs() {
    const STRATEGIES: [Multitask; 4] =
        [Multitask::Reject, Multitask::Enqueue, Multitask::Interrupt, Multitask::Rollback];
    let (mut rolled_back, mut queued) = (0, 0);
    for seed in 0..120_u64 {
        let mut world = mixtures::world();
        // Two bodies that flip in turn must not fail for ever.
        let flips = std::cell::Cell::new(seed);
        world.task("flip", move |_| {
            flips.set(flips.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            AttemptOutcome::Completed(payload((flips.get() >> 40) as u32 % 2))
        });
        let mut rng = Rng::new(seed);
        let crashes = (seed % 3 > 0).then_some(12);
        let mut runs = vec![world.start((seed, 3_u32))];
        for round in 0..20_u64 {
            world.steps(rng.below(15), &mut rng);
            if rng.below(4) == 0 {
                world.settle(&mut rng, crashes);
            }
            world.asking.multitask = STRATEGIES[rng.below(4)];
            let stopped = runs[rng.below(runs.len())];
            let cancel = Cancel {
                run: (rng.below(2) == 0).then_some(stopped),
                roll_back: rng.below(2) == 0,
            };
            queued += world.store.waiting.len();
            runs.push(match (rng.below(8), world.status()) {
                (0..4, _) => world.start((seed.wrapping_mul(77) + round, 2_u32)),
                (4, _) => world.submit(Action::Retry),
                (5, _) => {
                    rolled_back += u32::from(cancel.roll_back);
                    world.submit(Action::Cancel(cancel))
                }
                (6, Some(ThreadStatus::Interrupted(open))) if !open.is_empty() => {
                    let answers = Answers::ById([(open[0].id, payload(round))].into());
                    world.submit(Action::Resume(answers))
                }
                (7, _) if rng.below(3) == 0 => world.submit(Action::Delete),
                _ => world.submit(Action::Explain),
            });
        }
        world.settle(&mut rng, crashes);
        for run in runs {
            world.outcome(run);
        }
        let status = world.status();
        assert!(!matches!(status, Some(ThreadStatus::Parked(_))), "seed {seed}: {status:?}");
        assert!(world.store.waiting.is_empty(), "seed {seed}");
        assert!(!world.has_work(), "seed {seed}");
    }
    assert!(rolled_back > 100 && queued > 30, "{rolled_back} rolled back, {queued} queued");
}

#[test]
fn no_body_starts_beside_a_report_that_a_cancel_overtook() {
    for crash in [false, true] {
        let mut world = World::new(Code::main(|_| async {
            task("work", 1).await?;
            task("work", 2).await
        }));
        world.start(());
        messages(&mut world, 1);
        world.submit(Action::Cancel(Cancel::default()));
        let again = world.submit(Action::Retry);
        world.run_order(0);
        messages(&mut world, 2);
        assert_eq!((world.store.queue.len(), world.store.inbox.len()), (1, 1));
        if crash {
            world.crash();
        }
        // The report comes to a call that is ordered again.
        messages(&mut world, 1);
        world.run_order(0);
        settled(&mut world);
        assert_eq!(world.outcome(again), &RunOutcome::Done(payload(2)));
        assert!(world.store.queue.is_empty());
    }
}

#[test]
fn a_request_does_not_overtake_those_that_wait_on_a_parked_thread() {
    let mut world = adding();
    world.start(1_u64);
    let second = start_with(&mut world, Multitask::Enqueue, 2);
    messages(&mut world, 2);
    world.crash();
    let good = std::mem::replace(
        &mut world.program,
        Arc::new(Code::main(|_| async { task("other", 1).await })),
    );
    world.load();
    assert!(matches!(world.status(), Some(ThreadStatus::Parked(_))), "{:?}", world.status());
    let third = start_with(&mut world, Multitask::Enqueue, 3);
    messages(&mut world, 1);
    assert_eq!(world.store.waiting.len(), 2);
    world.crash();
    world.program = good;
    let again = world.submit(Action::Retry);
    settled(&mut world);
    let outcomes = [again, second, third].map(|run| world.outcome(run).clone());
    assert_eq!(outcomes, [1_u64, 3, 6].map(|sum| RunOutcome::Done(payload(sum))));
}
