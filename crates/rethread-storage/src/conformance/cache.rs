//! The cache: values by key, for a time, and who makes a value that is missing.

use std::time::Duration;

use bytes::Bytes;

use super::kit::*;
use crate::names::PROGRESS_GROUP;
use crate::{CacheKey, CacheLookup, StorageError};

fn key(group: &str, entry: &str) -> CacheKey {
    CacheKey { group: group.to_owned(), entry: bytes(entry) }
}

async fn ask(storage: &Shared, key: &CacheKey, holder: &str) -> CacheLookup {
    ask_for(storage, key, holder, LONG).await
}

async fn ask_for(storage: &Shared, key: &CacheKey, holder: &str, hold: Duration) -> CacheLookup {
    storage.look_up_cache(key, holder, hold).await.expect("look_up_cache succeeds")
}

async fn fill(storage: &Shared, key: &CacheKey, value: &str, ttl: Option<Duration>) {
    storage.fill_cache(key, bytes(value), ttl).await.expect("fill_cache succeeds");
}

async fn abandon(storage: &Shared, key: &CacheKey, holder: &str) {
    storage.abandon_cache(key, holder).await.expect("abandon_cache succeeds");
}

async fn clear(storage: &Shared, group: Option<&str>) {
    storage.clear_cache(group).await.expect("clear_cache succeeds");
}

fn hit(value: &str) -> CacheLookup {
    CacheLookup::Hit(bytes(value))
}

