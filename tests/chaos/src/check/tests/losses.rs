//! Kills of the server that cost acknowledged writes.

use super::story::{Story, done};
use crate::history::{End, Fact, Kind, Reader};
use crate::program::Op;

/// A program of one task that started its body shortly before the server was killed.
fn killed() -> Story {
    let ops = vec![Op::Task { id: 1, ms: 0 }];
    Story::default()
        .spawn("worker-1", 11)
        .spawn("worker-2", 12)
        .start(9_000, "t1", "r1", 1, ops)
        .accepted(9_001, "r1")
        .body(9_002, 11, 1, 1, "r1", 1)
        .fault(10_000, 10_500, "kill-redis", "redis")
}

fn fallen(story: Story, since: u64, at: u64) -> Story {
    let fact = Fact::Fallen {
        partition: 3,
        since: since * 1_000_000,
        had: 200,
        commit: 199,
        has_same_token: true,
    };
    story.say(at, Kind::Info, fact)
}

fn told(story: Story, at: u64, expected: u64, found: u64) -> Story {
    let name = "coordinator-1".to_owned();
    story.say(at, Kind::Info, Fact::RolledBack { name, partition: 3, expected, found })
}

/// What was lost, and that its owner said so.
fn lost() -> Story {
    told(fallen(killed(), 9_990, 10_510), 10_700, 200, 199)
}

#[test]
fn what_a_kill_may_cost_may_come_again() {
    let again = |story: Story| story.body(10_800, 12, 1, 1, "r1", 1);
    again(lost()).keeps("I3-attempts");
    again(told(killed(), 10_700, 200, 199)).keeps("I3-attempts");
    again(fallen(killed(), 9_990, 10_510)).keeps("I3-attempts");
    again(killed()).breaks("I3-attempts", "attempt 1 of step 1");
    // Somebody came back to a partition whose lease had been deleted.
    let deleted = || killed().fault(1, 2, "drop-leases", "redis");
    again(told(deleted(), 10_700, 2_000, 199)).breaks("I3-attempts", "attempt 1 of step 1");
    again(fallen(deleted(), 9_990, 10_510)).keeps("I3-attempts");
}

#[test]
fn what_was_told_long_before_a_kill_stays() {
    let early = |at| {
        let ops = vec![Op::Task { id: 1, ms: 0 }];
        let story = Story::default().spawn("worker-1", 11).start(1, "t1", "r1", 1, ops);
        let story = story.accepted(2, "r1").body(at, 11, 1, 1, "r1", 1);
        let killed = story.fault(10_000, 10_500, "kill-redis", "redis");
        told(fallen(killed, 9_990, 10_510), 10_700, 200, 199).body(10_800, 11, 1, 1, "r1", 1)
    };
    early(7_100).keeps("I3-attempts");
    early(6_900).breaks("I3-attempts", "attempt 1 of step 1");
}

#[test]
fn what_follows_a_loss_on_its_thread_is_set_back_too() {
    let one = || vec![Op::Task { id: 1, ms: 0 }];
    let with = |story: Story, thread: &str| {
        let lost = story.read(9_500, "r1", Reader::Live, 2, &[], done());
        let next = lost.start(20_000, thread, "r2", 2, one()).accepted(20_001, "r2");
        let odd = Some(End::Done { value: 7 });
        next.read(20_010, "r2", Reader::Live, 2, &[], odd)
    };
    with(lost(), "t1").keeps("I2-result");
    with(lost(), "t2").breaks("I2-result", "execution 2 gave 7");
    with(killed(), "t1").breaks("I2-result", "execution 2 gave 7");
}

#[test]
fn a_thread_may_be_lost_that_was_begun_just_then() {
    lost().keeps("I1-idle");
    lost().keeps("I1-ends");
    killed().breaks_among("I1-idle", "thread t1 is not there");
    killed().breaks("I1-ends", "nobody saw its end");
}

#[test]
fn commits_fall_for_a_cause() {
    lost().keeps("I4-tokens");
    fallen(Story::default(), 5, 60).breaks("I4-tokens", "fell from 200 to 199");
    // They were stored too long before.
    fallen(killed(), 6_900, 10_510).breaks("I4-tokens", "fell from 200 to 199");
    let deleted = Story::default().fault(10, 20, "drop-leases", "redis");
    fallen(deleted, 5, 60).keeps("I4-tokens");
}

#[test]
fn a_loss_is_told_and_nothing_else_is() {
    lost().keeps("I15-silent");
    fallen(killed(), 9_990, 10_510).breaks("I15-silent", "its owner did not say so");
    // The owner may have ended before it found out.
    let ended = fallen(killed(), 9_990, 10_510);
    ended.fault(10_600, 10_700, "kill-coordinator", "coordinator-1").keeps("I15-silent");
    told(Story::default(), 5, 200, 199).breaks("I15-silent", "though nothing was lost");
    told(killed(), 60_000, 200, 199).breaks("I15-silent", "though nothing was lost");
    let deleted = Story::default().fault(1, 2, "drop-leases", "redis");
    told(deleted, 60_000, 200, 7).keeps("I15-silent");
}
