//! Calls: when they are made, who they are, and how they compose.

use std::time::Duration;

use futures::future::{Either, join, join_all, select, try_join};
use futures::stream::{FuturesUnordered, StreamExt};
use rethread::prelude::*;
use rethread::{TaskRef, kind};
use rethread_core::failure::Failure;
use rethread_core::replay::CallRequest;

use crate::driver::Driver;

#[task]
async fn square(n: u64) -> Result<u64> {
    Ok(n * n)
}

#[task]
async fn note() -> Result<()> {
    Ok(())
}

#[test]
fn a_call_counts_when_it_is_made() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<u64> {
        let second = square(2);
        let first = square(1);
        assert!(!first.is_done());
        let sum = first.await? + second.await?;
        Ok(sum)
    }
    let mut driver = Driver::start(body::def(), ());
    let inputs: Vec<(u64,)> = driver.calls.iter().map(|call| call.input()).collect();
    assert_eq!(inputs, [(2,), (1,)]);
    driver.complete(0, 4);
    assert!(driver.is_waiting());
    driver.complete(1, 1);
    assert_eq!(driver.value::<u64>(), 5);
}

#[test]
fn calls_have_the_same_identity_on_each_replay() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<()> {
        let _calls = (square(1), square(1), note(), square(2));
        Ok(())
    }
    let ids = || Driver::start(body::def(), ()).calls.iter().map(|c| c.id).collect::<Vec<_>>();
    let first = ids();
    assert_eq!(first, ids());
    assert_ne!(first[0], first[1], "equal calls are two calls");
}

#[test]
fn a_key_names_a_call_instead_of_its_arguments() {
    let ids = |argument: u64| {
        let body = Entrypoint::new("body", move |(): ()| async move {
            square::keyed("one", argument).detach();
            square::def().call_keyed("one", (argument,)).detach();
            Ok::<_, Error>(())
        });
        let driver = Driver::start(body, ());
        (driver.calls[0].id, driver.calls[1].id)
    };
    assert_eq!(ids(1), ids(2));
    assert_ne!(ids(1).0, ids(1).1);
}

#[test]
fn a_key_names_the_call_of_an_entrypoint_too() {
    #[entrypoint]
    async fn child(n: u64) -> Result<u64> {
        Ok(n)
    }
    let id = |input: u64| {
        let body =
            Entrypoint::new("body", move |(): ()| async move { child::keyed("one", input).await });
        Driver::start(body, ()).calls[0].id
    };
    assert_eq!(id(1), id(2));
}

#[test]
fn dropping_a_call_detaches_it() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<u64> {
        drop(square(1));
        note().detach();
        square(3).await
    }
    let mut driver = Driver::start(body::def(), ());
    assert_eq!(driver.names(), ["square", "note", "square"]);
    driver.fail(0, Failure::new("Ignored", "nobody hears this"));
    driver.complete(2, 9);
    assert_eq!(driver.value::<u64>(), 9);
    driver.complete(1, ());
}

#[test]
fn a_call_can_be_cancelled() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<bool> {
        let (kept, ended) = (square(1), square(2));
        ended.cancel();
        let error = ended.await.expect_err("cancelled");
        kept.await?;
        Ok(error.is_cancelled())
    }
    let mut driver = Driver::start(body::def(), ());
    assert_eq!(driver.cancelled, [driver.calls[1].id]);
    driver.fail(1, Failure::new(kind::CANCELLED, "the call was cancelled"));
    driver.complete(0, 1);
    assert!(driver.value::<bool>());
}

#[test]
fn a_call_that_has_its_outcome_is_not_cancelled() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<u64> {
        let first = square(1).cancel_on_drop();
        let value = square(2).await?;
        first.cancel();
        Ok(value + first.await?)
    }
    let mut driver = Driver::start(body::def(), ());
    driver.complete(0, 1);
    driver.complete(1, 4);
    assert_eq!((driver.value::<u64>(), driver.cancelled.len()), (5, 0));
}

#[test]
fn the_loser_of_a_race_is_cancelled_when_it_says_so() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<u64> {
        let race = select(square(1).cancel_on_drop(), square(2).cancel_on_drop());
        let (Either::Left((square, _)) | Either::Right((square, _))) = race.await;
        note().cancel_on_drop().detach();
        square
    }
    let mut driver = Driver::start(body::def(), ());
    driver.complete(1, 4);
    assert_eq!(driver.value::<u64>(), 4);
    assert_eq!(driver.cancelled, [driver.calls[0].id], "neither the winner nor the detached one");
}

#[test]
fn is_done_tells_of_a_delivered_outcome() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<(bool, bool)> {
        let (a, b) = (square(1), square(2));
        let before = a.is_done();
        b.await?;
        Ok((before, a.is_done()))
    }
    let mut driver = Driver::start(body::def(), ());
    driver.complete(0, 1);
    driver.complete(1, 4);
    assert_eq!(driver.value::<(bool, bool)>(), (false, true));
}