/// Asks until the answer is `Vacant`: holds and values go only after their time.
async fn ask_until_vacant(storage: &Shared, key: &CacheKey, holder: &str) {
    while ask(storage, key, holder).await != CacheLookup::Vacant {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) async fn a_missing_entry_is_vacant(storage: Shared) {
    assert_eq!(ask(&storage, &key("g", "e"), "a").await, CacheLookup::Vacant);
}

pub(super) async fn a_filled_entry_is_a_hit(storage: Shared) {
    let attached = storage.attach().await.expect("attach succeeds");
    let key = key("g", "e");
    assert_eq!(ask(&storage, &key, "a").await, CacheLookup::Vacant);
    fill(&storage, &key, "value", None).await;
    for holder in ["a", "b"] {
        assert_eq!(ask(&storage, &key, holder).await, hit("value"));
        assert_eq!(ask(&attached, &key, holder).await, hit("value"));
    }
}

pub(super) async fn the_newest_value_stands(storage: Shared) {
    let key = key("g", "e");
    for value in ["one", "two", "three"] {
        fill(&storage, &key, value, Some(LONG)).await;
        assert_eq!(ask(&storage, &key, "a").await, hit(value));
    }
}

pub(super) async fn others_wait_while_an_entry_is_filled(storage: Shared) {
    let entry = key("g", "e");
    assert_eq!(ask(&storage, &entry, "a").await, CacheLookup::Vacant);
    for _ in 0..3 {
        assert_eq!(ask(&storage, &entry, "b").await, CacheLookup::Filling);
    }
    let others = [key("g", "f"), key("h", "e")];
    for other in &others {
        assert_eq!(ask(&storage, other, "b").await, CacheLookup::Vacant, "{other:?}");
    }
    fill(&storage, &entry, "value", None).await;
    assert_eq!(ask(&storage, &entry, "b").await, hit("value"));
}

pub(super) async fn the_holder_extends_its_time(storage: Shared) {
    let (extended, clock) = (key("g", "extended"), key("g", "clock"));
    assert_eq!(ask_for(&storage, &extended, "a", SHORT).await, CacheLookup::Vacant);
    assert_eq!(ask_for(&storage, &extended, "a", LONG).await, CacheLookup::Vacant);
    assert_eq!(ask_for(&storage, &clock, "a", SHORT).await, CacheLookup::Vacant);
    // When this one is over, so is the first time of the other.
    ask_until_vacant(&storage, &clock, "b").await;
    assert_eq!(ask(&storage, &extended, "b").await, CacheLookup::Filling);
    assert_eq!(ask(&storage, &extended, "a").await, CacheLookup::Vacant);
}

pub(super) async fn an_expired_hold_is_taken_over(storage: Shared) {
    let key = key("g", "e");
    assert_eq!(ask_for(&storage, &key, "a", SHORT).await, CacheLookup::Vacant);
    ask_until_vacant(&storage, &key, "b").await;
    assert_eq!(ask(&storage, &key, "a").await, CacheLookup::Filling, "it is the other's now");
    abandon(&storage, &key, "a").await;
    assert_eq!(ask(&storage, &key, "c").await, CacheLookup::Filling, "it had nothing to give up");
    fill(&storage, &key, "late", None).await;
    assert_eq!(ask(&storage, &key, "b").await, hit("late"), "a late value is as good as any");
}

pub(super) async fn an_abandoned_entry_is_taken_at_once(storage: Shared) {
    let key = key("g", "e");
    assert_eq!(ask(&storage, &key, "a").await, CacheLookup::Vacant);
    abandon(&storage, &key, "a").await;
    assert_eq!(ask(&storage, &key, "b").await, CacheLookup::Vacant);
    assert_eq!(ask(&storage, &key, "a").await, CacheLookup::Filling);
}

pub(super) async fn abandoning_what_another_holds_changes_nothing(storage: Shared) {
    let entry = key("g", "e");
    abandon(&storage, &entry, "nobody").await;
    assert_eq!(ask(&storage, &entry, "a").await, CacheLookup::Vacant);
    for stranger in ["b", "A", "a ", ""] {
        abandon(&storage, &entry, stranger).await;
        assert_eq!(ask(&storage, &entry, "c").await, CacheLookup::Filling, "by {stranger:?}");
    }
    abandon(&storage, &key("g", "f"), "a").await;
    assert_eq!(ask(&storage, &entry, "c").await, CacheLookup::Filling, "another entry");
    fill(&storage, &entry, "value", None).await;
    abandon(&storage, &entry, "a").await;
    assert_eq!(ask(&storage, &entry, "c").await, hit("value"), "values stay");
}

pub(super) async fn a_fill_by_another_ends_the_duty(storage: Shared) {
    let key = key("g", "e");
    assert_eq!(ask(&storage, &key, "a").await, CacheLookup::Vacant);
    fill(&storage, &key, "value", None).await;
    clear(&storage, None).await;
    assert_eq!(ask(&storage, &key, "b").await, CacheLookup::Vacant, "the duty was over");
}

pub(super) async fn an_entry_expires(storage: Shared) {
    let (short, long) = (key("g", "short"), key("g", "long"));
    fill(&storage, &short, "value", Some(SHORT)).await;
    fill(&storage, &long, "value", Some(LONG)).await;
    ask_until_vacant(&storage, &short, "a").await;
    assert_eq!(ask(&storage, &short, "b").await, CacheLookup::Filling, "it is made once");
    assert_eq!(ask(&storage, &long, "b").await, hit("value"));
    fill(&storage, &short, "new", Some(LONG)).await;
    assert_eq!(ask(&storage, &short, "b").await, hit("new"));
}

pub(super) async fn a_refill_sets_the_time_anew(storage: Shared) {
    let (refilled, clock) = (key("g", "refilled"), key("g", "clock"));
    fill(&storage, &refilled, "old", Some(SHORT)).await;
    fill(&storage, &refilled, "new", None).await;
    fill(&storage, &clock, "value", Some(SHORT)).await;
    ask_until_vacant(&storage, &clock, "a").await;
    assert_eq!(ask(&storage, &refilled, "a").await, hit("new"));
}

pub(super) async fn odd_cache_keys_are_kept_apart(storage: Shared) {
    let mut keys = Vec::new();
    for group in ["g", "G", "g:", "g:e", "g\0", "g\0\0", "", "*", "é", "{g}", "g/e", "%"] {
        keys.extend(["e", "", ":e", "\0", "\0\0e", "*"].map(|entry| key(group, entry)));
        let entry = bytes([0xff, 0, 0xfe]);
        keys.push(CacheKey { group: group.to_owned(), entry });
    }
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(ask(&storage, key, "a").await, CacheLookup::Vacant, "{key:?}");
        fill(&storage, key, &number.to_string(), None).await;
    }
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(ask(&storage, key, "a").await, hit(&number.to_string()), "{key:?}");
    }
    for group in ["g", "*", "{g}", ""] {
        clear(&storage, Some(group)).await;
    }
    for (number, key) in keys.iter().enumerate() {
        let is_cleared = ["g", "*", "{g}", ""].contains(&key.group.as_str());
        let expected = if is_cleared { CacheLookup::Vacant } else { hit(&number.to_string()) };
        assert_eq!(ask(&storage, key, "a").await, expected, "{key:?}");
    }
}

pub(super) async fn a_group_is_cleared(storage: Shared) {
    let keys = [key("g", "1"), key("g", "2"), key("h", "1"), key("gg", "1")];
    for key in &keys {
        fill(&storage, key, "value", Some(LONG)).await;
    }
    clear(&storage, Some("g")).await;
    clear(&storage, Some("unknown")).await;
    for key in &keys {
        let expected = if key.group == "g" { CacheLookup::Vacant } else { hit("value") };
        assert_eq!(ask(&storage, key, "a").await, expected, "{key:?}");
    }
    fill(&storage, &keys[0], "again", None).await;
    assert_eq!(ask(&storage, &keys[0], "a").await, hit("again"));
}

