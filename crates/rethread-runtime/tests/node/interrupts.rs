use std::collections::BTreeMap;

use rethread_sdk::{Entrypoint, Error, Registry, Task, interrupt};

use crate::support::{Counter, Driver, options, payload, start};

/// `ask` asks in the entrypoint, `ask_twice` in a task, two questions in a row; `ask_both` in
/// two tasks at once.
fn asking(bodies: &Counter) -> Registry {
    let bodies = bodies.clone();
    let twice = Task::new("twice", move |name: String| {
        bodies.add();
        async move {
            let first: u64 = interrupt(format!("{name} 1")).await?;
            let second: u64 = interrupt(format!("{name} 2")).await?;
            Ok::<_, Error>(first * 10 + second)
        }
    });
    let (once, both) = (twice.clone(), twice.clone());
    let ask = Entrypoint::new("ask", |question: String| async move {
        let answer: u64 = interrupt(question).await?;
        Ok::<_, Error>(answer + 1)
    });
    let ask_twice = Entrypoint::new("ask_twice", move |(): ()| {
        let task = once.clone();
        async move { task.call(("q".to_owned(),)).await }
    });
    let ask_both = Entrypoint::new("ask_both", move |(): ()| {
        let task = both.clone();
        async move {
            let (a, b) = (task.call(("a".to_owned(),)), task.call(("b".to_owned(),)));
            Ok::<_, Error>((a.await?, b.await?))
        }
    });
    Registry::builder()
        .entrypoint(ask)
        .entrypoint(ask_twice)
        .entrypoint(ask_both)
        .task(twice)
        .build()
        .expect("builds")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entrypoint_asks_and_goes_on_with_the_answer() {
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, asking(&Counter::default()))).await;
    let run = driver.start("t", "ask", "how many?").await;
    let open = driver.interrupted("t", run).await;
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].value, payload(&"how many?"));
    let run = driver.answer("t", 4_u64).await;
    assert_eq!(driver.done::<u64>("t", run).await, 5);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_asks_twice_and_runs_three_times() {
    let bodies = Counter::default();
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, asking(&bodies))).await;
    let run = driver.start("t", "ask_twice", ()).await;
    let first = driver.interrupted("t", run).await;
    let run = driver.answer("t", 4_u64).await;
    let second = driver.interrupted("t", run).await;
    assert_ne!(first[0].id, second[0].id);
    let run = driver.answer("t", 2_u64).await;
    assert_eq!(driver.done::<u64>("t", run).await, 42);
    assert_eq!(bodies.get(), 3);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_later_goes_on_with_the_answers() {
    let driver = Driver::in_memory(1);
    let bodies = Counter::default();
    let node = start(options("a", &driver, asking(&bodies))).await;
    let run = driver.start("t", "ask_both", ()).await;
    let open = driver.interrupted("t", run).await;
    assert_eq!(open.len(), 2);
    node.drain().await.expect("drains");

    let node = start(options("b", &driver, asking(&bodies))).await;
    let answer = |open: &[rethread_core::event::Interrupt]| -> BTreeMap<_, _> {
        open.iter().map(|interrupt| (interrupt.id, payload(&1_u64))).collect()
    };
    let run = driver.answer_all("t", answer(&open)).await;
    let open = driver.interrupted("t", run).await;
    let run = driver.answer_all("t", answer(&open)).await;
    assert_eq!(driver.done::<(u64, u64)>("t", run).await, (11, 11));
    assert_eq!(bodies.get(), 6);
    node.shutdown().await.expect("shuts down");
}
