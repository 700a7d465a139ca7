//! Bodies, attempts, order, cache.

use super::story::Story;
use crate::history::{Fact, Kind};
use crate::ledger::Phase;
use crate::program::Op;

fn program(ops: Vec<Op>) -> Story {
    Story::default()
        .spawn("worker-1", 11)
        .spawn("worker-2", 12)
        .start(1, "t1", "r1", 1, ops)
        .accepted(2, "r1")
}

fn one_task() -> Story {
    program(vec![Op::Task { id: 1, ms: 0 }])
}

#[test]
fn no_body_starts_after_its_result_was_seen() {
    let once = one_task().body(3, 11, 1, 1, "r1", 1).seen(5, "r1", 1, 1);
    once.keeps("I3-seen");
    once.clone().body(6, 12, 1, 1, "r1", 2).breaks("I3-seen", "though its result was seen");
    // That its worker was killed is no excuse.
    let killed = once.fault(3, 4, "kill-worker", "worker-1");
    killed.body(600, 12, 1, 1, "r1", 2).breaks("I3-seen", "though its result was seen");
}

#[test]
fn a_body_may_start_whose_worker_slept_meanwhile() {
    let slept = |from, worker: &str, starts_at| {
        let once = one_task().body(3, 11, 1, 1, "r1", 1).seen(5, "r1", 1, 1);
        once.fault(from, 700, "stop-worker", worker).body(starts_at, 12, 1, 1, "r1", 2)
    };
    slept(2, "worker-2", 710).keeps("I3-seen");
    // It was awake for long enough to ask again.
    slept(2, "worker-2", 1_300).breaks("I3-seen", "though its result was seen");
    // It fell asleep when the result was there; another slept.
    slept(6, "worker-2", 710).breaks("I3-seen", "though its result was seen");
    slept(2, "worker-1", 710).breaks("I3-seen", "though its result was seen");
}

#[test]
fn no_body_starts_after_what_waits_for_it() {
    let two = || program(vec![Op::Task { id: 1, ms: 0 }, Op::Task { id: 2, ms: 0 }]);
    let good = two().body(3, 11, 1, 1, "r1", 1).body(6, 11, 1, 2, "r1", 1);
    good.keeps("I3-order");
    good.body(9, 12, 1, 1, "r1", 2)
        .breaks("I3-order", "step 1 of execution 1 starts though step 2");
    // Within a task and over a step without a body, too.
    let inner = vec![Op::Task { id: 2, ms: 0 }, Op::Sleep { ms: 1 }, Op::Task { id: 3, ms: 0 }];
    let nested = program(vec![Op::Nested { id: 1, ops: inner }])
        .body(3, 11, 1, 1, "r1", 1)
        .body(4, 11, 1, 2, "r1", 1)
        .body(7, 11, 1, 3, "r1", 1);
    nested.clone().body(8, 12, 1, 1, "r1", 2).keeps("I3-order");
    nested
        .body(9, 12, 1, 2, "r1", 2)
        .breaks("I3-order", "step 2 of execution 1 starts though step 3");
}

#[test]
fn steps_at_the_same_time_have_no_order() {
    let ops = vec![Op::Task { id: 1, ms: 0 }, Op::Task { id: 2, ms: 0 }];
    let story = program(vec![Op::Parallel { ops }, Op::Task { id: 3, ms: 0 }])
        .body(3, 11, 1, 2, "r1", 1)
        .body(5, 11, 1, 1, "r1", 1)
        .body(7, 11, 1, 3, "r1", 1);
    story.keeps("I3-order");
    story
        .body(8, 11, 1, 2, "r1", 2)
        .breaks("I3-order", "step 2 of execution 1 starts though step 3");
}

#[test]
fn attempts_are_numbered_once() {
    let story = one_task().body(3, 11, 1, 1, "r1", 1);
    story.clone().body(5, 12, 1, 1, "r1", 2).keeps("I3-attempts");
    // A further run counts anew.
    story.clone().body(5, 12, 1, 1, "r2", 1).keeps("I3-attempts");
    story.clone().body(5, 12, 1, 1, "r1", 1).breaks("I3-attempts", "attempt 1 of step 1");
    let twice = story.body(5, 12, 1, 1, "r1", 2).body(7, 11, 1, 1, "r1", 2);
    twice.breaks("I3-attempts", "attempt 2 of step 1");
}

