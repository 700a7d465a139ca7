//! Leases, records, keys, bounds.

use std::collections::BTreeMap;

use super::story::Story;
use crate::history::{Fact, Kind};

fn lease(story: Story, at: u64, epoch: u64, token: &str, holder: &str, commit: u64) -> Story {
    let (token, holder) = (Some(token.to_owned()), Some(holder.to_owned()));
    story.say(at, Kind::Info, Fact::Lease { partition: 3, holder, token, epoch, commit })
}

#[test]
fn epochs_grow_with_one_token_each() {
    let first = || lease(Story::default(), 1, 1, "1:a", "n1", 5);
    let good = lease(lease(first(), 2, 1, "1:a", "n1", 9), 3, 2, "2:b", "n2", 9);
    good.keeps("I4-tokens");
    lease(first(), 2, 1, "1:b", "n2", 5).breaks("I4-tokens", "two tokens");
    let second = || lease(first(), 2, 2, "2:b", "n2", 6);
    lease(second(), 3, 1, "1:a", "n1", 6).breaks("I4-tokens", "fell to 1");
    lease(second(), 3, 3, "3:c", "n1", 4).breaks("I4-tokens", "commits");
    // With the lease its epoch is gone.
    let dropped = second().fault(3, 3, "drop-leases", "redis");
    lease(dropped, 4, 1, "1:d", "n1", 0).keeps("I4-tokens");
    // A look may find them while they are being deleted.
    let while_dropped = |from, until| {
        lease(lease(first(), 10, 2, "2:b", "n2", 6), 14, 1, "1:d", "n1", 0).fault(
            from,
            until,
            "drop-leases",
            "redis",
        )
    };
    while_dropped(9, 13).keeps("I4-tokens");
    while_dropped(13, 20).keeps("I4-tokens");
    while_dropped(3, 9).breaks("I4-tokens", "fell to 1");
    while_dropped(15, 20).breaks("I4-tokens", "fell to 1");
}

#[test]
fn records_can_be_read() {
    let records = |count, unreadable: &[&str]| {
        let unreadable = unreadable.iter().map(|text| (*text).to_owned()).collect();
        Story::default().say(1, Kind::Ok, Fact::Records { count, unreadable })
    };
    records(7, &[]).keeps("I13-records");
    records(7, &["t:1 h: damaged"]).breaks("I13-records", "damaged");
    records(0, &[]).breaks("I13-records", "no record");
}

#[test]
fn nothing_is_left_of_what_is_deleted() {
    let left = |keys: &[&str]| {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Story::default().say(1, Kind::Ok, Fact::Left { keys })
    };
    left(&[]).keeps("I10-left");
    left(&["t:1"]).breaks("I10-left", "t:1");
    left(&["t:1", "e:2"]).breaks("I10-left", "2 keys");
}

#[test]
fn what_is_used_has_bounds() {
    let sample = |inboxes, redis_bytes, kb| {
        let rss_kb = BTreeMap::from([("worker-1".to_owned(), kb)]);
        Story::default().say(
            1,
            Kind::Info,
            Fact::Sample { inboxes, queues: 0, redis_bytes, rss_kb },
        )
    };
    sample(100, 1 << 20, 50_000).keeps("I12-bounded");
    sample(100, 1 << 20, 500_000).breaks("I12-bounded", "worker-1 uses");
    sample(200_000, 1 << 20, 50_000).breaks("I12-bounded", "entries");
    sample(100, 3 << 30, 50_000).breaks("I12-bounded", "bytes");
}

#[test]
fn panics_are_told() {
    let logged = |panics| {
        let name = "coordinator-1".to_owned();
        Story::default().say(1, Kind::Info, Fact::Logged { name, panics, rollbacks: 0, corrupt: 0 })
    };
    logged(0).keeps("I18-heals");
    logged(2).breaks("I18-heals", "panicked 2 times");
}
