//! Requests to the store, and what is made of the replies.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures::executor::block_on;
use futures::future::join;
use rethread::prelude::*;
use rethread::{Item, StoreBackend, StoreFuture, kind};
use rethread_core::failure::Failure;
use rethread_core::ids::Millis;
use rethread_core::replay::CallRequest;
use rethread_core::store::{
    self, Comparison, Condition, Namespace, NamespaceQuery, Search, StoreReply, StoreRequest,
};
use serde::{Deserialize, Serialize};

use crate::driver::{Driver, pack};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Person {
    name: String,
    age: u32,
}

fn ada() -> Person {
    Person { name: "ada".into(), age: 36 }
}

fn stored(key: &str, value: impl Serialize) -> store::Item {
    store::Item {
        namespace: Namespace::new(["people"]).expect("valid"),
        key: key.into(),
        value: pack(value),
        created_at: Millis(1_000),
        updated_at: Millis(2_000),
        score: Some(0.5),
    }
}

/// Remembers what it is asked, and replies what it was told to.
#[derive(Debug, Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    asked: Vec<StoreRequest>,
    replies: VecDeque<StoreReply>,
}

impl Scripted {
    fn replying(replies: impl IntoIterator<Item = StoreReply>) -> Self {
        let replies = replies.into_iter().collect();
        Self(Arc::new(Mutex::new(Script { asked: Vec::new(), replies })))
    }

    fn store(&self) -> Store {
        Store::new(self.clone())
    }

    fn asked(&self) -> Vec<StoreRequest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }
}

impl StoreBackend for Scripted {
    fn request(&self, request: StoreRequest) -> StoreFuture {
        let mut script = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        script.asked.push(request);
        let reply = script.replies.pop_front().unwrap_or(StoreReply::Done);
        Box::pin(async move { Ok(reply) })
    }
}

fn people() -> Namespace {
    Namespace::new(["people"]).expect("valid")
}

#[test]
fn requests_say_what_was_asked() {
    let backend = Scripted::default();
    let store = backend.store();
    let minute = Duration::from_secs(60);
    block_on(async {
        store.put(["people"], "ada", &ada()).await?;
        store.put(["people"], "ada", &ada()).ttl(minute).index(false).await?;
        store.put(["people"], "ada", &()).await?;
        store.delete(["people"], "ada").await
    })
    .expect("done");
    let put = |ttl_ms, is_indexed| StoreRequest::Put {
        namespace: people(),
        key: "ada".into(),
        value: pack(ada()),
        ttl_ms,
        is_indexed,
    };
    let delete = || StoreRequest::Delete { namespace: people(), key: "ada".into() };
    assert_eq!(backend.asked(), [put(None, true), put(Some(60_000), false), delete(), delete()]);
}

#[test]
fn searches_say_what_was_asked() {
    let items = StoreReply::Items(vec![stored("ada", ada())]);
    let backend = Scripted::replying([items, StoreReply::Namespaces(vec![people()])]);
    let store = backend.store();
    let search = store.search(()).filter("age", Filter::ge(18)).filter("name", Filter::ne("bob"));
    let search = search.filter("city", "paris");
    let search = search.query("who counts").limit(3).offset(1).refresh_ttl(false);
    let found = block_on(search.items::<Person>()).expect("items");
    assert_eq!((found.len(), &found[0].value), (1, &ada()));
    let listed = store.list_namespaces().prefix(["people", "*"]).suffix(["x"]).max_depth(2);
    let listed = block_on(listed.limit(5).offset(2)).expect("namespaces");
    assert_eq!(listed, [["people"]]);

    let condition =
        |key: &str, comparison, operand| Condition { key: key.into(), comparison, operand };
    let search = Search {
        prefix: vec![],
        filter: vec![
            condition("age", Comparison::Gte, pack(18)),
            condition("name", Comparison::Ne, pack("bob")),
            condition("city", Comparison::Eq, pack("paris")),
        ],
        query: Some("who counts".into()),
        limit: 3,
        offset: 1,
        refresh_ttl: false,
    };
    let listing = NamespaceQuery {
        prefix: vec!["people".into(), "*".into()],
        suffix: vec!["x".into()],
        max_depth: Some(2),
        limit: 5,
        offset: 2,
    };
    let expected =
        [StoreRequest::Search(Box::new(search)), StoreRequest::ListNamespaces(Box::new(listing))];
    assert_eq!(backend.asked(), expected);
}

