//! The cache: its keys, what expires, and what a clear leaves behind.

use std::time::Duration;

use rethread_storage::{CacheKey, CacheLookup, Storage};

use crate::support::{Space, cached, eventually, text};

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(30);

async fn look_up(space: &Space, key: &CacheKey) -> CacheLookup {
    space.storage.look_up_cache(key, "me", LONG).await.expect("looks up")
}

async fn fill(space: &Space, key: &CacheKey, value: &str, ttl: Option<Duration>) {
    space.storage.fill_cache(key, text(value), ttl).await.expect("fills");
}

fn hit(value: &str) -> CacheLookup {
    CacheLookup::Hit(text(value))
}

#[tokio::test]
async fn keys_are_those_of_the_table() {
    let space = Space::new().await;
    let key = cached("task {a}", "k:1");
    assert_eq!(look_up(&space, &key).await, CacheLookup::Vacant);
    let tag = "c.task=20=7ba=7d";
    let prefix = format!("rt:{{{}.{tag}}}:", space.escaped());
    assert_eq!(space.keys_under(tag).await, [format!("{prefix}h:k=3a1")]);
    fill(&space, &key, "expires", Some(LONG)).await;
    let value = format!("{prefix}v:k=3a1");
    assert_eq!(space.keys_under(tag).await, [format!("{prefix}g"), value.clone()]);
    assert!(space.time_left(&value).await > 0);
    fill(&space, &key, "lasts", None).await;
    assert_eq!(space.keys_under(tag).await, [format!("{prefix}g"), format!("{prefix}l")]);
    assert_eq!(space.keys_under("c").await, [format!("rt:{{{}.c}}:groups", space.escaped())]);
}

#[tokio::test]
async fn the_newest_value_stands_whether_it_expires_or_not() {
    let space = Space::new().await;
    let key = cached("g", "e");
    for (value, ttl) in [("1", None), ("2", Some(LONG)), ("3", Some(LONG)), ("4", None)] {
        fill(&space, &key, value, ttl).await;
        assert_eq!(look_up(&space, &key).await, hit(value));
    }
    // One that expired does not show an older one.
    fill(&space, &key, "5", Some(SHORT)).await;
    eventually("the value expires", async || {
        Ok((look_up(&space, &key).await == CacheLookup::Vacant).then_some(()))
    })
    .await;
}

#[tokio::test]
async fn a_duty_ends_with_its_time() {
    let space = Space::new().await;
    let key = cached("g", "e");
    let ask = async |holder: &str, hold| {
        space.storage.look_up_cache(&key, holder, hold).await.expect("looks up")
    };
    assert_eq!(ask("a", LONG).await, CacheLookup::Vacant);
    assert_eq!(ask("b", LONG).await, CacheLookup::Filling);
    assert_eq!(ask("a", SHORT).await, CacheLookup::Vacant);
    eventually("the duty goes to another", async || {
        Ok((ask("b", LONG).await == CacheLookup::Vacant).then_some(()))
    })
    .await;
    // The first can neither take it back nor give it up.
    assert_eq!(ask("a", LONG).await, CacheLookup::Filling);
    space.storage.abandon_cache(&key, "a").await.expect("no effect");
    assert_eq!(ask("a", LONG).await, CacheLookup::Filling);
    space.storage.abandon_cache(&key, "b").await.expect("abandons");
    assert_eq!(ask("a", Duration::ZERO).await, CacheLookup::Vacant);
}

#[tokio::test]
async fn a_clear_leaves_nothing_that_stays_for_ever() {
    let space = Space::new().await;
    for n in 0..200 {
        fill(&space, &cached("g", &format!("lasting {n}")), "v", None).await;
        fill(&space, &cached("g", &format!("expiring {n}")), "v", Some(LONG)).await;
    }
    fill(&space, &cached("other", "e"), "v", None).await;
    assert_eq!(look_up(&space, &cached("g", "being made")).await, CacheLookup::Vacant);
    space.storage.clear_cache(Some("g")).await.expect("clears");
    let mut lasting = Vec::new();
    for key in space.keys_under("c.g").await {
        if space.time_left(&key).await < 0 {
            lasting.push(key);
        }
    }
    assert_eq!(lasting, [format!("rt:{{{}.c.g}}:g", space.escaped())]);
    for entry in ["lasting 7", "expiring 7"] {
        assert_eq!(look_up(&space, &cached("g", entry)).await, CacheLookup::Vacant);
        fill(&space, &cached("g", entry), "new", Some(LONG)).await;
        assert_eq!(look_up(&space, &cached("g", entry)).await, hit("new"));
    }
    fill(&space, &cached("g", "being made"), "made", None).await;
    assert_eq!(look_up(&space, &cached("g", "being made")).await, hit("made"));
    assert_eq!(look_up(&space, &cached("other", "e")).await, hit("v"));
}

#[tokio::test]
async fn a_clear_of_all_finds_every_group() {
    let space = Space::alone().await;
    let keys: Vec<_> = (0..50).map(|n| cached(&format!("task {n}"), "e")).collect();
    for round in 0..2 {
        for (n, key) in keys.iter().enumerate() {
            fill(&space, key, "v", (n % 2 == 0).then_some(LONG)).await;
        }
        space.storage.clear_cache(None).await.expect("clears");
        for key in &keys {
            assert_eq!(look_up(&space, key).await, CacheLookup::Vacant);
            space.storage.abandon_cache(key, "me").await.expect("abandons");
        }
        if round == 0 {
            // Groups are listed anew when the server has lost everything.
            let mut raw = space.raw().await;
            let _: redis::Value =
                redis::cmd("FLUSHALL").query_async(&mut raw).await.expect("flushes");
        }
    }
    space.storage.clear_cache(Some("never heard of")).await.expect("no effect");
    assert!(space.keys_under("c.never=20heard=20of").await.is_empty());
}
