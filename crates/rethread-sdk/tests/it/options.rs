//! What tasks and entrypoints ask of the engine.

use std::time::Duration;

use rethread::prelude::*;
use rethread::{OptionError, Registry, RegistryError, TaskDef, TaskRef};
use rethread_core::failure::Failure;
use rethread_core::policy::{self, EntrypointOptions, Timeouts};
use rethread_core::replay::{CallRequest, Program};

use crate::driver::{Driver, pack};

const HOUR: Duration = Duration::from_secs(3_600);

fn by_id((id, _): &(u64, String)) -> String {
    format!("id-{id}")
}

#[task(
    idle_timeout = "5s",
    cache = Cache::ttl(HOUR),
    cache_key = by_id,
    version = "2",
    retry = Retry::attempts(4).when(|error| error.message() == "busy"),
)]
async fn embed(id: u64, text: String) -> Result<usize> {
    Ok(text.len() + id as usize)
}

#[entrypoint(
    retry = [Retry::attempts(2), Retry::attempts(3).when(|error| error.kind() == "Busy")],
    timeout = "1h",
    idle_timeout = HOUR,
    cache = Cache::forever(),
    cache_key = |input: &u64| format!("n-{input}"),
    version = "3",
    history = History::Thread
)]
async fn work(n: u64) -> Result<usize> {
    embed(n, "x".into()).await
}

#[test]
fn a_task_carries_them_into_its_calls() {
    let driver = Driver::start(work::def(), 7);
    let CallRequest::Task { options, cache_key, .. } = &driver.calls[0].request else {
        panic!("no task: {:?}", driver.calls)
    };
    assert_eq!(options.timeouts, Timeouts { run_ms: None, idle_ms: Some(5_000) });
    assert_eq!(options.cache, Some(policy::Cache { ttl_ms: Some(3_600_000) }));
    assert_eq!(options.version.as_deref(), Some("2"));
    assert_eq!(options.retry, [policy::Retry::attempts(4).on(RetryOn::When)]);
    assert_eq!(cache_key.as_deref(), Some("id-7"));
}

#[test]
fn a_reference_carries_them_too() {
    let body = Entrypoint::new("body", |(): ()| async {
        let task = TaskRef::<(u8,), u8>::named("far")
            .timeout(HOUR)
            .cache(Cache::forever())
            .cache_key(|(n,)| n.to_string())
            .retry([Retry::attempts(2), Retry::attempts(3).on(RetryOn::When)]);
        task.call((5,)).await
    });
    let driver = Driver::start(body, ());
    let CallRequest::Task { options, cache_key, .. } = &driver.calls[0].request else {
        panic!("no task: {:?}", driver.calls)
    };
    assert_eq!((options.timeouts.run_ms, cache_key.as_deref()), (Some(3_600_000), Some("5")));
    assert_eq!((options.retry.len(), options.cache), (2, Some(policy::Cache::forever())));
}

#[test]
fn a_worker_asks_the_predicates_of_a_task() {
    let task = TaskDef::from(embed::def());
    assert!(task.retries(0, &Failure::new("Error", "busy")));
    assert!(!task.retries(0, &Failure::new("Error", "broken")));
    assert_eq!(task.predicates(&Failure::new("Error", "busy")), [true]);
    let plain = TaskDef::from(Task::new("t", || async { Ok::<_, Error>(()) }));
    assert_eq!(plain.predicates(&Failure::new("Error", "busy")), [false; 0]);
}

#[test]
fn a_coordinator_asks_the_program() {
    let registry = Registry::builder().entrypoint(work::def()).build().expect("valid");
    let expected = EntrypointOptions {
        retry: vec![policy::Retry::attempts(2), policy::Retry::attempts(3).on(RetryOn::When)],
        timeouts: Timeouts { run_ms: Some(3_600_000), idle_ms: Some(3_600_000) },
        cache: Some(policy::Cache::forever()),
        version: Some("3".into()),
        history: History::Thread,
        outputs: None,
    };
    assert_eq!(registry.options("work"), expected);
    assert_eq!(registry.options("other"), EntrypointOptions::default());
    let busy = Failure::new("Busy", "x");
    assert_eq!([0, 1, 2].map(|nth| registry.retries("work", nth, &busy)), [false, true, false]);
    assert!(!registry.retries("other", 1, &busy));
    assert_eq!(registry.cache_key("work", &pack(7)).as_deref(), Some("n-7"));
    assert_eq!(registry.cache_key("work", &pack("no number")), None);
    assert_eq!(registry.cache_key("other", &pack(7)), None);
    assert!(registry.provided().is_none());
}

#[test]
fn a_cache_key_that_panics_is_none() {
    let odd = Entrypoint::new("odd", |n: u8| async move { Ok::<_, Error>(n) })
        .cache_key(|n| (1 / (n - n)).to_string());
    let registry = Registry::builder().entrypoint(odd).build().expect("valid");
    assert_eq!(registry.cache_key("odd", &pack(1)), None);
}

fn task() -> Task<(), ()> {
    Task::new("t", || async { Ok::<_, Error>(()) })
}

fn refused_task(task: Task<(), ()>) -> OptionError {
    match Registry::builder().task(task).build() {
        Err(RegistryError::InvalidOption { name, source }) => {
            assert_eq!(name, "t");
            source
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn what_cannot_work_is_refused() {
    assert_eq!(refused_task(task().timeout(Duration::ZERO)), OptionError::ZeroTimeout);
    let short = Duration::from_micros(999);
    assert_eq!(refused_task(task().idle_timeout(short)), OptionError::ZeroTimeout);
    assert_eq!(refused_task(task().cache(Cache::ttl(short))), OptionError::ZeroTtl);
    assert_eq!(refused_task(task().retry(Retry::attempts(0))), OptionError::NoAttempts);
    let blind = Retry::attempts(2).on(RetryOn::When);
    assert_eq!(refused_task(task().retry(blind)), OptionError::NoPredicate);

    let entrypoint = Entrypoint::new("e", |(): ()| async { Ok::<_, Error>(()) });
    let registry = Registry::builder().entrypoint(entrypoint.timeout(Duration::ZERO));
    let error = registry.build().expect_err("no time").to_string();
    assert_eq!(error, "`e`: a timeout is at least 1 ms; leave it out for none");
}

#[test]
fn a_call_says_what_cannot_work() {
    let body = Entrypoint::new("body", |(): ()| async {
        let far = TaskRef::<(), ()>::named("far");
        far.retry(Retry::attempts(2).when(|_| true)).call(()).await
    });
    let driver = Driver::start(body, ());
    let message = &driver.failure().message;
    assert!(message.starts_with("task `far`: a predicate is asked where the code"), "{message}");
    assert!(driver.calls.is_empty());
}