#[test]
fn items_tell_where_and_when() {
    let reply = StoreReply::Item(Some(Box::new(stored("ada", ada()))));
    let backend = Scripted::replying([reply, StoreReply::Item(None)]);
    let store = backend.store();
    let item: Item<Person> =
        block_on(store.get(("people",), "ada").refresh_ttl(false)).expect("found").expect("some");
    assert_eq!((item.namespace.as_slice(), item.key.as_str()), (&["people".to_owned()][..], "ada"));
    let after = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    assert_eq!((item.created_at, item.updated_at), (after(1), after(2)));
    assert_eq!((item.value, item.score), (ada(), Some(0.5)));
    assert_eq!(block_on(store.get::<Person>(["people"], "bob")).expect("no error"), None);
    assert!(matches!(&backend.asked()[0], StoreRequest::Get { refresh_ttl: false, .. }));
}

#[test]
fn what_cannot_be_asked_is_an_error_and_is_not_asked() {
    let backend = Scripted::default();
    let store = backend.store();
    let kind_of = |result: Result<()>| result.expect_err("refused").kind().to_owned();
    let bad = block_on(store.put(["a.b"], "k", &ada()));
    assert_eq!(kind_of(bad), kind::INVALID_NAMESPACE);
    assert_eq!(kind_of(block_on(store.delete([""], "k"))), kind::INVALID_NAMESPACE);
    let bad = block_on(store.get::<Person>((), "k")).map(drop);
    assert_eq!(kind_of(bad), kind::INVALID_NAMESPACE);
    for value in [json!(1), json!("x"), json!([1])] {
        let bad = block_on(store.put(["a"], "k", &value));
        assert_eq!(kind_of(bad), kind::SERIALIZATION);
    }
    let bad = block_on(store.put(["a"], "k", &ada()).ttl(Duration::ZERO));
    assert_eq!(kind_of(bad), kind::STORE);
    assert_eq!(backend.asked(), []);
}

#[test]
fn values_of_another_type_name_their_item() {
    let reply = StoreReply::Item(Some(Box::new(stored("ada", json!({ "name": 1 })))));
    let backend = Scripted::replying([reply]);
    let error = block_on(backend.store().get::<Person>(["people"], "ada")).expect_err("no person");
    assert!(error.message().contains("value of item `ada` in `people` as"), "{error}");
}

#[test]
fn a_reply_to_another_question_is_an_error() {
    let backend = Scripted::replying([StoreReply::Items(vec![])]);
    let error = block_on(backend.store().delete(["a"], "k")).expect_err("items");
    assert!(error.message().contains("replied with items"), "{error}");
}

#[test]
fn nothing_is_asked_until_it_is_awaited() {
    let backend = Scripted::default();
    drop(backend.store().delete(["a"], "k"));
    assert_eq!(backend.asked(), []);
}

#[entrypoint]
async fn remember(store: Store, person: Person) -> Result<(Option<u32>, usize)> {
    let (known, namespaces) =
        join(store.get::<Person>(["people"], &person.name), store.list_namespaces()).await;
    store.put(["people"], &person.name, &person).await?;
    Ok((known?.map(|item| item.value.age), namespaces?.len()))
}

#[test]
fn in_an_entrypoint_each_request_is_a_recorded_call() {
    let mut driver = Driver::start(remember::def(), ada());
    assert_eq!(driver.names(), ["store", "store"]);
    let CallRequest::Store(request) = &driver.calls[0].request else { panic!("no request") };
    let get = StoreRequest::Get { namespace: people(), key: "ada".into(), refresh_ttl: true };
    assert_eq!(request, &get);
    driver.complete(1, StoreReply::Namespaces(vec![people()]));
    driver.complete(0, StoreReply::Item(Some(Box::new(stored("ada", ada())))));
    assert_eq!(driver.names().len(), 3);
    driver.complete(2, StoreReply::Done);
    assert_eq!(driver.value::<(Option<u32>, usize)>(), (Some(36), 1));
}

#[test]
fn a_failure_of_the_store_passes_through() {
    let mut driver = Driver::start(remember::def(), ada());
    driver.complete(1, StoreReply::Namespaces(vec![]));
    driver.fail(0, Failure::new(kind::STORE, "the storage is out of reach"));
    driver.complete(2, StoreReply::Done);
    assert_eq!(driver.failure().kind, kind::STORE);
    assert_eq!(driver.failure().cause, Some(driver.calls[0].id));
}
