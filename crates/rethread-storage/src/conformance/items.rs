//! Items of the store: by name, for a time, and listed in the order of their names.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rethread_core::ids::Millis;
use rethread_core::store::Namespace;

use super::kit::*;
use crate::{ItemName, ItemRecord, StorageError};

fn namespace(labels: &[&str]) -> Namespace {
    Namespace::new(labels.iter().copied()).expect("a namespace")
}

fn name(labels: &[&str], key: &str) -> ItemName {
    ItemName { namespace: namespace(labels), key: key.to_owned() }
}

fn labels(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

fn lasting(record: &str) -> ItemRecord {
    ItemRecord { record: bytes(record), expires_at: None }
}

/// A time from now; storages go by the system's time unless they are told another.
fn from_now(delay: Duration) -> Millis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    Millis((now + delay).as_millis() as u64)
}

async fn put(storage: &Shared, name: &ItemName, record: ItemRecord) {
    storage.put_item(name, record).await.expect("put_item succeeds");
}

async fn put_all(storage: &Shared, names: &[ItemName]) {
    put_each(storage, names.iter().map(|name| (name.clone(), lasting("record")))).await;
}

/// Puts many items at the same time, so that they can share the wait for the disk.
async fn put_each(storage: &Shared, items: impl IntoIterator<Item = (ItemName, ItemRecord)>) {
    let mut puts = tokio::task::JoinSet::new();
    for (name, record) in items {
        let storage = Shared::clone(storage);
        puts.spawn(async move { put(&storage, &name, record).await });
    }
    puts.join_all().await;
}

async fn get(storage: &Shared, name: &ItemName) -> Option<ItemRecord> {
    storage.read_item(name).await.expect("read_item succeeds")
}

async fn delete(storage: &Shared, name: &ItemName) {
    storage.delete_item(name).await.expect("delete_item succeeds");
}

async fn touch(storage: &Shared, name: &ItemName, expires_at: Millis) {
    storage.touch_item(name, expires_at).await.expect("touch_item succeeds");
}

async fn scan(
    storage: &Shared,
    prefix: &[&str],
    after: Option<&ItemName>,
    max: usize,
) -> Vec<ItemName> {
    let found = storage.scan_items(&labels(prefix), after, max).await;
    found.expect("scan_items succeeds").into_iter().map(|(name, _)| name).collect()
}

/// All items under a prefix, page by page.
async fn scan_all(storage: &Shared, prefix: &[&str], page: usize) -> Vec<ItemName> {
    let mut all: Vec<ItemName> = Vec::new();
    loop {
        let found = scan(storage, prefix, all.last(), page).await;
        assert!(found.len() <= page, "at most {page}: {}", found.len());
        if found.is_empty() {
            return all;
        }
        all.extend(found);
    }
}

async fn namespaces(storage: &Shared, prefix: &[&str]) -> Vec<Namespace> {
    storage.item_namespaces(&labels(prefix)).await.expect("item_namespaces succeeds")
}

