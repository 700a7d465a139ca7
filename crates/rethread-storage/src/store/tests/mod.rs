//! The engine on the memory adapter.

mod hidden;
mod indexed;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use rethread_core::failure::{Failure, kind};
use rethread_core::ids::Millis;
use rethread_core::store::{Comparison, Condition, Item, Namespace, NamespaceQuery, Search};
use serde_json::{Value as Json, json};

use super::*;
use crate::memory::{MemoryOptions, MemoryStorage};

/// A store whose time is set by the test.
struct Bench {
    storage: MemoryStorage,
    engine: StoreEngine,
    time: Arc<AtomicU64>,
}

fn bench() -> Bench {
    let time = Arc::new(AtomicU64::new(1_000));
    let clock = {
        let time = Arc::clone(&time);
        Clock::new(move || Millis(time.load(Ordering::SeqCst)))
    };
    let options = MemoryOptions { clock: Some(clock.clone()), ..MemoryOptions::default() };
    let storage = MemoryStorage::with_options(options);
    Bench { storage, engine: StoreEngine::new(clock), time }
}

fn namespace(labels: &[&str]) -> Namespace {
    Namespace::new(labels.iter().copied()).expect("a namespace")
}

fn payload(value: &Json) -> Payload {
    Payload::encode(value, "a test value").expect("encodes")
}

fn put(labels: &[&str], key: &str, value: &Json) -> StoreRequest {
    let (namespace, key, value) = (namespace(labels), key.to_owned(), payload(value));
    StoreRequest::Put { namespace, key, value, ttl_ms: None, is_indexed: true }
}

fn put_for(labels: &[&str], key: &str, ttl_ms: u64) -> StoreRequest {
    let (namespace, key, value) = (namespace(labels), key.to_owned(), payload(&json!({})));
    StoreRequest::Put { namespace, key, value, ttl_ms: Some(ttl_ms), is_indexed: true }
}

fn under(prefix: &[&str]) -> Search {
    Search::under(prefix.iter().map(|label| (*label).to_owned()).collect())
}

fn condition(key: &str, comparison: Comparison, operand: &Json) -> Condition {
    Condition { key: key.into(), comparison, operand: payload(operand) }
}

fn keys(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.key.as_str()).collect()
}

impl Bench {
    async fn try_do(&self, request: StoreRequest) -> Result<StoreReply, StoreFailure> {
        self.engine.execute(&self.storage, request).await
    }

    async fn put(&self, labels: &[&str], key: &str, value: Json) {
        assert_eq!(self.try_do(put(labels, key, &value)).await, Ok(StoreReply::Done));
    }

    async fn get(&self, labels: &[&str], key: &str, refresh_ttl: bool) -> Option<Item> {
        let (namespace, key) = (namespace(labels), key.to_owned());
        match self.try_do(StoreRequest::Get { namespace, key, refresh_ttl }).await {
            Ok(StoreReply::Item(item)) => item.map(|item| *item),
            other => panic!("an item or none: {other:?}"),
        }
    }

    async fn search(&self, search: Search) -> Vec<Item> {
        match self.try_do(StoreRequest::Search(Box::new(search))).await {
            Ok(StoreReply::Items(items)) => items,
            other => panic!("items: {other:?}"),
        }
    }

    async fn list(&self, query: NamespaceQuery) -> Vec<String> {
        match self.try_do(StoreRequest::ListNamespaces(Box::new(query))).await {
            Ok(StoreReply::Namespaces(found)) => found.iter().map(Namespace::to_string).collect(),
            other => panic!("namespaces: {other:?}"),
        }
    }

