//! What the attributes make of a function.

use std::time::Duration;

use rethread::prelude::*;
use rethread::{Args, EntrypointRef, TaskDef};
use rethread_core::policy::{self, TaskOptions};
use rethread_core::replay::{Ask, CallRequest};

use crate::driver::{Driver, attempt, pack, unpack};

const PATIENCE: Duration = Duration::from_secs(5);

/// Documented.
#[task(name = "essays.write", queue = "slow", retry = Retry::attempts(3), timeout = "30s")]
pub async fn write(mut topic: String, (from, to): (u8, u8)) -> Result<String> {
    topic.push('!');
    Ok(format!("{topic} {from} {to}"))
}

#[task(retry = [Retry::attempts(2), Retry::attempts(9)], timeout = PATIENCE)]
async fn plain() -> Result<()> {
    Ok(())
}

#[task(crate = rethread_sdk)]
#[expect(clippy::too_many_arguments)]
async fn elsewhere(_a: u8, _b: u8, _c: u8, _d: u8, _e: u8, _f: u8, _g: u8, h: u8) -> Result<u8> {
    Ok(h)
}

#[task]
async fn r#match(n: u8) -> Result<u8> {
    if n == 0 { Ok(0) } else { Ok(1 + r#match(n - 1).await?) }
}

#[test]
fn keys_become_options() {
    let task = TaskDef::from(write::def());
    assert_eq!(task.name(), "essays.write");
    let TaskOptions { queue, retry, timeouts, cache, version } = task.options();
    assert_eq!((queue.as_str(), timeouts.run_ms, timeouts.idle_ms), ("slow", Some(30_000), None));
    assert_eq!(retry, &[policy::Retry::attempts(3)]);
    assert_eq!((cache, version), (&None, &None));

    let task = TaskDef::from(plain::def());
    assert_eq!(task.name(), "plain");
    assert_eq!(task.options().retry, [2, 9].map(policy::Retry::attempts));
    assert_eq!(task.options().timeouts.run_ms, Some(5_000));
    assert_eq!(TaskDef::from(elsewhere::def()).options(), &TaskOptions::default());
}

#[test]
fn a_task_that_calls_itself_makes_a_call() {
    assert_eq!(r#match::def().name(), "match");
    let input = (2u8,).encode("match").expect("encodes");
    let attempt = attempt(r#match::def(), &input, Vec::new());
    assert!(attempt.outcome.is_pending());
    let [Ask::Call { request: CallRequest::Task { name, input, .. }, .. }] = &attempt.asks[..]
    else {
        panic!("asked {:?}", attempt.asks)
    };
    assert_eq!((&**name, unpack::<(u8,)>(input)), ("match", (1,)));
}

#[test]
fn patterns_are_arguments() {
    #[entrypoint]
    async fn body((a, b): (u8, u8)) -> Result<String> {
        write("t".into(), (a, b)).await
    }
    let driver = Driver::start(body::def(), (1, 2));
    let (topic, range) = driver.calls[0].input::<(String, (u8, u8))>();
    assert_eq!((topic.as_str(), range), ("t", (1, 2)));
}

#[test]
fn previous_may_stand_anywhere_and_errors_may_be_typed() {
    #[entrypoint]
    async fn body(text: String, saved: Previous<u8>) -> Result<u8, std::num::ParseIntError> {
        Ok(saved.unwrap_or(1) + text.parse::<u8>()?)
    }
    assert_eq!(Driver::start(body::def(), "2".into()).value::<u8>(), 3);
    assert_eq!(Driver::start(body::def(), "x".into()).failure().kind, "ParseIntError");
}

#[test]
fn items_of_one_module_can_be_used_from_another() {
    mod inner {
        use rethread::prelude::*;

        #[derive(serde::Serialize, serde::Deserialize)]
        pub struct Input {
            pub n: u8,
        }

        #[entrypoint(name = "inner.work")]
        pub(super) async fn work(input: Input) -> Result<u8> {
            Ok(input.n)
        }
    }
    use inner::work;

    fn name<I, O>(entrypoint: impl Into<EntrypointRef<I, O>>) -> String {
        entrypoint.into().name().to_owned()
    }
    assert_eq!(name(work::def()), "inner.work");
    let borrowed = work::def();
    assert_eq!(name(&borrowed), borrowed.name());
    assert_eq!(name(work::def().reference()), "inner.work");
    #[entrypoint]
    async fn body(n: u8) -> Result<u8> {
        work(inner::Input { n }).await
    }
    assert_eq!(Driver::start(body::def(), 1).names(), ["inner.work"]);
}

#[test]
fn parameters_may_have_any_name() {
    #[entrypoint]
    async fn body(
        (previous, def): (u8, u8),
        Previous(value): Previous<u8>,
    ) -> Result<Final<u8, u8>> {
        Ok(Final::new(previous + def, value.unwrap_or(7)))
    }
    #[entrypoint]
    async fn plain(previous: u8, saved: Previous<u8>) -> Result<u8> {
        Ok(previous + saved.unwrap_or(1))
    }
    let driver = Driver::start(body::def(), (1, 2));
    assert_eq!((driver.value::<u8>(), &driver.output().save), (3, &Some(pack(7))));
    assert_eq!(Driver::start(plain::def(), 5).value::<u8>(), 6);
}
