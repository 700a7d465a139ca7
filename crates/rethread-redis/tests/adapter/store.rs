//! The store: its keys, its pages, and what has expired.

use std::time::{Duration, SystemTime};

use rethread_core::ids::Millis;
use rethread_storage::{ItemName, ItemRecord, Storage, StorageError};

use crate::support::{Space, cached, eventually, item, item_name, text};

/// Some time from now by the clock of this machine, which is the server's too.
fn in_ms(ms: u64) -> Millis {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    Millis(now.as_millis() as u64 + ms)
}

fn expiring(record: &str, expires_at: Millis) -> ItemRecord {
    ItemRecord { record: text(record), expires_at: Some(expires_at) }
}

async fn put(space: &Space, name: &ItemName, record: ItemRecord) {
    space.storage.put_item(name, record).await.expect("puts");
}

async fn scan(
    space: &Space,
    prefix: &[&str],
    after: Option<&ItemName>,
    max: usize,
) -> Vec<(ItemName, ItemRecord)> {
    let prefix: Vec<_> = prefix.iter().map(|label| (*label).to_owned()).collect();
    space.storage.scan_items(&prefix, after, max).await.expect("scans")
}

/// How many names, records and times of expiry are stored.
async fn sizes(space: &Space) -> [u64; 3] {
    let mut raw = space.raw().await;
    let mut sizes = [0; 3];
    let parts = [("ZCARD", "n"), ("HLEN", "r"), ("ZCARD", "x")];
    for (size, (command, part)) in sizes.iter_mut().zip(parts) {
        let key = format!("rt:{{{}.s}}:{part}", space.escaped());
        *size = redis::cmd(command).arg(key).query_async(&mut raw).await.expect("asks");
    }
    sizes
}

#[tokio::test]
async fn an_item_leaves_nothing_behind() {
    let space = Space::new().await;
    let name = item_name(&["users", "ada"], "profile");
    put(&space, &name, item("1")).await;
    assert_eq!(sizes(&space).await, [1, 1, 0]);
    let later = in_ms(600_000);
    put(&space, &name, expiring("2", later)).await;
    assert_eq!(sizes(&space).await, [1, 1, 1]);
    let found = space.storage.read_item(&name).await.expect("reads");
    assert_eq!(found, Some(expiring("2", later)));
    put(&space, &name, item("3")).await;
    assert_eq!(sizes(&space).await, [1, 1, 0]);
    space.storage.touch_item(&name, Millis(u64::MAX)).await.expect("touches");
    let found = space.storage.read_item(&name).await.expect("reads");
    assert_eq!(found, Some(expiring("3", Millis(u64::MAX))));
    space.storage.delete_item(&name).await.expect("deletes");
    assert!(space.keys_under("s").await.is_empty());
}

#[tokio::test]
async fn what_has_expired_is_not_seen_and_is_removed() {
    let space = Space::new().await;
    let stays = item_name(&["stays"], "k");
    put(&space, &stays, item("v")).await;
    // The first of its namespace, and all of another, go.
    for labels in [&["a"][..], &["b"], &["b", "c"]] {
        for n in 0..10 {
            put(&space, &item_name(labels, format!("{n}")), expiring("v", in_ms(600_000))).await;
        }
    }
    let alive = item_name(&["a"], "z");
    put(&space, &alive, expiring("v", in_ms(600_000))).await;
    for labels in [&["a"][..], &["b"], &["b", "c"]] {
        for n in 0..10 {
            let name = item_name(labels, format!("{n}"));
            space.storage.touch_item(&name, Millis(1)).await.expect("touches");
            assert_eq!(space.storage.read_item(&name).await.expect("reads"), None);
            // It does not come back.
            space.storage.touch_item(&name, in_ms(600_000)).await.expect("no effect");
            assert_eq!(space.storage.read_item(&name).await.expect("reads"), None);
        }
    }
    assert_eq!(sizes(&space).await, [32, 32, 31]);
    let found = space.storage.item_namespaces(&[]).await.expect("lists");
    assert_eq!(found, [alive.namespace.clone(), stays.namespace.clone()]);
    assert_eq!(sizes(&space).await, [2, 2, 1], "the listing came upon them");
    let names: Vec<_> = scan(&space, &[], None, 99).await.into_iter().map(|it| it.0).collect();
    assert_eq!(names, [alive, stays.clone()]);

    for n in 0..20 {
        let past = item_name(&["past"], format!("{n}"));
        put(&space, &past, expiring("v", Millis(1))).await;
        assert_eq!(sizes(&space).await, [2, 2, 1], "a put removes more than it adds");
    }
    let soon = item_name(&["soon"], "k");
    put(&space, &soon, expiring("v", in_ms(30))).await;
    eventually("it expires by the clock of the server", async || {
        Ok(space.storage.read_item(&soon).await?.is_none().then_some(()))
    })
    .await;
    assert!(scan(&space, &["soon"], None, 9).await.is_empty());
    assert_eq!(sizes(&space).await, [2, 2, 1]);
}

