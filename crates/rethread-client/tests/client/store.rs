use std::sync::Arc;

use rethread_client::{Cached, ClientError, Embed, Failure, Filter, StoreIndex};
use rethread_core::cache;
use rethread_core::ids::CallKind;
use rethread_core::store::Namespace;
use rethread_storage::memory::MemoryStorage;
use rethread_storage::{CacheKey, CacheLookup, ItemName};
use serde_json::{Value, json};

use crate::coordinator::pair;
use crate::faulty::Faulty;

#[tokio::test(start_paused = true)]
async fn items_are_put_found_and_removed() {
    let (client, _coordinator) = pair().await;
    let store = client.store();
    for (user, age) in [("ada", 36), ("bob", 17)] {
        store.put(["users", user], "profile", &json!({"age": age})).await.expect("puts");
    }
    let found = store.get::<Value>(["users", "ada"], "profile").await.expect("reads");
    assert_eq!(found.expect("is there").value, json!({"age": 36}));
    let adults = store.search(["users"]).filter("age", Filter::ge(18)).items::<Value>().await;
    let adults = adults.expect("searches");
    assert_eq!(adults.iter().map(|item| item.namespace[1].as_str()).collect::<Vec<_>>(), ["ada"]);
    let namespaces = store.list_namespaces().prefix(["users", "*"]).await.expect("lists");
    assert_eq!(namespaces.len(), 2);
    store.delete(["users", "ada"], "profile").await.expect("deletes");
    let found = store.get::<Value>(["users", "ada"], "profile").await.expect("reads");
    assert!(found.is_none());

    let bad: rethread_client::Result<()> =
        store.put(["a.b"], "k", &json!({})).await.map_err(Into::into);
    let Err(ClientError::Store(failure)) = bad else { panic!("{bad:?}") };
    assert_eq!(failure.kind, "InvalidNamespace");
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_is_away_for_a_while_is_asked_again() {
    let faulty = Arc::new(Faulty::new(Arc::new(MemoryStorage::new(1))));
    let client = faulty.client();
    client.store().put(["a"], "k", &json!({"n": 1})).await.expect("puts");
    faulty.fail_reads(5);
    let found = client.store().get::<Value>(["a"], "k").await.expect("reads");
    assert!(found.is_some());
    faulty.fail_reads(10_000);
    let error = client.store().get::<Value>(["a"], "k").await.expect_err("away");
    assert_eq!(error.kind(), "StoreError");
}

/// Counts the letters a and b.
struct Letters;

impl Embed for Letters {
    type Error = Failure;

    fn dimensions(&self) -> usize {
        2
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let count = |text: &String, letter: char| text.matches(letter).count() as f32;
        Ok(texts.iter().map(|text| vec![count(text, 'a'), count(text, 'b')]).collect())
    }
}

#[tokio::test(start_paused = true)]
async fn an_index_ranks_by_text() {
    let (client, _coordinator) = pair().await;
    let client = client.with_store_index(StoreIndex::new(Letters).fields(["text"]));
    let store = client.store();
    for (key, text) in [("one", "aaab"), ("two", "abbb")] {
        store.put(["notes"], key, &json!({"text": text})).await.expect("puts");
    }
    let found = store.search(["notes"]).query("bb").items::<Value>().await.expect("searches");
    assert_eq!(found.iter().map(|item| item.key.as_str()).collect::<Vec<_>>(), ["two", "one"]);
    assert!(found[0].score > found[1].score);
}

#[tokio::test(start_paused = true)]
async fn cached_results_are_cleared_by_name_or_all() {
    let (client, _coordinator) = pair().await;
    let storage = client.storage();
    let key = |kind, name| CacheKey { group: cache::group(kind, name), entry: "e".into() };
    let keys = [key(CallKind::Task, "a"), key(CallKind::Task, "b"), key(CallKind::Entrypoint, "a")];
    let left = async || {
        let mut left = Vec::new();
        for key in &keys {
            let found = storage.look_up_cache(key, "test", std::time::Duration::ZERO).await;
            left.push(matches!(found.expect("looks up"), CacheLookup::Hit(_)));
        }
        left
    };
    for (cached, expected) in [
        (Cached::task("a"), [false, true, true]),
        (Cached::entrypoint("a"), [true, true, false]),
        (Cached::All, [false; 3]),
    ] {
        for key in &keys {
            storage.fill_cache(key, "v".into(), None).await.expect("fills");
        }
        client.clear_cache(cached).await.expect("clears");
        assert_eq!(left().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_store_has_no_part_in_threads() {
    let (client, _coordinator) = pair().await;
    client.store().put(["a"], "k", &json!({"n": 1})).await.expect("puts");
    let namespace = Namespace::new(["a"]).expect("a namespace");
    let name = ItemName { namespace, key: "k".into() };
    assert!(client.storage().read_item(&name).await.expect("reads").is_some());
    assert_eq!(client.thread("a").expect("an id").status().await, Ok(None));
}