#[test]
fn an_attempt_may_be_forgotten_with_its_order_by_another_owner() {
    let again = |story: Story| story.body(9_000, 12, 1, 1, "r1", 1);
    let started = || one_task().effect(3, 11, Phase::Start, 1, 1, "r1", 1);
    let taken_over = |story: Story, at| {
        let (holder, token) = (Some("n2".to_owned()), Some("2:b".to_owned()));
        let fact = Fact::Lease { partition: 3, holder, token, epoch: 2, commit: 9 };
        story.say(at, Kind::Info, fact)
    };
    let lost = || started().fault(500, 510, "lose-order", "redis");
    again(taken_over(lost(), 8_000)).keeps("I3-attempts");
    again(lost()).breaks("I3-attempts", "attempt 1 of step 1");
    again(taken_over(lost(), 400)).breaks("I3-attempts", "attempt 1 of step 1");
    again(taken_over(started(), 8_000)).breaks("I3-attempts", "attempt 1 of step 1");
}

#[test]
fn a_process_id_may_come_again() {
    let later = |story: Story, at| {
        story.say(at, Kind::Info, Fact::Spawn { name: "worker-5".to_owned(), pid: 11 })
    };
    let again = |story: Story| story.body(2_000, 12, 1, 1, "r1", 2);
    let started = || one_task().effect(100, 11, Phase::Start, 1, 1, "r1", 1);
    let killed = || started().fault(104, 105, "kill-worker", "worker-1");
    again(later(killed(), 50_000)).keeps("I3-causes");
    again(later(killed(), 50)).breaks("I3-causes", "for no cause");
}

#[test]
fn a_lost_worker_is_a_cause() {
    let again = |story: Story| story.body(2_000, 12, 1, 1, "r1", 2);
    let started = || one_task().effect(3, 11, Phase::Start, 1, 1, "r1", 1);
    again(started().fault(4, 5, "kill-worker", "worker-1")).keeps("I3-causes");
    again(started().fault(4, 5, "kill-redis", "redis")).keeps("I3-causes");
    again(started()).breaks("I3-causes", "for no cause");
    again(started().fault(4, 5, "kill-worker", "worker-2")).breaks("I3-causes", "for no cause");
    again(started().fault(4, 5, "kill-coordinator", "coordinator-1"))
        .breaks("I3-causes", "for no cause");
    // It lets its bodies end.
    again(started().fault(4, 5, "term-worker", "worker-1")).breaks("I3-causes", "for no cause");
}

#[test]
fn a_failure_and_an_answer_are_causes() {
    let flaky = program(vec![Op::Flaky { id: 1, fails: 1 }])
        .effect(3, 11, Phase::Start, 1, 1, "r1", 1)
        .effect(4, 11, Phase::Fail, 1, 1, "r1", 1);
    flaky.body(5, 12, 1, 1, "r1", 2).keeps("I3-causes");
    let asking = program(vec![Op::Nested { id: 1, ops: vec![Op::Ask { id: 5 }] }]).effect(
        3,
        11,
        Phase::Start,
        1,
        1,
        "r1",
        1,
    );
    let again = |story: Story| story.body(9, 12, 1, 1, "r1", 2);
    again(asking.clone().resume(6, "t1", "r2", 1, &["q"], true)).keeps("I3-causes");
    again(asking).breaks("I3-causes", "for no cause");
    one_task().body(3, 11, 1, 9, "r1", 1).breaks("I3-causes", "is no task of a program");
}

#[test]
fn a_cached_key_has_one_body() {
    let two = || {
        let ops = vec![Op::Cached { id: 1, key: 7 }, Op::Cached { id: 2, key: 8 }];
        let other = vec![Op::Cached { id: 1, key: 7 }];
        program(ops).start(1, "t2", "r2", 2, other).body(3, 11, 1, 1, "r1", 1)
    };
    two().body(5, 11, 1, 2, "r1", 1).keeps("I11-cached");
    two().body(5, 12, 2, 1, "r2", 1).breaks("I11-cached", "key 7 runs again");
    let killed = two().fault(4, 5, "kill-worker", "worker-1");
    killed.body(9, 12, 2, 1, "r2", 1).keeps("I11-cached");
    let elsewhere = two().fault(4, 5, "kill-coordinator", "coordinator-1");
    elsewhere.body(9, 12, 2, 1, "r2", 1).breaks("I11-cached", "key 7 runs again");
}
