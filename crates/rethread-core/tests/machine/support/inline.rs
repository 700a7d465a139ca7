//! Tasks that run in the machine: all whose names begin with `=`. Most give their name.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rethread_core::failure::Failure;
use rethread_core::payload::Payload;
use rethread_core::replay::InlineFuture;

use super::{ask, emit, payload, sleep, task};

thread_local! {
    /// How often each of them has begun.
    static STARTS: RefCell<BTreeMap<String, usize>> = const { RefCell::new(BTreeMap::new()) };
}

/// How often one of them has begun in this test.
pub(crate) fn starts(name: &str) -> usize {
    STARTS.with_borrow(|starts| starts.get(name).copied().unwrap_or_default())
}

/// Begins one.
pub(crate) fn start(name: &str) -> Option<Result<InlineFuture, Failure>> {
    let what = name.strip_prefix('=')?.to_owned();
    STARTS.with_borrow_mut(|starts| *starts.entry(name.to_owned()).or_default() += 1);
    Some(Ok(Box::pin(run(what))))
}

async fn run(what: String) -> Result<Payload, Failure> {
    let name = format!("={what}");
    match what.as_str() {
        "asks" => drop(ask("?").await?),
        "calls" => drop(task("a", ()).await?),
        "leaves" => drop(task("a", ())),
        "sleeps" => drop(sleep(1).await?),
        "emits" => emit("x"),
        "waits" => std::future::pending().await,
        "panics" => panic!("as it was told"),
        "once" if starts(&name) == 1 => return Err(Failure::new("Bad", "the first time")),
        _ => {}
    }
    Ok(payload(name))
}
