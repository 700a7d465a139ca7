//! Event logs and their wake-ups.

use std::time::Duration;

use rethread_storage::Storage;
use tokio::time::timeout;

use crate::support::{P0, Space, commit, events_of, eventually, run};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_watch_wakes_for_what_is_written_after_it_was_made() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let watched = run();
    let mut watches = Vec::new();
    for _ in 0..3 {
        watches.push(space.storage.watch_events(P0, watched).await.expect("watches"));
    }
    for number in 1..=3 {
        let mut write = commit(lease, last + number);
        write.threads.push(events_of(watched, number, &["e"], false));
        space.storage.commit(write).await.expect("commits");
        for watch in &mut watches {
            assert!(timeout(LIMIT, watch.changed()).await.expect("wakes"));
        }
    }
    // The others go on when one leaves, and one that comes back is subscribed again.
    watches.truncate(1);
    let mut write = commit(lease, last + 4);
    write.threads.push(events_of(watched, 4, &["e"], false));
    space.storage.commit(write).await.expect("commits");
    assert!(timeout(LIMIT, watches[0].changed()).await.expect("wakes"));
    drop(watches);
    let mut again = space.storage.watch_events(P0, watched).await.expect("watches");
    let mut write = commit(lease, last + 5);
    write.threads.push(events_of(watched, 5, &["e"], true));
    space.storage.commit(write).await.expect("commits");
    assert!(timeout(LIMIT, again.changed()).await.expect("wakes"));
}

#[tokio::test]
async fn many_watches_come_and_go() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let runs: Vec<_> = (0..500).map(|_| run()).collect();
    for _ in 0..3 {
        let waits = runs.iter().map(|run| space.storage.watch_events(P0, *run));
        let mut watches = Vec::new();
        for watch in waits {
            watches.push(watch.await.expect("watches"));
        }
    }
    let mut watch = space.storage.watch_events(P0, runs[7]).await.expect("watches");
    let mut write = commit(lease, last + 1);
    write.threads.push(events_of(runs[7], 1, &["e"], false));
    space.storage.commit(write).await.expect("commits");
    assert!(timeout(LIMIT, watch.changed()).await.expect("wakes"));
    drop(watch);
    // Nothing stays subscribed.
    eventually("all subscriptions end", async || {
        Ok(space.channels("p00").await.is_empty().then_some(()))
    })
    .await;
}

#[tokio::test]
async fn watchers_are_woken_after_the_server_came_back() {
    let space = Space::alone().await;
    let (lease, last) = space.own(P0).await;
    let watched = run();
    let mut watch = space.storage.watch_events(P0, watched).await.expect("watches");
    space.server.restart();
    let mut write = commit(lease, last + 1);
    write.threads.push(events_of(watched, 1, &["e"], false));
    eventually("the event is written", async || {
        space.storage.commit(write.clone()).await.map(Some)
    })
    .await;
    // It may have been published while nobody was subscribed.
    let reading = async {
        while space.storage.read_events(P0, watched, 0, 9).await.expect("reads").is_empty() {
            assert!(watch.changed().await);
        }
        // Each later event wakes as well, once the subscription stands again.
        eventually("it is subscribed again", async || {
            Ok((!space.channels("p00").await.is_empty()).then_some(()))
        })
        .await;
        let mut write = commit(lease, last + 2);
        write.threads.push(events_of(watched, 2, &["f"], false));
        space.storage.commit(write).await.expect("commits");
        assert!(watch.changed().await);
    };
    timeout(LIMIT, reading).await.expect("wakes");
}

#[tokio::test]
async fn the_log_of_an_ended_run_expires() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let (open, ended) = (run(), run());
    let mut write = commit(lease, last + 1);
    let mut thread = events_of(open, 5, &["e"], false);
    thread.events.extend(events_of(ended, 1, &["e", "f"], true).events);
    write.threads.push(thread);
    space.storage.commit(write).await.expect("commits");
    let mut raw = space.raw().await;
    for (run, expires) in [(open, false), (ended, true)] {
        let name = run.as_uuid().simple().to_string();
        for key in space.keys(&name).await {
            let left: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut raw).await.expect("asks");
            assert_eq!(left > 0, expires, "{key} has {left}");
        }
    }
    // A log may begin later than with event 1.
    assert_eq!(space.storage.read_events(P0, open, 0, 9).await.expect("reads"), ["e"]);
    assert_eq!(space.storage.read_events(P0, open, 4, 9).await.expect("reads"), ["e"]);
    assert!(space.storage.read_events(P0, open, 5, 9).await.expect("reads").is_empty());
    assert_eq!(space.storage.read_events(P0, ended, 0, 1).await.expect("reads"), ["e"]);
}
