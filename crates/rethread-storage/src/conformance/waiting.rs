//! Commands that wait on a thread.

use super::kit::*;
use crate::WaitingChange::{self, Append, DropFirst, Remove};
use crate::{StorageError, ThreadWrite};

fn add(command: &str) -> WaitingChange {
    Append(bytes(command))
}

fn changing(n: u8, waiting: Vec<WaitingChange>) -> ThreadWrite {
    ThreadWrite { waiting, ..headed(thread(n)) }
}

async fn waiting(owner: &Owner, n: u8) -> Vec<String> {
    owner.load(thread(n)).await.waiting.iter().map(text).collect()
}

pub(super) async fn waiting_commands_keep_their_order(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(headed(thread(1))).await;
    assert_eq!(waiting(&owner, 1).await, [""; 0]);
    owner.write(changing(1, vec![add("a"), add("b")])).await;
    owner.write(changing(1, vec![add("c")])).await;
    owner.write(headed(thread(1))).await;
    assert_eq!(waiting(&owner, 1).await, ["a", "b", "c"]);
}

pub(super) async fn the_first_waiting_commands_are_dropped(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(changing(1, ["a", "b", "c", "d"].map(add).to_vec())).await;
    owner.write(changing(1, vec![DropFirst(1)])).await;
    assert_eq!(waiting(&owner, 1).await, ["b", "c", "d"]);
    owner.write(changing(1, vec![DropFirst(0)])).await;
    assert_eq!(waiting(&owner, 1).await, ["b", "c", "d"]);
    owner.write(changing(1, vec![DropFirst(2)])).await;
    assert_eq!(waiting(&owner, 1).await, ["d"]);
}

pub(super) async fn changes_of_what_waits_follow_each_other(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let changes = vec![add("a"), add("b"), DropFirst(1), add("c"), DropFirst(1), add("d")];
    owner.write(changing(1, changes)).await;
    assert_eq!(waiting(&owner, 1).await, ["c", "d"]);
    owner.write(changing(1, vec![DropFirst(2), add("e"), DropFirst(1), add("f")])).await;
    assert_eq!(waiting(&owner, 1).await, ["f"]);
}

pub(super) async fn dropping_more_than_waits_drops_all(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(changing(1, vec![DropFirst(3)])).await;
    owner.write(changing(1, vec![add("a"), add("b"), DropFirst(usize::MAX), add("c")])).await;
    assert_eq!(waiting(&owner, 1).await, ["c"]);
    owner.write(changing(1, vec![DropFirst(9)])).await;
    assert_eq!(waiting(&owner, 1).await, [""; 0]);
    owner.write(changing(1, vec![add("d")])).await;
    assert_eq!(waiting(&owner, 1).await, ["d"]);
}

pub(super) async fn one_waiting_command_is_removed_and_the_others_stay(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(changing(1, ["a", "b", "c", "b", "d"].map(add).to_vec())).await;
    owner.write(changing(1, vec![Remove(3)])).await;
    assert_eq!(waiting(&owner, 1).await, ["a", "b", "c", "d"]);
    owner.write(changing(1, vec![Remove(4), Remove(usize::MAX)])).await;
    assert_eq!(waiting(&owner, 1).await, ["a", "b", "c", "d"], "there is none at that place");
    owner.write(changing(1, vec![Remove(0), Remove(2), add("e"), Remove(1)])).await;
    assert_eq!(waiting(&owner, 1).await, ["b", "e"]);
    owner.write(changing(1, vec![DropFirst(1), add("f"), Remove(0)])).await;
    assert_eq!(waiting(&owner, 1).await, ["f"]);
    owner.write(changing(1, vec![Remove(0)])).await;
    owner.write(changing(2, vec![Remove(0)])).await;
    assert_eq!(waiting(&owner, 1).await, [""; 0]);
    owner.write(changing(1, vec![add("g"), add("h")])).await;
    assert_eq!(waiting(&owner, 1).await, ["g", "h"]);
    let anew = ThreadWrite { delete: true, ..changing(1, vec![Remove(0), add("i"), add("j")]) };
    owner.write(anew).await;
    owner.write(changing(1, vec![Remove(0)])).await;
    assert_eq!(waiting(&owner, 1).await, ["j"]);
}

pub(super) async fn a_deletion_takes_what_waits(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(changing(1, vec![add("a"), add("b")])).await;
    owner.write(ThreadWrite { delete: true, ..ThreadWrite::none(thread(1)) }).await;
    assert_eq!(storage.load_thread(P0, thread(1)).await, Ok(None));
    owner.write(headed(thread(1))).await;
    assert_eq!(waiting(&owner, 1).await, [""; 0]);
    owner.write(changing(1, vec![add("c"), add("d")])).await;
    let anew = ThreadWrite { delete: true, ..changing(1, vec![add("e"), add("f"), DropFirst(1)]) };
    owner.write(anew).await;
    assert_eq!(waiting(&owner, 1).await, ["f"], "what follows the deletion in its write stays");
}

pub(super) async fn what_waits_on_threads_is_kept_apart(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let mut elsewhere = own(&storage, P1).await;
    owner.write(changing(1, vec![add("a")])).await;
    owner.write(changing(2, vec![add("b"), add("c")])).await;
    elsewhere.write(changing(1, vec![add("d")])).await;
    owner.write(changing(1, vec![DropFirst(1)])).await;
    assert_eq!(waiting(&owner, 1).await, [""; 0]);
    assert_eq!(waiting(&owner, 2).await, ["b", "c"]);
    assert_eq!(waiting(&elsewhere, 1).await, ["d"]);
}

pub(super) async fn a_repeated_commit_changes_what_waits_once(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(changing(1, vec![add("a"), add("b"), add("c")])).await;
    let mut commit = owner.next();
    commit.threads.push(changing(1, vec![DropFirst(1), add("d")]));
    for _ in 0..3 {
        assert_eq!(storage.commit(commit.clone()).await, Ok(()));
    }
    assert_eq!(waiting(&owner, 1).await, ["b", "c", "d"]);
    own(&storage, P0).await;
    commit.number += 1;
    assert_eq!(storage.commit(commit).await, Err(StorageError::Fenced { partition: P0 }));
    assert_eq!(waiting(&owner, 1).await, ["b", "c", "d"]);
}

pub(super) async fn waiting_commands_are_binary(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let mut commands = awkward();
    commands.push(mebibyte());
    owner.write(changing(1, commands.iter().cloned().map(Append).collect())).await;
    assert!(owner.load(thread(1)).await.waiting == commands, "as they were");
}

pub(super) async fn a_thousand_commands_wait(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(changing(1, texts("c", 0, 1_000).into_iter().map(Append).collect())).await;
    owner.write(changing(1, vec![DropFirst(995)])).await;
    assert_eq!(waiting(&owner, 1).await, ["c995", "c996", "c997", "c998", "c999"]);
}
