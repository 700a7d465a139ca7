//! Calls and runs that are cancelled: the cancel reaches the body.

use std::time::Duration;

use rethread_core::event::RunOutcome;
use rethread_core::message::{Action, Cancel};
use rethread_sdk::{Entrypoint, Error, Registry, Task, kind};

use crate::support::{Counter, Driver, options, start};

/// Counts that it is dropped.
pub(crate) struct CountDrop(pub(crate) Counter);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.add();
    }
}

/// What is seen of the bodies of the task `endless`.
#[derive(Debug, Clone, Default)]
struct Endless {
    begun: Counter,
    dropped: Counter,
}

impl Endless {
    fn task(&self) -> Task<((),), u64> {
        let Self { begun, dropped } = self.clone();
        Task::new("endless", move |(): ()| {
            let guard = CountDrop(dropped.clone());
            begun.add();
            async move {
                let _guard = guard;
                std::future::pending::<()>().await;
                Ok::<u64, Error>(0)
            }
        })
    }

    /// Calls the task and cancels the call once its body runs. Gives the kind of its error.
    async fn call_and_cancel(&self) -> Result<String, Error> {
        let call = self.task().call(((),));
        self.begun.reaches(1).await;
        call.cancel();
        match call.await {
            Ok(value) => Err(Error::msg(format_args!("it gave {value}"))),
            Err(error) => Ok(error.kind().to_owned()),
        }
    }
}

/// Runs `main`, which begins the endless task and cancels it.
async fn drops_what_is_cancelled(registry: Registry, endless: &Endless) {
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, registry)).await;
    assert_eq!(driver.invoke::<String>("t", "main", ()).await, kind::CANCELLED);
    endless.dropped.reaches(1).await;
    assert_eq!(endless.begun.get(), 1);
    node.drain().await.expect("nothing is left to wait for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_of_an_entrypoint_drops_its_body() {
    let endless = Endless::default();
    let seen = endless.clone();
    let main = Entrypoint::new("main", move |(): ()| {
        let endless = endless.clone();
        async move { endless.call_and_cancel().await }
    });
    let registry = Registry::builder().entrypoint(main).task(seen.task()).build().expect("builds");
    drops_what_is_cancelled(registry, &seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_of_a_task_drops_its_body() {
    let endless = Endless::default();
    let seen = endless.clone();
    let outer = Task::new("outer", move |(): ()| {
        let endless = endless.clone();
        async move { endless.call_and_cancel().await }
    });
    let call = outer.clone();
    let main = Entrypoint::new("main", move |(): ()| {
        let outer = call.clone();
        async move { outer.call(((),)).await }
    });
    let builder = Registry::builder().entrypoint(main).task(outer);
    let registry = builder.task(seen.task()).build().expect("builds");
    drops_what_is_cancelled(registry, &seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_drops_its_bodies_and_a_retry_begins_them_anew() {
    let endless = Endless::default();
    let (seen, call) = (endless.clone(), endless.task());
    let main = Entrypoint::new("main", move |(): ()| {
        let endless = call.clone();
        async move { endless.call(((),)).await }
    });
    let registry = Registry::builder().entrypoint(main).task(seen.task()).build().expect("builds");
    let driver = Driver::in_memory(1);
    let mut options = options("a", &driver, registry);
    options.evict_after = Duration::ZERO;
    let node = start(options).await;
    for round in 1..=3 {
        let action = match round {
            1 => Action::Start { entrypoint: "main".into(), input: crate::support::payload(&()) },
            _ => Action::Retry,
        };
        let run = driver.submit("t", action).await;
        seen.begun.reaches(round).await;
        let cancel = driver.submit("t", Action::Cancel(Cancel::default())).await;
        assert_eq!(driver.outcome("t", run).await, RunOutcome::Cancelled);
        assert_eq!(driver.outcome("t", cancel).await, RunOutcome::Edited(None));
        seen.dropped.reaches(round).await;
    }
    node.drain().await.expect("nothing is left to wait for");
}
