//! Paths that only failures, reloads and futures from outside of the engine lead to.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use futures::future::{Either, join, select};
use rethread_core::event::RunOutcome;
use rethread_core::failure::Failure;
use rethread_core::header::ThreadStatus;
use rethread_core::ids::{Millis, RunId};
use rethread_core::message::{Action, AttemptOutcome};
use rethread_core::policy::{Retry, TaskOptions};
use rethread_core::replay::Scope;
use rethread_core::thread::{Activity, Limits};

use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, ask, child, payload, sleep, task, task_with};

/// A switch that a test and a body share.
#[derive(Clone, Default)]
pub(crate) struct Switch {
    is_on: Arc<AtomicBool>,
    wakers: Arc<Mutex<Vec<Waker>>>,
}

impl Switch {
    pub(crate) fn on() -> Self {
        let switch = Self::default();
        switch.set(true);
        switch
    }

    pub(crate) fn set(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::SeqCst);
        if is_on {
            self.wakers.lock().expect("not poisoned").drain(..).for_each(Waker::wake);
        }
    }

    fn is_on(&self) -> bool {
        self.is_on.load(Ordering::SeqCst)
    }

    /// Ready once the switch is on; meanwhile something outside of the engine holds the waker.
    pub(crate) async fn foreign(self) {
        poll_fn(move |context| {
            if self.is_on() {
                return Poll::Ready(());
            }
            self.wakers.lock().expect("not poisoned").push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// The same, marked as local.
    pub(crate) async fn local(self) {
        let scope = Scope::current().expect("in a body");
        scope.begin_local();
        self.foreign().await;
        scope.end_local();
    }

    /// Ready once the switch is on; wakes itself without rest until then.
    pub(crate) async fn busy(self) {
        poll_fn(|context| {
            if self.is_on() {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

fn settled(world: &mut World) {
    world.settle(&mut Rng::new(1), None);
}

fn is_parked(world: &World) -> bool {
    matches!(world.status(), Some(ThreadStatus::Parked(_)))
}

fn assert_done(world: &World, run: RunId, value: impl serde::Serialize) {
    assert_eq!(world.outcome(run), &RunOutcome::Done(payload(value)));
}

fn three_attempts() -> TaskOptions {
    TaskOptions { retry: vec![Retry::attempts(3).jitter(false)], ..Default::default() }
}

/// Fails at its first attempt, as the SDK makes failures: with the call as the cause.
fn fails_once(world: &mut World, name: &str) {
    world.task(name, |order| match order.target.attempt {
        1 => {
            let cause = Some(order.target.call);
            AttemptOutcome::failed(Failure { cause, ..Failure::new("Flaky", "not yet") })
        }
        _ => AttemptOutcome::Completed(payload(7_u64)),
    });
}

#[test]
fn an_answer_from_before_a_reopened_failure_is_used_when_it_is_asked_for() {
    let mut world = World::new(Code::main(|_| async {
        match task("flaky", 1).await {
            Ok(value) => Ok(value),
            Err(failure) => {
                ask("it failed; go on?").await?;
                Err(failure)
            }
        }
    }));
    fails_once(&mut world, "flaky");
    world.start(());
    settled(&mut world);
    let run = world.answer("no");
    settled(&mut world);
    assert!(matches!(world.outcome(run), RunOutcome::Failed(_)), "{:?}", world.outcome(run));
    let run = world.submit(Action::Retry);
    settled(&mut world);
    assert_done(&world, run, 7_u64);
}

#[test]
fn a_question_that_is_given_up_does_not_hold_the_run() {
    let mut world = World::new(Code::main(|_| async {
        match select(ask("in time?"), sleep(1_000)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(..) => Ok(payload("default")),
        }
    }));
    let run = world.start(());
    world.settle(&mut Rng::new(1), Some(3));
    assert_done(&world, run, "default");
}

#[test]
fn a_question_that_is_given_up_needs_no_answer() {
    let mut world = World::new(Code::main(|_| async {
        drop(select(ask("in time?"), sleep(1_000)).await);
        ask("second?").await
    }));
    world.start(());
    world.settle(&mut Rng::new(2), Some(3));
    let run = world.answer("x");
    world.settle(&mut Rng::new(3), Some(3));
    assert_done(&world, run, "x");
}

/// A program that can be made to fit no journal.
fn sometimes_broken(is_broken: &Switch, name: &'static str) -> Code {
    let is_broken = is_broken.clone();
    Code::main(move |_| {
        let is_broken = is_broken.is_on();
        async move {
            match is_broken {
                true => task("other", 4).await,
                false => task_with(name, 1, three_attempts()).await,
            }
        }
    })
}

/// Starts a run whose first attempt ends while the code does not fit.
fn parked_with_report(world: &mut World, is_broken: &Switch) {
    world.start(());
    world.handle_message();
    world.crash();
    is_broken.set(true);
    world.run_order(0);
    world.handle_message();
    assert!(is_parked(world), "{:?}", world.status());
    is_broken.set(false);
}

#[test]
fn a_kept_failure_counts_as_one_attempt_however_often_it_is_loaded() {
    let is_broken = Switch::default();
    let mut world = World::new(sometimes_broken(&is_broken, "flaky"));
    fails_once(&mut world, "flaky");
    parked_with_report(&mut world, &is_broken);
    let run = world.submit(Action::Retry);
    world.handle_message();
    for _ in 0..3 {
        world.crash();
        world.load();
    }
    settled(&mut world);
    assert_done(&world, run, 7_u64);
    assert_eq!(world.starts("flaky"), 2);
}

#[test]
fn a_kept_question_is_asked_once_however_often_it_is_loaded() {
    let is_broken = Switch::default();
    let mut world = World::new(sometimes_broken(&is_broken, "asking"));
    world.task("asking", |order| match order.answers.first() {
        None => AttemptOutcome::Asked { index: 0, value: payload("sure?") },
        Some(answer) => AttemptOutcome::Completed(answer.clone()),
    });
    parked_with_report(&mut world, &is_broken);
    world.submit(Action::Retry);
    settled(&mut world);
    assert!(matches!(world.status(), Some(ThreadStatus::Interrupted(_))), "{:?}", world.status());
    let run = world.answer("yes");
    world.handle_message();
    world.crash();
    world.load();
    settled(&mut world);
    assert_done(&world, run, "yes");
    assert_eq!(world.starts("asking"), 2);
}

#[test]
fn a_report_outlives_the_machine_while_a_body_does_not_rest() {
    let is_done = Switch::on();
    let shared = is_done.clone();
    let mut world = World::new(Code::main(move |_| {
        let busy = shared.clone().busy();
        async move { join(task("work", 1), busy).await.0 }
    }));
    let run = world.start(());
    world.handle_message();
    is_done.set(false);
    world.crash();
    world.load();
    world.run_order(0);
    world.handle_message();
    is_done.set(true);
    world.crash();
    settled(&mut world);
    assert_done(&world, run, 1);
    assert_eq!(world.starts("work"), 1);
}

#[test]
fn a_report_waits_for_what_comes_before_its_call() {
    for is_local in [false, true] {
        let is_ready = Switch::on();
        let shared = is_ready.clone();
        let mut world = World::new(Code::main(move |_| {
            let before = shared.clone();
            async move {
                match is_local {
                    true => before.local().await,
                    false => before.foreign().await,
                }
                task("work", 1).await
            }
        }));
        let run = world.start(());
        world.handle_message();
        world.crash();
        is_ready.set(false);
        world.run_order(0);
        world.handle_message();
        assert!(!is_parked(&world), "the same code fits");
        is_ready.set(true);
        world.crash();
        settled(&mut world);
        assert_done(&world, run, 1);
        assert_eq!(world.starts("work"), 1);
    }
}

#[test]
fn an_order_that_was_handed_back_before_its_call_is_made_is_queued_once() {
    let is_ready = Switch::on();
    let shared = is_ready.clone();
    let mut world = World::new(Code::main(move |_| {
        let before = shared.clone().local();
        async move {
            before.await;
            task("work", 1).await
        }
    }));
    let is_known = Switch::default();
    let worker_knows = is_known.clone();
    world.task("work", move |order| match worker_knows.is_on() {
        true => AttemptOutcome::Completed(order.input.clone()),
        false => AttemptOutcome::UnknownTask,
    });
    let run = world.start(());
    world.handle_message();
    world.crash();
    is_ready.set(false);
    world.run_order(0);
    world.handle_message();
    is_ready.set(true);
    is_known.set(true);
    for _ in 0..3 {
        world.crash();
        world.load();
        world.pass_time();
        assert_eq!(world.store.queue.len(), 1);
    }
    settled(&mut world);
    assert_done(&world, run, 1);
    assert_eq!(world.starts("work"), 2);
}

#[test]
fn a_local_future_may_take_long_before_what_is_recorded() {
    let is_ready = Switch::on();
    let shared = is_ready.clone();
    let mut world = World::new(Code::main(move |_| {
        let before = shared.clone().local();
        async move {
            before.await;
            ask("ok?").await
        }
    }));
    world.start(());
    settled(&mut world);
    is_ready.set(false);
    let run = world.answer("yes");
    settled(&mut world);
    assert_eq!(world.status(), Some(&ThreadStatus::Running), "it waits for the future");
    is_ready.set(true);
    world.wake();
    settled(&mut world);
    assert_done(&world, run, "yes");
}

#[test]
fn what_a_retry_has_finished_stays_finished_over_a_park() {
    let is_broken = Switch::default();
    let shared = is_broken.clone();
    let code = Code::main(move |_| {
        let is_broken = shared.is_on();
        async move {
            let value = child("child", 1).await?;
            match is_broken {
                true => task("other", 1).await,
                false => task("last", 1).await.map(|_| value),
            }
        }
    });
    let mut world = World::new(code.with("child", |_| async { task("flaky", 1).await }));
    fails_once(&mut world, "flaky");
    world.start(());
    settled(&mut world);
    assert!(matches!(world.status(), Some(ThreadStatus::Failed(_))), "{:?}", world.status());
    world.submit(Action::Retry);
    while !world.store.queue.iter().any(|order| order.name == "last") {
        match world.store.inbox.is_empty() {
            true => world.run_order(0),
            false => world.handle_message(),
        }
    }
    world.crash();
    is_broken.set(true);
    world.run_order(0);
    world.handle_message();
    assert!(is_parked(&world), "{:?}", world.status());
    is_broken.set(false);
    let run = world.submit(Action::Retry);
    settled(&mut world);
    assert_done(&world, run, 7_u64);
    assert_eq!(["flaky", "last"].map(|name| world.starts(name)), [2, 1]);
}

#[test]
fn calls_beyond_the_limit_fail_and_others_do_not() {
    let mut world = World::new(
        Code::main(|_| async {
            let calls: Vec<_> = (0..10_u64).map(|n| task("work", n)).collect();
            let results = futures::future::join_all(calls).await;
            let done = results.iter().filter(|result| result.is_ok()).count();
            let deeper = child("endless", done as u64).await.is_err();
            Ok(payload((done as u64, deeper)))
        })
        .with("endless", |input| async move { child("endless", input.len() as u64).await }),
    );
    world.limits = Limits { calls_max: 8, ..Limits::default() };
    let run = world.start(());
    world.settle(&mut Rng::new(1), Some(5));
    assert_done(&world, run, (8_u64, true));
    assert_eq!(world.starts("work"), 8);
}

/// Waits for `first` of this process or a timer, whatever ends first.
fn first_or_a_minute<F: Future<Output = ()> + Send>(
    first: impl Fn() -> F + Send + Sync + 'static,
) -> World {
    let first = Arc::new(first);
    let mut world = World::new(Code::main(move |_| {
        let first = Arc::clone(&first);
        async move {
            let sleeping = sleep(60_000);
            select(Box::pin(first()), sleeping).await;
            Ok(payload(()))
        }
    }));
    world.start(());
    world.handle_message();
    world
}

fn is_bound(world: &World) -> bool {
    world.machine.as_ref().is_some_and(|machine| machine.is_bound_to_memory())
}

#[test]
fn what_goes_on_in_this_process_does_not_sleep_beside_a_timer() {
    let now = Some(Activity::Due(Millis::default()));
    let local = Switch::default();
    let world = first_or_a_minute(move || local.clone().local());
    assert_eq!((world.store.activity, is_bound(&world)), (now, true));

    let busy = Switch::default();
    let world = first_or_a_minute(move || busy.clone().busy());
    assert_eq!((world.store.activity, is_bound(&world)), (now, true), "it is to be polled again");

    let world = first_or_a_minute(std::future::pending);
    let then = Some(Activity::Due(world.now.plus(60_000)));
    assert_eq!((world.store.activity, is_bound(&world)), (then, false));
}
