//! Expansions add no warnings to the strictest crate.

#![deny(warnings, unused, missing_docs, missing_debug_implementations, unreachable_pub)]
#![deny(rust_2018_idioms, unused_qualifications, single_use_lifetimes, future_incompatible)]

extern crate rethread_sdk as rethread;

use rethread::Registry;
use rethread::prelude::*;

/// Is registered and called.
#[task]
pub async fn used(mut text: String, #[allow(unused_variables)] spare: u8) -> Result<String> {
    text.push('!');
    Ok(text)
}

#[task]
async fn registered_only(n: u64) -> Result<u64> {
    Ok(n)
}

#[task]
async fn called_only() -> Result<()> {
    registered_only(1).await?;
    Ok(())
}

/// Is registered only, as most entrypoints are.
#[entrypoint]
async fn body(text: String, mut previous: Previous<u8>) -> Result<Final<String, u8>> {
    called_only().await?;
    let count = previous.take().unwrap_or_default();
    Ok(Final::new(used(text, 1).await?, count + 1))
}

/// Has parameters that no caller passes, and every key.
#[entrypoint(
    name = "full",
    retry = Retry::attempts(2),
    timeout = "1m",
    idle_timeout = "1s",
    cache = Cache::forever(),
    cache_key = |input: &String| input.clone(),
    version = "1",
    history = History::Off
)]
pub async fn full(
    store: Store,
    input: String,
    limit: Dep<u32>,
    Context(tenant): Context<String>,
    _previous: Previous<String>,
) -> Result<String> {
    store.delete(["notes"], &input).await?;
    filled(*limit).await?;
    Ok(tenant.unwrap_or(input))
}

#[task(
    idle_timeout = "1s",
    cache = Cache::forever(),
    cache_key = |(n,): &(u32,)| n.to_string(),
    version = "1"
)]
async fn filled(store: Store, n: u32, _limit: Dep<u32>) -> Result<u32> {
    drop(store);
    Ok(n)
}

/// Reads only what it is filled with.
#[task]
async fn without_arguments(limit: Dep<u32>) -> Result<u32> {
    Ok(*limit)
}

mod inner {
    use rethread::prelude::*;

    #[task(name = "inner")]
    pub(crate) async fn seen_in_crate() -> Result<(), std::num::ParseIntError> {
        "1".parse::<u8>().map(drop)
    }
}

macro_rules! task_of {
    ($name:ident, $ty:ty, $returned:ty) => {
        #[task]
        async fn $name(value: $ty) -> $returned {
            Ok(value)
        }
    };
}

task_of!(made_by_macro, u32, Result<u32>);

#[test]
fn everything_can_be_registered() {
    let registry = Registry::builder()
        .entrypoint(body::def())
        .task(used::def())
        .task(registered_only::def())
        .task(inner::seen_in_crate::def())
        .task(made_by_macro::def())
        .entrypoint(full::def())
        .task(filled::def())
        .task(without_arguments::def())
        .build();
    assert!(registry.is_ok());
}
