//! Everything that needs a run says so, by name, where there is none.

use std::time::Duration;

use futures::executor::block_on;
use rethread::prelude::*;
use rethread::{TaskRef, kind};

#[task]
async fn lonely() -> Result<()> {
    Ok(())
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
}

#[test]
fn a_call_outside_is_done_and_local_does_nothing() {
    assert!(lonely().is_done());
    assert_eq!(block_on(local(async { 7 })), 7);
}