pub(super) async fn the_whole_cache_is_cleared(storage: Shared) {
    let keys = [key("g", "1"), key("g", "2"), key("h", "1"), key("é", "")];
    for key in &keys {
        fill(&storage, key, "value", None).await;
    }
    clear(&storage, None).await;
    for key in &keys {
        assert_eq!(ask(&storage, key, "a").await, CacheLookup::Vacant, "{key:?}");
    }
    clear(&storage, None).await;
}

/// What attempts note of their progress is no result.
pub(super) async fn a_clear_of_all_leaves_progress(storage: Shared) {
    let progress = [key(PROGRESS_GROUP, "1"), key(PROGRESS_GROUP, "2")];
    let results = [key("a", "1"), key("progress:", "1"), key("progres", "s"), key("z", "1")];
    for key in progress.iter().chain(&results) {
        fill(&storage, key, "value", Some(LONG)).await;
    }
    clear(&storage, None).await;
    for key in &results {
        assert_eq!(ask(&storage, key, "a").await, CacheLookup::Vacant, "{key:?}");
    }
    for key in &progress {
        assert_eq!(ask(&storage, key, "a").await, hit("value"), "{key:?}");
    }
    clear(&storage, Some(PROGRESS_GROUP)).await;
    assert_eq!(ask(&storage, &progress[0], "a").await, CacheLookup::Vacant);
}

pub(super) async fn many_entries_are_cleared(storage: Shared) {
    let keys: Vec<_> = (0..1_500).map(|n| key("g", &n.to_string())).collect();
    for key in &keys {
        fill(&storage, key, "value", None).await;
    }
    fill(&storage, &key("h", "e"), "value", None).await;
    clear(&storage, Some("g")).await;
    for key in keys.iter().step_by(7) {
        assert_eq!(ask(&storage, key, "a").await, CacheLookup::Vacant, "{key:?}");
    }
    assert_eq!(ask(&storage, &key("h", "e"), "a").await, hit("value"));
}

pub(super) async fn what_is_being_filled_is_filled_after_a_clear(storage: Shared) {
    let key = key("g", "e");
    for group in [Some("g"), None] {
        assert_eq!(ask(&storage, &key, "a").await, CacheLookup::Vacant);
        clear(&storage, group).await;
        assert_eq!(ask(&storage, &key, "b").await, CacheLookup::Filling, "it is still made");
        fill(&storage, &key, "value", None).await;
        assert_eq!(ask(&storage, &key, "b").await, hit("value"));
        clear(&storage, group).await;
    }
}

pub(super) async fn cached_values_are_binary(storage: Shared) {
    let mut values = awkward();
    values.push(mebibyte());
    for (number, value) in values.iter().enumerate() {
        let key = key("g", &number.to_string());
        for ttl in [None, Some(LONG)] {
            storage.fill_cache(&key, value.clone(), ttl).await.expect("fill_cache succeeds");
            let found = ask(&storage, &key, "a").await;
            assert!(found == CacheLookup::Hit(value.clone()), "value {number} comes back");
        }
    }
}

pub(super) async fn one_of_many_askers_makes_a_value(storage: Shared) {
    const ASKERS: usize = 16;
    let key = key("g", "e");
    let mut askers = tokio::task::JoinSet::new();
    for asker in 0..ASKERS {
        let (storage, key) = (storage.attach().await.expect("attach succeeds"), key.clone());
        askers.spawn(async move {
            let mut made = 0;
            loop {
                match ask(&storage, &key, &format!("asker {asker}")).await {
                    CacheLookup::Hit(value) => return (made, value),
                    CacheLookup::Filling => tokio::time::sleep(Duration::from_millis(2)).await,
                    CacheLookup::Vacant => {
                        made += 1;
                        fill(&storage, &key, &asker.to_string(), None).await;
                    }
                }
            }
        });
    }
    let found: Vec<(usize, Bytes)> = askers.join_all().await;
    assert_eq!(found.iter().map(|(made, _)| made).sum::<usize>(), 1, "it is made once");
    assert!(found.iter().all(|(_, value)| *value == found[0].1), "all see the same");
}

pub(super) async fn long_cache_keys_are_refused(storage: Shared) {
    let fits = key(&"g".repeat(400), &"e".repeat(1_024));
    assert_eq!(ask(&storage, &fits, "a").await, CacheLookup::Vacant);
    fill(&storage, &fits, "value", Some(LONG)).await;
    assert_eq!(ask(&storage, &fits, "a").await, hit("value"));
    for long in [key(&"g".repeat(401), "e"), key("g", &"e".repeat(1_025))] {
        let asked = storage.look_up_cache(&long, "a", LONG).await;
        assert!(matches!(asked, Err(StorageError::TooLong { .. })), "{asked:?}");
        let filled = storage.fill_cache(&long, Bytes::new(), None).await;
        assert!(matches!(filled, Err(StorageError::TooLong { .. })), "{filled:?}");
    }
}