    fn pass(&self, ms: u64) {
        self.time.fetch_add(ms, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn items_are_put_replaced_read_and_deleted() {
    let bench = bench();
    assert_eq!(bench.get(&["users"], "ada", true).await, None);
    bench.put(&["users"], "ada", json!({"n": 1})).await;
    bench.pass(500);
    bench.put(&["users"], "ada", json!({"n": 2})).await;
    let item = bench.get(&["users"], "ada", true).await.expect("it is there");
    assert_eq!((item.namespace, item.key.as_str()), (namespace(&["users"]), "ada"));
    assert_eq!(item.value, payload(&json!({"n": 2})));
    assert_eq!((item.created_at, item.updated_at), (Millis(1_000), Millis(1_500)));
    assert_eq!(item.score, None);
    let delete = StoreRequest::Delete { namespace: namespace(&["users"]), key: "ada".into() };
    for _ in 0..2 {
        assert_eq!(bench.try_do(delete.clone()).await, Ok(StoreReply::Done));
        assert_eq!(bench.get(&["users"], "ada", true).await, None);
    }
    bench.put(&["users"], "ada", json!({"n": 3})).await;
    bench.put(&["users"], "ada", json!(null)).await;
    assert_eq!(bench.get(&["users"], "ada", true).await, None, "putting null deletes");
}

#[tokio::test]
async fn a_value_must_be_a_map() {
    let bench = bench();
    for value in [json!(1), json!([1]), json!("text"), json!(true)] {
        let refused = bench.try_do(put(&["n"], "k", &value)).await.expect_err("it is no map");
        assert!(matches!(&refused, StoreFailure::Value { key, .. } if key == "k"), "{refused}");
        let failure = Failure::from(refused);
        assert_eq!((failure.kind.as_str(), failure.retryable), (kind::SERIALIZATION, Some(false)));
    }
    assert_eq!(bench.get(&["n"], "k", true).await, None);
}

#[tokio::test]
async fn long_names_are_refused() {
    let bench = bench();
    let long = "x".repeat(1_025);
    let requests = [
        put(&["n"], &long, &json!({})),
        put(&[&long], "k", &json!({})),
        StoreRequest::Put {
            namespace: namespace(&["n"]),
            key: long.clone(),
            value: Payload::NULL,
            ttl_ms: None,
            is_indexed: true,
        },
        StoreRequest::Get { namespace: namespace(&["n"]), key: long.clone(), refresh_ttl: true },
        StoreRequest::Delete { namespace: namespace(&["n"]), key: long.clone() },
    ];
    for request in requests {
        let refused = bench.try_do(request.clone()).await.expect_err("it is too long");
        assert_eq!(Failure::from(refused).kind, kind::LIMIT, "{request:?}");
    }
}

#[tokio::test]
async fn times_to_live_end_and_begin_anew() {
    let bench = bench();
    for key in ["kept", "left", "found"] {
        assert_eq!(bench.try_do(put_for(&["n"], key, 1_000)).await, Ok(StoreReply::Done));
    }
    bench.put(&["n"], "lasting", json!({})).await;
    bench.pass(600);
    assert!(bench.get(&["n"], "kept", true).await.is_some());
    assert!(bench.get(&["n"], "left", false).await.is_some());
    let mut search = under(&["n"]);
    (search.limit, search.refresh_ttl) = (1, true);
    assert_eq!(keys(&bench.search(search).await), ["found"]);
    bench.pass(400);
    assert_eq!(keys(&bench.search(under(&[])).await), ["found", "kept", "lasting"]);
    assert_eq!(bench.get(&["n"], "left", true).await, None);
    bench.pass(1_000);
    assert_eq!(keys(&bench.search(under(&[])).await), ["lasting"]);
    assert_eq!(bench.try_do(put_for(&["n"], "lasting", 10)).await, Ok(StoreReply::Done));
    bench.pass(10);
    assert_eq!(keys(&bench.search(under(&[])).await), [""; 0], "a put gives it an end");
}

#[tokio::test]
async fn searches_page_through_what_passes() {
    let bench = bench();
    for n in 0..250 {
        bench
            .put(
                &["n", if n % 2 == 0 { "even" } else { "odd" }],
                &format!("{n:03}"),
                json!({"n": n}),
            )
            .await;
    }
    assert_eq!(bench.search(under(&[])).await.len(), 10, "unless a limit is given");
    let filter = vec![
        condition("n", Comparison::Gte, &json!(100)),
        condition("n", Comparison::Ne, &json!(102)),
    ];
    let mut all = Vec::new();
    for page in 0.. {
        let search = Search { filter: filter.clone(), limit: 7, offset: page * 7, ..under(&["n"]) };
        let found = bench.search(search).await;
        all.extend(found.iter().map(|item| item.key.clone()));
        if found.len() < 7 {
            break;
        }
    }
    let expected = (100..250).step_by(2).filter(|n| *n != 102).chain((101..250).step_by(2));
    let expected: Vec<_> = expected.map(|n| format!("{n:03}")).collect();
    assert_eq!(all, expected);
    for (prefix, count) in [(&["n", "even"][..], 125), (&["n", "eve"], 0), (&["x"], 0), (&[], 250)]
    {
        let found = bench.search(Search { limit: 1_000, ..under(prefix) }).await;
        assert_eq!(found.len(), count, "{prefix:?}");
    }
    assert!(bench.search(Search { limit: 0, ..under(&[]) }).await.is_empty());
    assert!(bench.search(Search { offset: usize::MAX, ..under(&[]) }).await.is_empty());
}

#[tokio::test]
async fn namespaces_are_listed() {
    let bench = bench();
    for labels in [&["a", "x", "1"][..], &["a", "x", "2"], &["a", "y"], &["b", "x"], &["b"]] {
        bench.put(labels, "k", json!({})).await;
    }
    let query = NamespaceQuery::default;
    let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
    assert_eq!(bench.list(query()).await, ["a.x.1", "a.x.2", "a.y", "b", "b.x"]);
    let cut = NamespaceQuery { max_depth: Some(2), ..query() };
    assert_eq!(bench.list(cut.clone()).await, ["a.x", "a.y", "b", "b.x"]);
    let page = NamespaceQuery { offset: 1, limit: 2, ..cut };
    assert_eq!(bench.list(page).await, ["a.y", "b"]);
    let prefix = NamespaceQuery { prefix: labels(&["*", "x"]), ..query() };
    assert_eq!(bench.list(prefix).await, ["a.x.1", "a.x.2", "b.x"]);
    let suffix = NamespaceQuery { suffix: labels(&["x", "*"]), ..query() };
    assert_eq!(bench.list(suffix).await, ["a.x.1", "a.x.2"]);
    let both = NamespaceQuery { prefix: labels(&["b"]), suffix: labels(&["x"]), ..query() };
    assert_eq!(bench.list(both).await, ["b.x"]);
    let none = NamespaceQuery { max_depth: Some(0), ..query() };
    assert_eq!(bench.list(none).await, [""; 0]);
}

#[tokio::test]
async fn damaged_items_are_named_and_can_be_replaced() {
    let bench = bench();
    let name = ItemName { namespace: namespace(&["n"]), key: "k".into() };
    let record = ItemRecord { record: Bytes::from_static(b"garbage"), expires_at: None };
    bench.storage.put_item(&name, record).await.expect("it is put");
    let get =
        StoreRequest::Get { namespace: namespace(&["n"]), key: "k".into(), refresh_ttl: true };
    let failed = bench.try_do(get).await.expect_err("it cannot be read");
    assert!(matches!(&failed, StoreFailure::Item { key, .. } if key == "k"), "{failed}");
    assert_eq!(Failure::from(failed).retryable, Some(false));
    bench.put(&["n"], "k", json!({"n": 1})).await;
    assert!(bench.get(&["n"], "k", true).await.is_some());
}

/// Random requests against a plain list of what should be there.
#[tokio::test]
async fn the_store_agrees_with_a_list() {
    let bench = bench();
    let mut expected = std::collections::BTreeMap::new();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for round in 0..3_000_u64 {
        let labels: Vec<_> =
            (0..=random(2)).map(|_| ["a", "ab", "b"][random(3) as usize]).collect();
        let key = random(6).to_string();
        let name = (labels.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>(), key.clone());
        match random(10) {
            0..5 => {
                bench.put(&labels, &key, json!({"n": round})).await;
                expected.insert(name, round);
            }
            5..7 => {
                bench.put(&labels, &key, json!(null)).await;
                expected.remove(&name);
            }
            7 => {
                let found = bench.get(&labels, &key, true).await.map(|item| item.value);
                let value = expected.get(&name).map(|n| payload(&json!({"n": n})));
                assert_eq!(found, value, "round {round}");
            }
            8 => {
                let (limit, least) = (random(20) as usize, random(round + 1));
                let filter = vec![condition("n", Comparison::Gte, &json!(least))];
                let found = bench.search(Search { filter, limit, ..under(&labels) }).await;
                let found: Vec<_> =
                    found.into_iter().map(|i| (i.namespace.into(), i.key)).collect();
                let mut passing: Vec<(Vec<String>, String)> = Vec::new();
                for ((labels, key), n) in &expected {
                    if labels.starts_with(&name.0) && *n >= least {
                        passing.push((labels.clone(), key.clone()));
                    }
                }
                passing.truncate(limit);
                assert_eq!(found, passing, "round {round}");
            }
            _ => {
                let depth = 1 + random(2) as usize;
                let query = NamespaceQuery { max_depth: Some(depth), ..NamespaceQuery::default() };
                let cut = |labels: &Vec<String>| labels[..depth.min(labels.len())].join(".");
                let spaces: BTreeSet<_> = expected.keys().map(|(labels, _)| cut(labels)).collect();
                let found: BTreeSet<_> = bench.list(query).await.into_iter().collect();
                assert_eq!(found, spaces, "round {round}");
            }
        }
    }
}
