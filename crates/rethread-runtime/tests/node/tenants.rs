//! Tenants share an installation and see nothing of each other; and what coordinators publish.

use std::collections::BTreeMap;

use rethread_core::event::RunOutcome;
use rethread_core::failure::kind;
use rethread_core::store::Namespace;
use rethread_sdk::{Cache, Entrypoint, Error, Registry, Result, Task, store};
use rethread_storage::ItemName;
use rethread_storage::names::ENTRYPOINTS;
use tokio::time::timeout;

use crate::support::{Counter, DEADLINE, Driver, options, start};

type Note = BTreeMap<String, String>;

/// What a body sees of the store, once it has put a note.
type Seen = (Option<String>, Vec<Vec<String>>, Vec<Vec<String>>);

async fn use_store(text: String) -> Result<Seen> {
    let store = store()?;
    let before = store.get::<Note>(["notes", "a"], "n").await?;
    let note = Note::from([("text".to_owned(), text)]);
    store.put(["notes", "a"], "n", &note).await?;
    let found = store.search(()).items::<Note>().await?;
    let found = found.into_iter().map(|item| item.namespace).collect();
    let listed = store.list_namespaces().max_depth(1).await?;
    Ok((before.map(|item| item.value["text"].clone()), found, listed))
}

fn registry(made: &Counter) -> Registry {
    let by_task = Task::new("use_store", |text: String| use_store(text));
    let counted = made.clone();
    let cached = Task::new("cached", move |n: u32| {
        let nth = counted.add();
        async move { Ok::<_, Error>((n, nth)) }
    });
    let cached = cached.cache(Cache::forever());
    let call = by_task.clone();
    let main = Entrypoint::new("main", move |text: String| {
        let by_task = call.clone();
        async move {
            let own = use_store(text.clone()).await?;
            let tasks = by_task.call((format!("{text} again"),)).await?;
            Ok::<_, Error>((own, tasks))
        }
    });
    let call = cached.clone();
    let reuse = Entrypoint::new("reuse", move |n: u32| {
        let cached = call.clone();
        async move { cached.call((n,)).await }
    });
    let forbidden = Entrypoint::new("forbidden", |label: String| async move {
        let found = store()?.get::<Note>([label.as_str(), "notes"], "n").await?;
        Ok::<_, Error>(found.is_some())
    });
    Registry::builder()
        .entrypoint(main)
        .entrypoint(reuse)
        .entrypoint(forbidden)
        .task(by_task)
        .task(cached)
        .build()
        .expect("builds")
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_have_a_store_and_a_cache_of_their_own() {
    let driver = Driver::in_memory(1);
    let made = Counter::default();
    let node = start(options("a", &driver, registry(&made))).await;
    let place = || vec![vec!["notes".to_owned(), "a".to_owned()]];
    let cut = || vec![vec!["notes".to_owned()]];
    // Each finds nothing of the others, and all see the same names.
    for thread in ["@acme/1", "@other/1", "plain"] {
        let (own, by_task) = driver.invoke::<(Seen, Seen)>(thread, "main", thread).await;
        assert_eq!(own, (None, place(), cut()), "{thread}");
        assert_eq!(by_task, (Some(thread.to_owned()), place(), cut()), "{thread}");
    }
    // Threads of one tenant share it.
    let (again, _) = driver.invoke::<(Seen, Seen)>("@acme/2", "main", "later").await;
    assert_eq!(again.0.as_deref(), Some("@acme/1 again"));
    for (label, is_there) in [("@acme", true), ("@other", true), ("@nobody", false)] {
        let namespace = Namespace::new([label, "notes", "a"]).expect("labels");
        let name = ItemName { namespace, key: "n".into() };
        let found = driver.storage.read_item(&name).await.expect("reads");
        assert_eq!(found.is_some(), is_there, "{label}");
    }
    for (thread, nth) in [("@acme/3", 1), ("@acme/4", 1), ("@other/2", 2), ("other", 3)] {
        assert_eq!(driver.invoke::<(u32, u32)>(thread, "reuse", 7).await, (7, nth), "{thread}");
    }
    for thread in ["@acme/5", "another"] {
        let run = driver.start(thread, "forbidden", "@acme").await;
        let RunOutcome::Failed(failure) = driver.outcome(thread, run).await else {
            panic!("no namespace of the engine's can be named");
        };
        assert_eq!(failure.kind, kind::INVALID_NAMESPACE);
    }
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinators_publish_their_entrypoints() {
    let driver = Driver::in_memory(1);
    let node = start(options("a", &driver, registry(&Counter::default()))).await;
    let namespace = Namespace::new(ENTRYPOINTS).expect("labels");
    for name in ["forbidden", "main", "reuse"] {
        let name = ItemName { namespace: namespace.clone(), key: name.into() };
        let published = async {
            loop {
                if let Some(item) = driver.storage.read_item(&name).await.expect("reads") {
                    return item;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, published).await.expect("is published");
    }
    // Programs do not see it.
    let (own, _) = driver.invoke::<(Seen, Seen)>("plain", "main", "x").await;
    assert_eq!(own.2, [["notes"]]);
    node.shutdown().await.expect("shuts down");
}
