//! Dead letters.

use super::kit::*;
use crate::{DeadLetter, DeadLetterId, StorageError};

async fn bury(owner: &mut Owner, records: &[&str]) {
    owner.commit(|commit| commit.dead_letters = records.iter().map(bytes).collect()).await;
}

async fn list(storage: &Shared, after: Option<DeadLetterId>, max: usize) -> Vec<DeadLetter> {
    let found = storage.list_dead_letters(P0, after, max).await;
    found.expect("list_dead_letters succeeds")
}

fn records(letters: &[DeadLetter]) -> Vec<String> {
    letters.iter().map(|letter| text(&letter.record)).collect()
}

pub(super) async fn dead_letters_are_listed_in_order(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    assert_eq!(list(&storage, None, 10).await, []);
    bury(&mut owner, &["a", "b"]).await;
    owner.commit(|_| {}).await;
    bury(&mut owner, &["c"]).await;
    let found = list(&storage, None, 10).await;
    assert_eq!(records(&found), ["a", "b", "c"]);
    assert!(found.is_sorted_by(|a, b| a.id < b.id), "{found:?}");
}

pub(super) async fn dead_letters_are_listed_in_pages(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    bury(&mut owner, &["a", "b", "c"]).await;
    bury(&mut owner, &["d", "e"]).await;
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = list(&storage, after, 2).await;
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2);
        after = Some(last.id);
        seen.extend(records(&page));
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    assert_eq!(list(&storage, None, 0).await, []);
}

pub(super) async fn a_removed_dead_letter_is_gone(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    bury(&mut owner, &["a", "b", "c"]).await;
    let second = list(&storage, None, 10).await[1].id;
    assert_eq!(storage.remove_dead_letter(P1, second).await, Ok(false), "of another partition");
    assert_eq!(storage.remove_dead_letter(P0, second).await, Ok(true));
    assert_eq!(storage.remove_dead_letter(P0, second).await, Ok(false));
    let none = DeadLetterId(u64::MAX >> 1, 7);
    assert_eq!(storage.remove_dead_letter(P0, none).await, Ok(false));
    assert_eq!(records(&list(&storage, None, 10).await), ["a", "c"]);
    assert_eq!(records(&list(&storage, Some(second), 10).await), ["c"], "it still is a place");
}

pub(super) async fn dead_letters_of_partitions_are_kept_apart(storage: Shared) {
    bury(&mut own(&storage, P0).await, &["a"]).await;
    bury(&mut own(&storage, P1).await, &["b"]).await;
    assert_eq!(records(&list(&storage, None, 10).await), ["a"]);
    let other = storage.list_dead_letters(P1, None, 10).await;
    assert_eq!(records(&other.expect("list_dead_letters succeeds")), ["b"]);
    assert_eq!(storage.list_dead_letters(P2, None, 10).await, Ok(Vec::new()));
}

pub(super) async fn a_repeated_commit_buries_once(storage: Shared) {
    let owner = own(&storage, P0).await;
    let mut commit = owner.next();
    commit.dead_letters = vec![bytes("a")];
    for _ in 0..3 {
        assert_eq!(storage.commit(commit.clone()).await, Ok(()));
    }
    own(&storage, P0).await;
    commit.number += 1;
    assert_eq!(storage.commit(commit).await, Err(StorageError::Fenced { partition: P0 }));
    assert_eq!(records(&list(&storage, None, 10).await), ["a"]);
}

pub(super) async fn dead_letters_are_binary(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let mut letters = awkward();
    letters.push(mebibyte());
    owner.commit(|commit| commit.dead_letters = letters.clone()).await;
    let found = list(&storage, None, 100).await;
    assert!(found.iter().map(|letter| &letter.record).eq(&letters), "as they were");
}

pub(super) async fn the_oldest_dead_letters_go_when_there_are_too_many(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    bury(&mut owner, &["first", "second", "third"]).await;
    owner.commit(|commit| commit.dead_letters = texts("", 0, 9_998)).await;
    let found = list(&storage, None, 20_000).await;
    assert_eq!(found.len(), 10_000);
    assert_eq!(records(&found[..3]), ["second", "third", "0"]);
    assert_eq!(text(&found[9_999].record), "9997");
}
