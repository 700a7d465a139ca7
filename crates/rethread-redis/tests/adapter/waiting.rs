//! Commands that wait on a thread, and headers that are read without their threads.

use std::collections::BTreeSet;

use bytes::Bytes;
use rethread_storage::{Storage, ThreadWrite, WaitingChange};

use crate::support::{P0, Space, commit, events_of, run, text, thread};

fn append(command: &str) -> WaitingChange {
    WaitingChange::Append(text(command))
}

async fn waiting(space: &Space) -> Vec<Bytes> {
    let loaded = space.storage.load_thread(P0, thread("t")).await.expect("loads");
    loaded.expect("is there").waiting
}

#[tokio::test]
async fn waiting_commands_follow_their_changes_and_go_with_the_thread() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let mut number = last;
    let mut change = async |header: bool, delete: bool, waiting: Vec<WaitingChange>| {
        number += 1;
        let mut write = commit(lease, number);
        let mut thread = ThreadWrite::none(thread("t"));
        thread.header = header.then(|| text("header"));
        thread.delete = delete;
        thread.waiting = waiting;
        write.threads.push(thread);
        space.storage.commit(write).await.expect("commits");
    };
    change(true, false, vec![append("a"), append("b")]).await;
    assert_eq!(waiting(&space).await, ["a", "b"]);
    change(false, false, vec![WaitingChange::DropFirst(1), append("c")]).await;
    assert_eq!(waiting(&space).await, ["b", "c"]);
    // More than there are, then one more.
    change(false, false, vec![WaitingChange::DropFirst(9), append("d")]).await;
    assert_eq!(waiting(&space).await, ["d"]);
    change(true, true, vec![append("e")]).await;
    assert_eq!(waiting(&space).await, ["e"]);
    assert_eq!(space.keys(":t:").await.iter().filter(|key| key.ends_with(":w")).count(), 1);
    change(false, true, Vec::new()).await;
    assert_eq!(space.keys(":t:").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_header_is_read_by_itself() {
    let space = Space::new().await;
    assert_eq!(space.storage.read_header(P0, thread("t")).await, Ok(None));
    let (lease, last) = space.own(P0).await;
    let watched = run();
    let mut write = commit(lease, last + 1);
    write.threads.push(events_of(watched, 1, &["a", "b"], false));
    space.storage.commit(write).await.expect("commits");
    let found = space.storage.read_header(P0, thread("t")).await.expect("reads").expect("is there");
    assert_eq!((&found.header[..], found.last_event), (&b"header"[..], Some((watched, 2))));
}

#[tokio::test]
async fn threads_are_listed_page_by_page_and_nothing_else_is() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    for n in 0..300 {
        let mut one = ThreadWrite::none(thread(&format!("t{n}")));
        one.header = Some(text(format!("header {n}")));
        one.waiting = vec![append("command")];
        write.threads.push(one);
    }
    space.storage.commit(write).await.expect("commits");
    let mut seen = BTreeSet::new();
    let mut from = None;
    loop {
        let page = space.storage.list_threads(P0, from, 20).await.expect("lists");
        assert!(page.threads.len() < 100, "{} at once", page.threads.len());
        for (key, header) in page.threads {
            let n = String::from_utf8_lossy(&header).replace("header ", "");
            assert_eq!(key, thread(&format!("t{n}")));
            seen.insert(key);
        }
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 300);
}