async fn wait_until_gone(storage: &Shared, name: &ItemName) {
    while get(storage, name).await.is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Names that an adapter could mix up or put in another order, unsorted.
fn odd_names() -> Vec<ItemName> {
    let odd =
        ["a", "b", "ab", "a b", "a/b", "a:b", "a%2Fb", "a\0", "\0", "é", "*", "{a}", "\u{10ffff}"];
    let mut names = Vec::new();
    for key in ["z", "k", "", "\0", "k:1", "%", "/", "é\r\n", "*"] {
        for first in odd {
            names.push(name(&[first], key));
            names.push(name(&[first, first], key));
            names.push(name(&["a", "a", first], key));
        }
    }
    names
}

pub(super) async fn an_item_is_put_and_read(storage: Shared) {
    let attached = storage.attach().await.expect("attach succeeds");
    let name = name(&["users", "ada"], "profile");
    put(&storage, &name, lasting("record")).await;
    assert_eq!(get(&storage, &name).await, Some(lasting("record")));
    assert_eq!(get(&attached, &name).await, Some(lasting("record")), "by another handle");
}

pub(super) async fn an_unknown_item_is_none(storage: Shared) {
    assert_eq!(get(&storage, &name(&["users"], "profile")).await, None);
    assert_eq!(scan(&storage, &[], None, 10).await, []);
    assert_eq!(namespaces(&storage, &[]).await, []);
}

pub(super) async fn an_item_is_replaced(storage: Shared) {
    let name = name(&["users"], "profile");
    for record in ["one", "two", "three"] {
        put(&storage, &name, lasting(record)).await;
        assert_eq!(get(&storage, &name).await, Some(lasting(record)));
    }
    assert_eq!(scan(&storage, &[], None, 10).await, [name], "listed once");
}

pub(super) async fn an_item_is_deleted(storage: Shared) {
    let names = [name(&["users"], "a"), name(&["users"], "b")];
    put_all(&storage, &names).await;
    delete(&storage, &names[0]).await;
    delete(&storage, &names[0]).await;
    delete(&storage, &name(&["unknown"], "a")).await;
    assert_eq!(get(&storage, &names[0]).await, None);
    assert_eq!(scan(&storage, &[], None, 10).await, [names[1].clone()], "the other one stays");
    put(&storage, &names[0], lasting("again")).await;
    assert_eq!(get(&storage, &names[0]).await, Some(lasting("again")));
}

pub(super) async fn an_item_expires(storage: Shared) {
    let (short, long) = (name(&["short"], "k"), name(&["long"], "k"));
    let record = |delay| ItemRecord { record: bytes("record"), expires_at: Some(from_now(delay)) };
    let lasts = record(LONG);
    put(&storage, &short, record(SHORT)).await;
    put(&storage, &long, lasts.clone()).await;
    wait_until_gone(&storage, &short).await;
    let listed = scan(&storage, &[], None, 10).await;
    assert_eq!(listed, std::slice::from_ref(&long), "it is not listed");
    assert_eq!(namespaces(&storage, &[]).await, [namespace(&["long"])], "nor is its namespace");
    assert_eq!(get(&storage, &long).await, Some(lasts), "with its time");
    put(&storage, &short, lasting("again")).await;
    assert_eq!(get(&storage, &short).await, Some(lasting("again")));
}

pub(super) async fn an_item_that_is_put_anew_has_a_new_time(storage: Shared) {
    let names = [name(&["n"], "lasting"), name(&["n"], "longer"), name(&["n"], "clock")];
    let expires = |delay| Some(from_now(delay));
    for name in &names {
        let record = ItemRecord { record: bytes("old"), expires_at: expires(SHORT) };
        put(&storage, name, record).await;
    }
    let longer = ItemRecord { record: bytes("new"), expires_at: expires(LONG) };
    put(&storage, &names[0], lasting("new")).await;
    put(&storage, &names[1], longer.clone()).await;
    put(&storage, &names[2], ItemRecord { record: bytes("new"), expires_at: expires(SHORT) }).await;
    // When this one is gone, the old time of the others is over.
    wait_until_gone(&storage, &names[2]).await;
    assert_eq!(get(&storage, &names[0]).await, Some(lasting("new")));
    assert_eq!(get(&storage, &names[1]).await, Some(longer));
}

pub(super) async fn an_item_is_touched(storage: Shared) {
    let (kept, ended, clock) = (name(&["n"], "kept"), name(&["n"], "ended"), name(&["n"], "clock"));
    let short = |delay| ItemRecord { record: bytes("record"), expires_at: Some(from_now(delay)) };
    let later = from_now(LONG);
    for delay in (1..).map(|attempt| attempt * SHORT) {
        put(&storage, &kept, short(delay)).await;
        touch(&storage, &kept, later).await;
        // Its time may have been over before it was touched.
        if get(&storage, &kept).await.is_some() {
            break;
        }
    }
    put(&storage, &ended, lasting("record")).await;
    touch(&storage, &ended, from_now(SHORT)).await;
    put(&storage, &clock, short(SHORT)).await;
    wait_until_gone(&storage, &ended).await;
    wait_until_gone(&storage, &clock).await;
    let expected = ItemRecord { record: bytes("record"), expires_at: Some(later) };
    assert_eq!(get(&storage, &kept).await, Some(expected));
    assert_eq!(scan(&storage, &[], None, 10).await, [kept]);
}

pub(super) async fn touching_nothing_makes_nothing(storage: Shared) {
    let (unknown, deleted) = (name(&["n"], "unknown"), name(&["n"], "deleted"));
    put(&storage, &deleted, lasting("record")).await;
    delete(&storage, &deleted).await;
    for name in [unknown, deleted] {
        touch(&storage, &name, from_now(LONG)).await;
        assert_eq!(get(&storage, &name).await, None);
    }
    assert_eq!(namespaces(&storage, &[]).await, []);
}

pub(super) async fn items_are_scanned_in_order(storage: Shared) {
    let mut names = vec![
        name(&["b"], "a"),
        name(&["a", "b"], "a"),
        name(&["a"], "b"),
        name(&["ab"], "a"),
        name(&["a"], "a"),
        name(&["a", "b", "c"], "a"),
        name(&["a", "c"], ""),
        name(&["B"], "a"),
        name(&["a"], "B"),
    ];
    put_all(&storage, &names).await;
    names.sort();
    assert_eq!(scan(&storage, &[], None, 100).await, names);
    let found = storage.scan_items(&[], None, 100).await.expect("scan_items succeeds");
    assert!(found.iter().all(|(_, record)| *record == lasting("record")), "with their records");
}

pub(super) async fn a_scan_goes_on_behind_an_item(storage: Shared) {
    let names = ["a", "b", "c", "d"].map(|key| name(&["n"], key));
    put_all(&storage, &names).await;
    put_all(&storage, &[name(&["m"], "x"), name(&["o"], "x")]).await;
    assert_eq!(scan(&storage, &["n"], Some(&names[1]), 10).await, names[2..]);
    assert_eq!(scan(&storage, &["n"], Some(&names[3]), 10).await, [], "the end");
    delete(&storage, &names[1]).await;
    assert_eq!(scan(&storage, &["n"], Some(&names[1]), 10).await, names[2..], "it may be gone");
    let before = scan(&storage, &["n"], Some(&name(&["m"], "x")), 1).await;
    assert_eq!(before, names[..1], "an item before the prefix");
    let behind = scan(&storage, &["n"], Some(&name(&["o"], "x")), 1).await;
    assert_eq!(behind, [], "an item behind the prefix");
}

pub(super) async fn a_scan_stops_at_the_maximum(storage: Shared) {
    let mut names = Vec::new();
    for label in ["a", "b", "c"] {
        for number in 0..100 {
            names.push(name(&["n", label], &number.to_string()));
        }
    }
    put_all(&storage, &names).await;
    names.sort();
    assert_eq!(scan(&storage, &["n"], None, 0).await, []);
    assert_eq!(scan(&storage, &["n"], None, 7).await, names[..7]);
    for page in [1, 7, 100, 299, 300, 1_000] {
        assert_eq!(scan_all(&storage, &["n"], page).await, names, "pages of {page}");
    }
}

pub(super) async fn a_scan_steps_over_what_is_gone(storage: Shared) {
    let names: Vec<_> = (0..60).map(|n| name(&["n"], &format!("{n:02}"))).collect();
    let items = names.iter().map(|name| {
        let expires_at = (!name.key.ends_with('9')).then(|| from_now(SHORT));
        (name.clone(), ItemRecord { record: bytes("record"), expires_at })
    });
    put_each(&storage, items).await;
    for name in &names {
        if !name.key.ends_with('9') {
            wait_until_gone(&storage, name).await;
        }
    }
    let left: Vec<_> = names.into_iter().filter(|name| name.key.ends_with('9')).collect();
    for page in [1, 2, 100] {
        assert_eq!(scan_all(&storage, &["n"], page).await, left, "pages of {page}");
    }
}

pub(super) async fn a_prefix_is_made_of_whole_labels(storage: Shared) {
    let names = odd_names();
    put_all(&storage, &names).await;
    let prefixes: [&[&str]; 12] = [
        &[],
        &["a"],
        &["ab"],
        &["a", "a"],
        &["a", "a", "a"],
        &["a", "a", "a", "a"],
        &["a\0"],
        &["\0"],
        &["*"],
        &["é"],
        &["unknown"],
        &[""],
    ];
    for prefix in prefixes {
        let mut expected: Vec<_> = names.clone();
        expected.retain(|name| name.namespace.starts_with(&labels(prefix)));
        expected.sort();
        assert_eq!(scan(&storage, prefix, None, 10_000).await, expected, "{prefix:?}");
        let mut spaces: Vec<_> = expected.into_iter().map(|name| name.namespace).collect();
        spaces.dedup();
        assert_eq!(namespaces(&storage, prefix).await, spaces, "{prefix:?}");
    }
}

pub(super) async fn odd_item_names_are_kept_apart(storage: Shared) {
    let mut names = odd_names();
    names.sort();
    names.dedup();
    let numbered =
        (0..).zip(&names).map(|(n, name): (usize, _)| (name.clone(), lasting(&n.to_string())));
    put_each(&storage, numbered).await;
    for (number, name) in names.iter().enumerate() {
        assert_eq!(get(&storage, name).await, Some(lasting(&number.to_string())), "{name:?}");
    }
    assert_eq!(scan_all(&storage, &[], 11).await, names);
    for name in names.iter().step_by(2) {
        delete(&storage, name).await;
    }
    let left: Vec<_> = names.into_iter().skip(1).step_by(2).collect();
    assert_eq!(scan_all(&storage, &[], 1_000).await, left);
}

pub(super) async fn namespaces_are_listed_once_and_sorted(storage: Shared) {
    for space in [&["b"][..], &["a", "b"], &["a"], &["ab"], &["a", "b", "c"], &["c", "d"]] {
        put_all(&storage, &["1", "2", "3"].map(|key| name(space, key))).await;
    }
    let all = [&["a"][..], &["a", "b"], &["a", "b", "c"], &["ab"], &["b"], &["c", "d"]];
    assert_eq!(namespaces(&storage, &[]).await, all.map(namespace));
    assert_eq!(
        namespaces(&storage, &["a"]).await,
        all[..3].iter().map(|l| namespace(l)).collect::<Vec<_>>()
    );
    assert_eq!(namespaces(&storage, &["c"]).await, [namespace(&["c", "d"])]);
    assert_eq!(namespaces(&storage, &["d"]).await, []);
}

pub(super) async fn a_namespace_goes_with_its_last_item(storage: Shared) {
    let names = [name(&["a"], "1"), name(&["a"], "2"), name(&["a", "b"], "1")];
    put_all(&storage, &names).await;
    delete(&storage, &names[0]).await;
    assert_eq!(namespaces(&storage, &[]).await, [namespace(&["a"]), namespace(&["a", "b"])]);
    delete(&storage, &names[1]).await;
    assert_eq!(namespaces(&storage, &[]).await, [namespace(&["a", "b"])]);
    delete(&storage, &names[2]).await;
    assert_eq!(namespaces(&storage, &[]).await, []);
}

pub(super) async fn items_are_binary(storage: Shared) {
    let mut records = awkward();
    records.push(mebibyte());
    for (number, record) in records.iter().enumerate() {
        let name = name(&["n"], &format!("{number:02}"));
        put(&storage, &name, ItemRecord { record: record.clone(), expires_at: None }).await;
        let found = get(&storage, &name).await.map(|found| found.record);
        assert!(found.as_ref() == Some(record), "record {number} comes back");
    }
    let found = storage.scan_items(&[], None, 100).await.expect("scan_items succeeds");
    assert!(found.iter().map(|(_, record)| &record.record).eq(&records), "all come back");
}

pub(super) async fn long_item_names_are_refused(storage: Shared) {
    let long = |n: usize| "x".repeat(n);
    let fits = name(&[&long(1_024), &long(1_024), &long(1_024), &long(1_024)], &long(1_024));
    put(&storage, &fits, lasting("record")).await;
    assert_eq!(get(&storage, &fits).await, Some(lasting("record")));
    assert_eq!(scan(&storage, &[&long(1_024)], None, 10).await, [fits]);
    let refused = [
        name(&[&long(1_025)], "k"),
        name(&["n"], &long(1_025)),
        name(&[&long(1_024), &long(1_024), &long(1_024), &long(1_024), "x"], "k"),
    ];
    for name in refused {
        let answer = storage.put_item(&name, lasting("record")).await;
        assert!(matches!(answer, Err(StorageError::TooLong { .. })), "{answer:?}");
        assert_eq!(get(&storage, &name).await, None);
        touch(&storage, &name, from_now(LONG)).await;
        delete(&storage, &name).await;
    }
    assert_eq!(scan(&storage, &[&long(100_000)], None, 10).await, [], "nothing is under it");
}

pub(super) async fn concurrent_puts_are_all_kept(storage: Shared) {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let storage = storage.attach().await.expect("attach succeeds");
        writers.spawn(async move {
            let own = name(&["own", &writer.to_string()], "k");
            for round in 0..20 {
                put(&storage, &own, lasting(&round.to_string())).await;
                put(&storage, &name(&["shared"], &format!("{writer}:{round}")), lasting("r")).await;
                put(&storage, &name(&["shared"], "one"), lasting(&writer.to_string())).await;
            }
            assert_eq!(get(&storage, &own).await, Some(lasting("19")));
        });
    }
    writers.join_all().await;
    assert_eq!(scan_all(&storage, &["shared"], 50).await.len(), 8 * 20 + 1);
    assert_eq!(namespaces(&storage, &["own"]).await.len(), 8);
    let one: Option<Bytes> = get(&storage, &name(&["shared"], "one")).await.map(|r| r.record);
    assert!(one.is_some_and(|one| (b'0'..b'8').contains(&one[0])), "one of them stands");
}
