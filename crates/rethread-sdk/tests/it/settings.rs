//! What the caller of a run set for it, and what else a body reaches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;

use rethread::prelude::*;
use rethread::{Args, kind};
use rethread_core::message::Emission;
use rethread_core::payload::Payload;
use rethread_core::replay::{Ask, ScopeInfo};
use rethread_core::settings::RunConfig;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::driver::{Driver, attempt_with, info, pack};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tenant {
    name: String,
}

fn entries<const N: usize>(entries: [(&str, Payload); N]) -> BTreeMap<String, Payload> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn configured() -> ScopeInfo {
    let config = RunConfig {
        tags: vec!["night".into()],
        metadata: entries([("origin", pack("cron"))]),
        configurable: entries([("user_id", pack(7)), ("nothing", Payload::NULL)]),
    };
    let context = Some(pack(Tenant { name: "ada".into() }));
    ScopeInfo { config: Arc::new(config), context, ..info("body") }
}

#[test]
fn a_body_reads_the_configuration() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<(u32, String, Option<u8>, Option<u8>, Vec<String>)> {
        let config = config()?;
        assert_eq!(config.thread().as_str(), "thread-1");
        assert_eq!((config.run(), config.tags()), (run_info()?.run, &*run_info()?.tags));
        assert_eq!(config.configurable_keys().collect::<Vec<_>>(), ["nothing", "user_id"]);
        assert_eq!(config.metadata_keys().collect::<Vec<_>>(), ["origin"]);
        Ok((
            config.configurable("user_id")?.unwrap_or_default(),
            config.metadata("origin")?.unwrap_or_default(),
            config.configurable("nothing")?,
            config.configurable("unknown")?,
            run_info()?.tags,
        ))
    }
    let driver = Driver::start_with(body::def(), (), configured());
    let expected = (7, "cron".to_owned(), None::<u8>, None::<u8>, vec!["night".to_owned()]);
    assert_eq!(driver.value::<(u32, String, Option<u8>, Option<u8>, Vec<String>)>(), expected);
}

#[test]
fn a_value_of_another_type_is_named() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<Option<bool>> {
        config()?.configurable("user_id")
    }
    let driver = Driver::start_with(body::def(), (), configured());
    assert_eq!(driver.failure().kind, kind::SERIALIZATION);
    let message = &driver.failure().message;
    assert!(message.contains("configurable `user_id` of the run as `bool`"), "{message}");
}

#[test]
fn values_stay_out_of_logs() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<String> {
        Ok(format!("{:?}", config()?))
    }
    let shown = Driver::start_with(body::def(), (), configured()).value::<String>();
    assert!(shown.contains("user_id") && !shown.contains("cron"), "{shown}");
}

#[task]
async fn bill(tenant: Context<Tenant>, cents: u64) -> Result<String> {
    assert_eq!(*tenant, context::<Tenant>()?);
    let name = tenant.into_inner().map_or_else(|| "nobody".into(), |tenant| tenant.name);
    Ok(format!("{name} owes {cents}"))
}

#[test]
fn a_body_reads_the_context() {
    let input = (5_u64,).encode("bill").expect("encodes");
    let with = attempt_with(bill::def(), &input, configured());
    assert_eq!(with.outcome, Poll::Ready(Ok(pack("ada owes 5"))));
    let without = attempt_with(bill::def(), &input, info("bill"));
    assert_eq!(without.outcome, Poll::Ready(Ok(pack("nobody owes 5"))));

    #[entrypoint]
    async fn body(mut tenant: Context<Tenant>, _input: ()) -> Result<Option<Tenant>> {
        Ok(tenant.take())
    }
    let driver = Driver::start_with(body::def(), (), configured());
    assert_eq!(driver.value::<Option<Tenant>>(), Some(Tenant { name: "ada".into() }));
    let info = ScopeInfo { context: Some(pack(1)), ..info("body") };
    let driver = Driver::start_with(body::def(), (), info);
    let message = &driver.failure().message;
    assert!(message.contains("context of the run as"), "{message}");
}

#[test]
fn chance_is_the_same_on_each_replay() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<(u64, u32, f64, bool, Uuid, Uuid)> {
        Ok((random()?, random()?, random()?, random()?, random()?, random()?))
    }
    let drawn = || Driver::start(body::def(), ()).value::<(u64, u32, f64, bool, Uuid, Uuid)>();
    let first = drawn();
    assert_eq!(first, drawn());
    assert_ne!(first.4, first.5);
    assert!((0.0..1.0).contains(&first.2));
}

#[test]
fn tokens_go_to_the_stream_of_messages() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<()> {
        emit_message("hel", json!({ "n": 1 }))?;
        emit("between")?;
        emit_message("lo", ())
    }
    let message = |value: &str, metadata| Emission::Message { value: pack(value), metadata };
    let driver = Driver::start(body::def(), ());
    let expected = [
        message("hel", pack(json!({ "n": 1 }))),
        Emission::Custom(pack("between")),
        message("lo", Payload::NULL),
    ];
    assert_eq!(driver.emitted, expected);
}

#[test]
fn progress_goes_out_and_comes_back() {
    #[task]
    async fn import(rows: u32) -> Result<u32> {
        let done = last_progress::<u32>()?.unwrap_or(0);
        heartbeat(())?;
        heartbeat(done + 1)?;
        Ok(rows - done)
    }
    let input = (10_u32,).encode("import").expect("encodes");
    let first = attempt_with(import::def(), &input, info("import"));
    assert_eq!(first.outcome, Poll::Ready(Ok(pack(10))));
    let [Ask::Heartbeat(None), Ask::Heartbeat(Some(progress))] = &first.asks[..] else {
        panic!("asked {:?}", first.asks)
    };
    let info = ScopeInfo { progress: Some(progress.clone()), ..info("import") };
    let second = attempt_with(import::def(), &input, info);
    assert_eq!(second.outcome, Poll::Ready(Ok(pack(9))));

    let info = ScopeInfo { progress: Some(pack("far")), ..crate::driver::info("import") };
    let Poll::Ready(Err(failure)) = attempt_with(import::def(), &input, info).outcome else {
        panic!("decoded")
    };
    assert!(failure.message.contains("progress of `import` as `u32`"), "{failure}");
}
