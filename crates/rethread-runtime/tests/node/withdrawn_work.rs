//! Orders that are taken back, when workers have them already.

use rethread_core::event::RunOutcome;
use rethread_core::ids::QueueName;
use rethread_core::message::{Action, AttemptOutcome, Cancel, InboxMessage, Report, TaskOrder};
use rethread_core::record::Record;
use rethread_sdk::{Entrypoint, Error, Registry, Task};

use crate::cancels::CountDrop;
use crate::faulty::Faulty;
use crate::hand::{Hand, shut_down, worker};
use crate::runs::doubling;
use crate::support::{Counter, Driver, options, payload, recorded, start, thread_id};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handed_in_of_an_order_that_was_taken_back_is_dropped() {
    let driver = Driver::in_memory(1);
    let hand = Hand::new(&driver).await;
    let bodies = Counter::default();
    let mut options = options("c", &driver, doubling(&bodies));
    options.workers.clear();
    let node = start(options).await;
    let run = driver.start("t", "sum", 3_u64).await;
    let mut taken = hand.take(2).await;
    driver.submit("t", Action::Cancel(Cancel::default())).await;
    assert_eq!(driver.outcome("t", run).await, RunOutcome::Cancelled);

    let receipts: Vec<_> = taken.iter().map(|delivery| delivery.receipt.clone()).collect();
    let confirmed = driver.storage.confirm(&hand.worker, &receipts).await.expect("asks");
    assert_eq!(confirmed, [false, false], "their bodies must not start");
    let queued = driver.storage.queued_orders(driver.partition("t")).await.expect("reads");
    assert!(queued.is_empty(), "nothing is left: {queued:?}");
    let delivery = taken.remove(0);
    let order = TaskOrder::from_record(&delivery.order).expect("reads");
    let outcome = AttemptOutcome::Completed(payload(&99_u64));
    let report = Report { target: order.target, worker: hand.worker.clone(), outcome };
    hand.finish(delivery, vec![InboxMessage::Report(report).to_record()]).await;

    // A message that is certainly routed later.
    let again = driver.submit("t", Action::Retry).await;
    let other = start(worker(&driver, doubling(&bodies))).await;
    assert_eq!(driver.done::<u64>("t", again).await, 6, "not what was handed in");
    assert_eq!(bodies.get(), 3);
    let recorded = recorded(&*driver.storage, driver.partition("t"), thread_id("t").key()).await;
    assert!(recorded.is_empty(), "it has completed");
    let queues = [QueueName::standard()];
    driver.storage.retire(&hand.worker, &queues).await.expect("retires");
    shut_down([node, other]).await;
    let queued = driver.storage.queued_orders(driver.partition("t")).await.expect("reads");
    assert!(queued.is_empty(), "nothing came back: {queued:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_waits_for_calls_ends_with_its_run_although_nobody_tells_it() {
    let (begun, dropped) = (Counter::default(), Counter::default());
    let counted = begun.clone();
    let inner = Task::new("inner", move |(): ()| {
        counted.add();
        async move {
            std::future::pending::<()>().await;
            Ok::<u64, Error>(0)
        }
    });
    let (call, counted) = (inner.clone(), dropped.clone());
    let outer = Task::new("outer", move |(): ()| {
        let (inner, guard) = (call.clone(), CountDrop(counted.clone()));
        async move {
            let _guard = guard;
            inner.call(((),)).await
        }
    });
    let call = outer.clone();
    let main = Entrypoint::new("main", move |(): ()| {
        let outer = call.clone();
        async move { outer.call(((),)).await }
    });
    let builder = Registry::builder().entrypoint(main).task(outer).task(inner);
    let driver = Faulty::losing_mail();
    let node = start(options("a", &driver, builder.build().expect("builds"))).await;
    let run = driver.start("t", "main", ()).await;
    begun.reaches(1).await;
    driver.submit("t", Action::Cancel(Cancel::default())).await;
    assert_eq!(driver.outcome("t", run).await, RunOutcome::Cancelled);
    dropped.reaches(1).await;
    node.shutdown().await.expect("shuts down");
}
