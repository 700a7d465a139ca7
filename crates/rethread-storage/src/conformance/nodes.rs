//! Which coordinators live.

use std::time::Duration;

use super::kit::*;

async fn announce(storage: &Shared, name: &str, ttl: Duration) -> Vec<String> {
    let living = storage.announce_node(&node(name), ttl).await.expect("announce_node succeeds");
    living.iter().map(|node| node.as_str().to_owned()).collect()
}

pub(super) async fn announced_nodes_live_and_are_sorted(storage: Shared) {
    assert_eq!(announce(&storage, "b", LONG).await, ["b"]);
    assert_eq!(announce(&storage, "a", LONG).await, ["a", "b"]);
    assert_eq!(announce(&storage, "c", LONG).await, ["a", "b", "c"]);
    assert_eq!(announce(&storage, "b", LONG).await, ["a", "b", "c"], "once each");
}

pub(super) async fn a_silent_node_does_not_live(storage: Shared) {
    announce(&storage, "silent", SHORT).await;
    while announce(&storage, "a", LONG).await != ["a"] {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(announce(&storage, "silent", LONG).await, ["a", "silent"], "it is back");
}

pub(super) async fn a_node_lives_for_the_time_it_said_last(storage: Shared) {
    announce(&storage, "a", SHORT).await;
    announce(&storage, "a", LONG).await;
    tokio::time::sleep(2 * SHORT).await;
    assert_eq!(announce(&storage, "b", LONG).await, ["a", "b"]);
}

pub(super) async fn a_withdrawn_node_does_not_live(storage: Shared) {
    announce(&storage, "a", LONG).await;
    announce(&storage, "b", LONG).await;
    for _ in 0..2 {
        storage.withdraw_node(&node("a")).await.expect("withdraw_node succeeds");
        assert_eq!(announce(&storage, "b", LONG).await, ["b"]);
    }
    assert_eq!(announce(&storage, "a", LONG).await, ["a", "b"], "it may come back");
}

pub(super) async fn odd_nodes_are_kept_apart(storage: Shared) {
    let mut names = ["a", "A", " a", "a:b", "{a}", "a\r\nb", "a\0b", "ä", "🦀", "1", "-1"].to_vec();
    let mut living = Vec::new();
    for name in &names {
        living = announce(&storage, name, LONG).await;
    }
    names.sort_unstable();
    assert_eq!(living, names);
}
