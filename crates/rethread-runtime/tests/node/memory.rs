//! The store as bodies use it.

use std::collections::BTreeMap;
use std::time::Duration;

use rethread_core::failure::kind;
use rethread_core::message::Action;
use rethread_sdk::{Entrypoint, Error, Registry, Result, Task, dep, interrupt, store};
use rethread_storage::store::{Embed, StoreIndex};

use crate::faulty::Faulty;
use crate::support::{Counter, Driver, options, payload, start};

type Numbers = BTreeMap<String, u64>;

async fn read() -> Result<u64> {
    let item = store()?.get::<Numbers>(["numbers"], "n").await?;
    Ok(item.and_then(|item| item.value.get("n").copied()).unwrap_or_default())
}

async fn write(n: u64) -> Result<()> {
    store()?.put(["numbers"], "n", &Numbers::from([("n".to_owned(), n)])).await?;
    Ok(())
}

/// `write` puts a number; `read_twice` reads it before and after a question; `by_task` adds one
/// to it in a task.
fn registry(bodies: &Counter) -> Registry {
    let counted = bodies.clone();
    let writes = Entrypoint::new("write", |n: u64| async move {
        write(n).await?;
        read().await
    });
    let read_twice = Entrypoint::new("read_twice", move |(): ()| {
        counted.add();
        async {
            let first = read().await?;
            interrupt::<()>("go on?").await?;
            Ok::<_, Error>((first, read().await?))
        }
    });
    let add_one = Task::new("add_one", |(): ()| async {
        let n = read().await? + 1;
        write(n).await?;
        // Not awaited: it has its effect all the same.
        let unawaited = store()?.put(["others"], "n", &Numbers::from([("n".to_owned(), n)]));
        tokio::select! {
            biased;
            done = unawaited => drop(done?),
            () = tokio::task::yield_now() => {}
        }
        Ok::<_, Error>(n)
    });
    let call = add_one.clone();
    let by_task = Entrypoint::new("by_task", move |(): ()| {
        let add_one = call.clone();
        async move {
            let n = add_one.call(((),)).await?;
            let other = store()?.get::<Numbers>(["others"], "n").await?;
            let other = other.map(|item| item.value["n"]);
            Ok::<_, Error>((n, other.unwrap_or_default()))
        }
    });
    Registry::builder()
        .entrypoint(writes)
        .entrypoint(read_twice)
        .entrypoint(by_task)
        .task(add_one)
        .build()
        .expect("builds")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_entrypoint_read_is_what_its_replay_reads() {
    let driver = Driver::in_memory(2);
    let bodies = Counter::default();
    let mut options = options("a", &driver, registry(&bodies));
    options.evict_after = Duration::ZERO;
    let node = start(options).await;
    assert_eq!(driver.invoke::<u64>("w", "write", 1_u64).await, 1);
    let run = driver.start("t", "read_twice", ()).await;
    driver.interrupted("t", run).await;
    assert_eq!(driver.invoke::<u64>("w", "write", 2_u64).await, 2);
    let run = driver.answer("t", ()).await;
    assert_eq!(driver.done::<(u64, u64)>("t", run).await, (1, 2));
    assert!(bodies.get() > 1, "it was replayed");
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_uses_the_store_at_once() {
    let driver = Driver::in_memory(2);
    let node = start(options("a", &driver, registry(&Counter::default()))).await;
    for n in 1..=3_u64 {
        assert_eq!(driver.invoke::<(u64, u64)>("t", "by_task", ()).await, (n, n));
    }
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entrypoint_waits_for_a_storage_that_fails_now_and_then() {
    let driver = Faulty::driver(5, 0);
    let node = start(options("a", &driver, registry(&Counter::default()))).await;
    for n in 1..=20_u64 {
        let input = payload(&n);
        let start = Action::Start { entrypoint: "write".into(), input };
        let run = driver.submit("t", start).await;
        assert_eq!(driver.done::<u64>("t", run).await, n);
    }
    node.shutdown().await.expect("shuts down");
}

/// Knows two meanings, and does not survive the text `panic`.
#[derive(Debug)]
struct Meanings;

impl Embed for Meanings {
    type Error = Error;

    fn dimensions(&self) -> usize {
        2
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        let meaning = |text: String| {
            assert!(!text.contains("panic"), "cannot embed this");
            if text.contains("cat") { vec![1.0, 0.0] } else { vec![0.0, 1.0] }
        };
        Ok(texts.into_iter().map(meaning).collect())
    }
}

async fn nearest(query: String) -> Result<Vec<String>> {
    let store = store()?;
    for pet in ["cat", "dog"] {
        let value = BTreeMap::from([("is", pet.to_owned())]);
        store.put(["pets"], pet, &value).await?;
    }
    let found = store.search(["pets"]).query(query).items::<BTreeMap<String, String>>().await?;
    Ok(found.into_iter().map(|item| item.key).collect())
}

/// The same search in an entrypoint and in a task. Gives the kind of the failure, if any.
fn searches() -> Registry {
    let kind_of = |found: Result<Vec<String>>| match found {
        Ok(found) => found.join(" "),
        Err(error) => error.kind().to_owned(),
    };
    let task = Task::new("task", move |query: String| async move {
        Ok::<_, Error>(kind_of(nearest(query).await))
    });
    let call = task.clone();
    let main = Entrypoint::new("main", move |query: String| {
        let task = call.clone();
        async move {
            let here = kind_of(nearest(query.clone()).await);
            Ok::<_, Error>((here, task.call((query,)).await?))
        }
    });
    Registry::builder().entrypoint(main).task(task).build().expect("builds")
}

#[tokio::test(flavor = "multi_thread")]
async fn items_are_found_by_meaning_and_a_panic_of_the_index_is_a_failure() {
    let driver = Driver::in_memory(1);
    let mut options = options("a", &driver, searches());
    options.store_index = Some(StoreIndex::new(Meanings));
    let node = start(options).await;
    let both = |text: &str| (text.to_owned(), text.to_owned());
    for (thread, query, found) in
        [("t", "a cat", "cat dog"), ("u", "a dog", "dog cat"), ("v", "panic", kind::PANIC)]
    {
        assert_eq!(driver.invoke::<(String, String)>(thread, "main", query).await, both(found));
    }
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_find_what_is_provided() {
    struct Greeting(String);
    let here = Task::new("here", |name: String| async move {
        Ok::<_, Error>(format!("{} {name}", dep::<Greeting>()?.0))
    });
    let call = here.clone();
    let main = Entrypoint::new("main", move |name: String| {
        let here = call.clone();
        async move {
            let there = here.call((name.clone(),)).await?;
            Ok::<_, Error>((format!("{} {name}", dep::<Greeting>()?.0), there))
        }
    });
    let builder = Registry::builder().entrypoint(main).task(here);
    let registry = builder.provide(Greeting("hello".into())).build().expect("builds");
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, registry)).await;
    let hello = || "hello ada".to_owned();
    let greeted = driver.invoke::<(String, String)>("t", "main", "ada").await;
    assert_eq!(greeted, (hello(), hello()));
    node.shutdown().await.expect("shuts down");
}
