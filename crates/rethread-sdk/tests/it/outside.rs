//! Everything that needs a run says so, by name, where there is none.

use std::time::Duration;

use futures::executor::block_on;
use rethread::prelude::*;
use rethread::{TaskRef, kind};

#[task]
async fn lonely() -> Result<()> {
    Ok(())
}

#[entrypoint]
async fn alone(n: u8) -> Result<u8> {
    Ok(n)
}

#[track_caller]
fn check<T: std::fmt::Debug>(result: Result<T>, caller: &str) {
    let error = result.expect_err("no run");
    assert_eq!(error.kind(), kind::OUTSIDE_RUN);
    assert!(!error.is_retryable());
    assert!(error.message().starts_with(&format!("{caller} was called where no")), "{error}");
}

#[test]
fn every_function_names_itself() {
    check(block_on(lonely()), "task `lonely`");
    check(block_on(TaskRef::<(), ()>::named("far").call(())), "task `far`");
    check(block_on(interrupt::<bool>("ok?")), "`interrupt`");
    check(block_on(sleep(Duration::from_secs(1))), "`sleep`");
    check(emit(1), "`emit`");
    check(previous::<u8>(), "`previous`");
    check(now(), "`now`");
    check(run_info(), "`run_info`");
    check(idempotency_key(), "`idempotency_key`");
    check(emit_message("t", ()), "`emit_message`");
    check(config(), "`config`");
    check(context::<u8>(), "`context`");
    check(dep::<u8>(), "`dep`");
    check(heartbeat(()), "`heartbeat`");
    check(last_progress::<u8>(), "`last_progress`");
    check(random::<u64>(), "`random`");
    check(store(), "`store`");
    check(block_on(alone::def().call(1)), "entrypoint `alone`");
}

#[test]
fn a_call_outside_is_done_and_local_does_nothing() {
    let call = lonely().cancel_on_drop();
    assert!(call.is_done());
    call.cancel();
    assert_eq!(block_on(local(async { 7 })), 7);
}
