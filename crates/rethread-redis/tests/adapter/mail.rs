//! Mail of workers, over lost connections.

use std::time::Duration;

use rethread_core::ids::QueueName;
use rethread_storage::{Mailbox, Storage};
use tokio::time::timeout;

use crate::support::{Space, eventually, queues, text, worker};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_mailbox_ends_with_its_connection_and_is_opened_again() {
    let space = Space::alone().await;
    let worker = worker("w: {*}");
    let mut mailbox = space.storage.open_mailbox(&worker, &queues()).await.expect("opens");
    space.storage.tell_worker(&worker, vec![text("1")]).await.expect("tells");
    assert_eq!(timeout(LIMIT, mailbox.next()).await.expect("in time"), Some(text("1")));
    space.server.restart();
    assert_eq!(timeout(LIMIT, mailbox.next()).await.expect("in time"), None, "it says so");
    let mut again = eventually("the mailbox is opened", async || {
        space.storage.open_mailbox(&worker, &queues()).await.map(Some)
    })
    .await;
    // The end of the first must not end the second.
    drop(mailbox);
    for letter in ["2", "3"] {
        space.storage.tell_worker(&worker, vec![text(letter)]).await.expect("tells");
        assert_eq!(timeout(LIMIT, again.next()).await.expect("in time"), Some(text(letter)));
    }
    space.storage.tell_queue(&queues()[0], vec![text("4")]).await.expect("tells");
    assert_eq!(timeout(LIMIT, again.next()).await.expect("in time"), Some(text("4")));
}

#[tokio::test]
async fn no_channel_stays_subscribed() {
    let space = Space::new().await;
    for n in 0..50 {
        let worker = worker(&format!("w{n}"));
        drop(space.storage.open_mailbox(&worker, &queues()).await.expect("opens"));
    }
    eventually("all subscriptions end", async || {
        Ok(space.channels("w").await.is_empty().then_some(()))
    })
    .await;
}

/// The next letters; they must come.
async fn next(mailbox: &mut Mailbox, count: usize) -> Vec<bytes::Bytes> {
    let mut letters = Vec::new();
    for _ in 0..count {
        let letter = timeout(LIMIT, mailbox.next()).await.expect("in time");
        letters.push(letter.expect("the mailbox stands"));
    }
    letters
}

#[tokio::test]
async fn workers_of_one_process_each_get_the_mail_of_their_queue() {
    let space = Space::new().await;
    let storage = &space.storage;
    let [a, b] = ["a", "b"].map(|name| QueueName::new(name).expect("a name"));
    // Named twice, a queue brings its mail once.
    let both = [a.clone(), b.clone(), a.clone()];
    let mut first = storage.open_mailbox(&worker("1"), &both).await.expect("opens");
    let mut second = storage.open_mailbox(&worker("2"), &both[1..2]).await.expect("opens");
    let gone = storage.open_mailbox(&worker("3"), &both).await.expect("opens");
    drop(gone);
    for (queue, letter) in [(&a, "for a"), (&b, "for b")] {
        storage.tell_queue(queue, vec![text(letter)]).await.expect("tells");
    }
    for name in ["1", "2"] {
        storage.tell_worker(&worker(name), vec![text(name)]).await.expect("tells");
    }
    assert_eq!(next(&mut first, 3).await, ["for a", "for b", "1"]);
    assert_eq!(next(&mut second, 2).await, ["for b", "2"]);
    // One that leaves takes nothing from those that stay.
    drop(first);
    storage.tell_queue(&b, vec![text("more")]).await.expect("tells");
    assert_eq!(next(&mut second, 1).await, ["more"]);
}