#[test]
fn calls_join() {
    #[entrypoint]
    async fn body(n: u64) -> Result<Vec<u64>> {
        let ((), squares) = try_join(note(), async {
            join_all((1..=n).map(square)).await.into_iter().collect::<Result<Vec<_>>>()
        })
        .await?;
        Ok(squares)
    }
    let mut driver = Driver::start(body::def(), 3);
    assert_eq!(driver.calls.len(), 4);
    for nth in [3, 1, 0, 2] {
        let n = driver.calls.get(nth).filter(|call| call.name == "square");
        match n.map(|call| call.input::<(u64,)>().0) {
            Some(n) => driver.complete(nth, n * n),
            None => driver.complete(nth, ()),
        }
    }
    assert_eq!(driver.value::<Vec<u64>>(), [1, 4, 9]);
}

#[test]
fn the_first_outcome_wins_a_select() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<String> {
        Ok(match select(square(1), sleep(Duration::from_micros(1_500))).await {
            Either::Left((square, _)) => format!("square {}", square?),
            Either::Right((slept, _)) => format!("timer {:?}", slept?),
        })
    }
    let mut slow = Driver::start(body::def(), ());
    assert!(matches!(slow.calls[1].request, CallRequest::Timer { duration_ms: 2 }));
    slow.complete(1, ());
    assert_eq!(slow.value::<String>(), "timer ()");
    let mut fast = Driver::start(body::def(), ());
    fast.complete(0, 1);
    assert_eq!(fast.value::<String>(), "square 1");
}

#[test]
fn unordered_calls_come_in_the_order_of_delivery() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<Vec<u64>> {
        let calls: FuturesUnordered<_> = (1..=3).map(square).collect();
        calls.collect::<Vec<_>>().await.into_iter().collect()
    }
    let mut driver = Driver::start(body::def(), ());
    driver.complete(2, 9);
    driver.complete(0, 1);
    driver.complete(1, 4);
    assert_eq!(driver.value::<Vec<u64>>(), [9, 1, 4]);
}

#[test]
fn a_failure_that_passes_through_names_its_call() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<u64> {
        let (a, b) = join(square(1), square(2)).await;
        Ok(a? + b?)
    }
    let mut driver = Driver::start(body::def(), ());
    driver.complete(0, 1);
    driver.fail(1, Failure::new("Overflow", "too large").final_());
    let failure = driver.failure();
    assert_eq!((failure.kind.as_str(), failure.retryable), ("Overflow", Some(false)));
    assert_eq!(failure.cause, Some(driver.calls[1].id));
}

#[test]
fn a_survived_failure_is_an_ordinary_error() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<String> {
        match square(1).await {
            Ok(n) => Ok(n.to_string()),
            Err(error) if error.is_timeout() => Ok("late".into()),
            Err(error) => Err(error),
        }
    }
    let mut driver = Driver::start(body::def(), ());
    driver.fail(0, Failure::new(kind::TIMEOUT, "took longer than 1 s"));
    assert_eq!(driver.value::<String>(), "late");
}

#[test]
fn a_result_of_another_type_is_named() {
    #[entrypoint]
    async fn body(_input: ()) -> Result<u64> {
        square(1).await
    }
    let mut driver = Driver::start(body::def(), ());
    driver.complete(0, "one");
    let failure = driver.failure();
    assert_eq!(failure.kind, kind::SERIALIZATION);
    assert!(failure.message.contains("result of task `square` as `u64`"), "{failure}");
}

#[test]
fn arguments_that_cannot_be_encoded_fail_the_call() {
    #[derive(serde::Deserialize)]
    struct Odd;
    impl serde::Serialize for Odd {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("odd"))
        }
    }
    #[task]
    async fn take(_odd: Odd) -> Result<()> {
        Ok(())
    }
    #[entrypoint]
    async fn body(_input: ()) -> Result<bool> {
        let call = take(Odd);
        let is_done = call.is_done();
        let error = call.await.expect_err("not encodable");
        assert!(error.message().contains("arguments of task `take`"), "{error}");
        Ok(is_done)
    }
    let driver = Driver::start(body::def(), ());
    assert!(driver.calls.is_empty());
    assert!(driver.value::<bool>());
}

#[test]
fn a_queue_without_a_name_fails_the_call() {
    let body = Entrypoint::new("body", |(): ()| async {
        TaskRef::<(), ()>::named("far").queue("").call(()).await
    });
    let driver = Driver::start(body, ());
    assert!(driver.failure().message.contains("must not be empty"), "{}", driver.failure());
}

#[test]
fn a_child_entrypoint_is_called_like_a_task() {
    #[entrypoint]
    async fn child(name: String) -> Result<Final<usize, String>> {
        Ok(Final::new(name.len(), name))
    }
    #[entrypoint]
    async fn body(name: String) -> Result<usize> {
        child(name).await
    }
    let mut driver = Driver::start(body::def(), "abc".into());
    assert!(matches!(driver.calls[0].request, CallRequest::Entrypoint { .. }));
    assert_eq!(driver.calls[0].input::<String>(), "abc");
    driver.complete(0, 3);
    assert_eq!(driver.value::<usize>(), 3);
}

#[test]
fn calls_are_send_and_unpin() {
    fn check<T: Send + Unpin>(_: T) {}
    check(square(1));
    check(interrupt::<std::rc::Rc<()>>("?"));
}
