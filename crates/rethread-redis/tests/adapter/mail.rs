//! Mail of workers, over lost connections.

use std::time::Duration;

use rethread_storage::Storage;
use tokio::time::timeout;

use crate::support::{Space, eventually, text, worker};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_mailbox_ends_with_its_connection_and_is_opened_again() {
    let space = Space::alone().await;
    let worker = worker("w: {*}");
    let mut mailbox = space.storage.open_mailbox(&worker).await.expect("opens");
    space.storage.tell_worker(&worker, vec![text("1")]).await.expect("tells");
    assert_eq!(timeout(LIMIT, mailbox.next()).await.expect("in time"), Some(text("1")));
    space.server.restart();
    assert_eq!(timeout(LIMIT, mailbox.next()).await.expect("in time"), None, "it says so");
    let mut again = eventually("the mailbox is opened", async || {
        space.storage.open_mailbox(&worker).await.map(Some)
    })
    .await;
    // The end of the first must not end the second.
    drop(mailbox);
    for letter in ["2", "3"] {
        space.storage.tell_worker(&worker, vec![text(letter)]).await.expect("tells");
        assert_eq!(timeout(LIMIT, again.next()).await.expect("in time"), Some(text(letter)));
    }
}

#[tokio::test]
async fn no_channel_stays_subscribed() {
    let space = Space::new().await;
    for n in 0..50 {
        let worker = worker(&format!("w{n}"));
        drop(space.storage.open_mailbox(&worker).await.expect("opens"));
    }
    let mut raw = space.raw().await;
    let ours = format!("*{}.w}}:m:*", space.escaped());
    eventually("all subscriptions end", async || {
        let channels: Vec<String> = redis::cmd("PUBSUB")
            .arg("CHANNELS")
            .arg(&ours)
            .query_async(&mut raw)
            .await
            .expect("asks");
        Ok(channels.is_empty().then_some(()))
    })
    .await;
}