#[tokio::test]
async fn scans_go_on_over_pages_of_what_has_expired() {
    let space = Space::new().await;
    let mut raw = space.raw().await;
    let names = format!("rt:{{{}.s}}:n", space.escaped());
    let mut last = Vec::new();
    // Only the last of each 1,500 has not expired.
    for block in 0..3 {
        let name = item_name(&["n"], format!("{block}z"));
        put(&space, &name, item("v")).await;
        let mut add = redis::pipe();
        for n in 0..1500 {
            let member = item_name(&["n"], format!("{block}{n:04}")).to_sortable();
            add.zadd(&names, &member, 0).ignore();
            add.zadd(names.replace("}:n", "}:x"), &member, 1).ignore();
            add.hset(names.replace("}:n", "}:r"), &member, "v").ignore();
        }
        let () = add.query_async(&mut raw).await.expect("adds");
        last.push(name);
    }
    let found: Vec<_> = scan(&space, &["n"], None, 3).await.into_iter().map(|it| it.0).collect();
    assert_eq!(found, last);
    assert!(sizes(&space).await[0] < 4503 - 1000, "what was found is removed");
    let found = scan(&space, &["n"], Some(&last[1]), 9).await;
    assert_eq!(found, [(last[2].clone(), item("v"))]);
    assert!(scan(&space, &["n"], Some(&last[2]), 9).await.is_empty());
}

#[tokio::test]
async fn a_scan_of_large_records_comes_in_several_answers() {
    let space = Space::new().await;
    let large = "x".repeat(3 << 20);
    let names: Vec<_> = (0..7).map(|n| item_name(&["large"], format!("{n}"))).collect();
    for name in &names {
        put(&space, name, item(&large)).await;
    }
    let mut found: Vec<ItemName> = Vec::new();
    let mut answers = 0;
    loop {
        let page = scan(&space, &[], found.last(), 1000).await;
        if page.is_empty() {
            break;
        }
        assert!(page.len() < names.len());
        answers += 1;
        found.extend(page.into_iter().map(|it| it.0));
    }
    assert_eq!(found, names);
    assert_eq!(answers, 3);
}

#[tokio::test]
async fn more_namespaces_than_one_script_looks_at_are_listed() {
    let space = Space::new().await;
    let mut names = Vec::new();
    for n in 0..700 {
        names.push(item_name(&["a", &format!("{n:04}")], "k"));
        names.push(item_name(&["a", &format!("{n:04}"), "below"], ""));
    }
    names.push(item_name(&["a\0", "x"], "\0"));
    names.push(item_name(&["ab"], "k"));
    let puts = names.iter().map(|name| space.storage.put_item(name, item("v")));
    for put in puts {
        put.await.expect("puts");
    }
    put(&space, &item_name(&["a", "0007"], "another"), item("v")).await;
    let namespaces = |names: &[ItemName]| -> Vec<_> {
        names.iter().map(|name| name.namespace.clone()).collect()
    };
    let found = space.storage.item_namespaces(&[]).await.expect("lists");
    assert!(found == namespaces(&names));
    let under = space.storage.item_namespaces(&["a".to_owned()]).await.expect("lists");
    assert!(under == namespaces(&names[..1400]));
    let none = space.storage.item_namespaces(&["a".to_owned(), String::new()]).await;
    assert!(none.expect("lists").is_empty(), "no label is empty");
    let all: Vec<_> =
        scan(&space, &["a", "0699"], None, 9).await.into_iter().map(|it| it.0).collect();
    assert_eq!(all, names[1398..1400]);
}

#[tokio::test]
async fn a_full_server_still_reads_and_removes() {
    let space = Space::alone().await;
    let name = item_name(&["n"], "k");
    put(&space, &name, item("v")).await;
    let key = cached("g", "e");
    space.storage.fill_cache(&key, text("v"), None).await.expect("fills");
    let mut raw = space.raw().await;
    let limit: redis::Value = redis::cmd("CONFIG")
        .arg(&["SET", "maxmemory", "1"])
        .query_async(&mut raw)
        .await
        .expect("sets");
    assert_eq!(limit, redis::Value::Okay);
    let full = space.storage.put_item(&name, item("w")).await.expect_err("there is no room");
    assert!(matches!(full, StorageError::Full { .. }), "{full}");
    let full = space.storage.fill_cache(&key, text("w"), None).await.expect_err("no room");
    assert!(matches!(full, StorageError::Full { .. }), "{full}");
    assert_eq!(scan(&space, &[], None, 9).await, [(name.clone(), item("v"))]);
    let look_up = space.storage.look_up_cache(&key, "me", Duration::from_secs(9)).await;
    assert_eq!(look_up, Ok(rethread_storage::CacheLookup::Hit(text("v"))));
    space.storage.clear_cache(None).await.expect("clears");
    space.storage.delete_item(&name).await.expect("deletes");
    assert_eq!(space.storage.read_item(&name).await, Ok(None));
}
