//! Cancels, crowds, contests, ends of processes that were asked for.

use super::story::{Story, asks, done, failed, refused};
use crate::history::{Contest, End, Fact, Kind, Reader};
use crate::ledger::Phase;
use crate::program::Op;

fn cancel(story: Story, at: u64, kind: Kind) -> Story {
    let (thread, run) = ("t1".to_owned(), "r1".to_owned());
    story.say(at, kind, Fact::Cancel { thread, run, execution: 1, error: None })
}

fn accepted() -> Story {
    let ops = vec![Op::Task { id: 1, ms: 0 }];
    Story::default().spawn("worker-1", 11).start(1, "t1", "r1", 1, ops).accepted(2, "r1")
}

#[test]
fn nothing_starts_after_a_stop() {
    let stopped = || {
        let asked = cancel(accepted().body(3, 11, 1, 1, "r1", 1), 5, Kind::Invoke);
        cancel(asked, 7, Kind::Ok).read(8, "r1", Reader::Live, 2, &[], Some(End::Cancelled))
    };
    stopped().keeps("I20-stopped");
    stopped().keeps("I1-ends");
    stopped().body(9, 11, 1, 1, "r2", 1).keeps("I20-stopped");
    stopped().body(9, 11, 1, 1, "r2", 1).keeps("I3-causes");
    stopped().body(900, 11, 1, 1, "r1", 2).breaks("I20-stopped", "though its run was stopped");
    stopped().effect(800, 11, Phase::Start, 1, 1, "r1", 2).breaks("I20-stopped", "step 1");
    // Its worker had the order before.
    stopped().body(9, 11, 1, 1, "r1", 2).keeps("I20-stopped");
    let paused = stopped().fault(6, 700, "stop-worker", "worker-1");
    paused.body(900, 11, 1, 1, "r1", 2).keeps("I20-stopped");
    let unasked = accepted().read(8, "r1", Reader::Live, 2, &[], Some(End::Cancelled));
    unasked.breaks("I1-ends", "nobody asked");
}

#[test]
fn a_body_of_a_stopped_run_may_be_late() {
    let two = || {
        let ops = vec![Op::Task { id: 1, ms: 0 }, Op::Task { id: 2, ms: 0 }];
        Story::default()
            .spawn("worker-1", 11)
            .spawn("worker-2", 12)
            .start(1, "t1", "r1", 1, ops)
            .accepted(2, "r1")
    };
    let next = |story: Story| {
        let retried = story.body(8, 11, 1, 1, "r2", 1).seen(10, "r2", 1, 1);
        retried.body(11, 11, 1, 2, "r2", 1)
    };
    let stopped = || next(cancel(cancel(two(), 5, Kind::Invoke), 7, Kind::Ok));
    let late = |story: Story| story.body(13, 12, 1, 1, "r1", 1);
    for id in ["I3-seen", "I3-order", "I3-causes", "I20-stopped"] {
        late(stopped()).keeps(id);
    }
    late(next(two())).breaks("I3-seen", "though its result was seen");
    late(next(two())).breaks("I3-order", "starts though step 2");
    late(next(two())).breaks("I3-causes", "for no cause");
    // Of the run that has the result none starts again.
    let again = || stopped().body(13, 12, 1, 1, "r2", 2);
    again().breaks("I3-seen", "though its result was seen");
    again().breaks("I3-order", "starts though step 2");
    again().breaks("I3-causes", "for no cause");
}

/// A question, and a crowd of two that answers it.
fn crowd(second: Option<End>) -> Story {
    let in_crowd = |story: Story| {
        story.but(|fact| {
            if let Fact::Resume { in_crowd, .. } = fact {
                *in_crowd = true;
            }
        })
    };
    let asked = Story::default()
        .start(1, "t1", "r1", 1, vec![Op::Ask { id: 5 }])
        .accepted(2, "r1")
        .read(3, "r1", Reader::Live, 2, &[], asks(&[("q", 5)]));
    let one = in_crowd(asked.resume(4, "t1", "r2", 1, &["q"], true)).accepted(5, "r2");
    let two = in_crowd(one.resume(4, "t1", "r3", 1, &["q"], true)).accepted(5, "r3");
    two.read(6, "r2", Reader::Live, 2, &[], done()).read(7, "r3", Reader::Live, 2, &[], second)
}

#[test]
fn a_crowd_has_one_effect() {
    for second in [refused(), Some(End::Joined { run: "r2".to_owned() })] {
        let story = crowd(second);
        for id in ["I1-ends", "I1-idle", "I2-result", "I6-answers"] {
            let rests = story.clone().thread("t1", "idle", &[]);
            rests.keeps(id);
        }
    }
    crowd(done()).breaks("I6-answers", "2 answers of execution 1");
    crowd(asks(&[("q", 5)])).breaks_among("I6-answers", "2 answers of execution 1");
}

/// Two programs at the same time; the value of the second, if it has one.
fn contest(contest: Contest, ends: [Option<End>; 2]) -> Story {
    let started = |story: Story, execution: u64| {
        let run = format!("r{execution}");
        let ops = vec![Op::Emit { id: 1 }];
        story
            .start(1, "t1", &run, execution, ops)
            .but(|fact| {
                if let Fact::Start { contest: how, .. } = fact {
                    *how = Some(contest);
                }
            })
            .accepted(2, &run)
    };
    let [one, two] = ends;
    started(started(Story::default(), 1), 2)
        .read(3, "r1", Reader::Live, 2, &[1], one)
        .read(4, "r2", Reader::Live, 2, &[1], two)
        .thread("t1", "idle", &[])
}

#[test]
fn those_of_a_contest_have_an_order() {
    // The value of each is that of an order in which the first comes first.
    for how in [Contest::Reject, Contest::Enqueue, Contest::Interrupt, Contest::Rollback] {
        contest(how, [done(), done()]).keeps("I2-result");
    }
    contest(Contest::Reject, [done(), refused()]).keeps("I2-result");
    contest(Contest::Reject, [done(), refused()]).keeps("I1-ends");
    contest(Contest::Interrupt, [done(), Some(End::Cancelled)]).keeps("I2-result");
    contest(Contest::Interrupt, [done(), Some(End::Cancelled)]).keeps("I1-ends");
    contest(Contest::Enqueue, [done(), refused()]).breaks("I2-result", "have no result");
    contest(Contest::Reject, [refused(), refused()]).breaks("I2-result", "nobody");
    let odd = Some(End::Done { value: 7 });
    contest(Contest::Rollback, [done(), odd]).breaks("I2-result", "fit no order");
}

#[test]
fn nobody_retries_what_was_given_up_in_a_contest() {
    let rests_as = |story: Story, status: &str| {
        story.but(|fact| {
            if let Fact::Thread { status: of, .. } = fact {
                status.clone_into(of);
            }
        })
    };
    let reject = |kind| contest(Contest::Reject, [failed(kind), refused()]);
    reject("TaskPoisoned").keeps("I2-result");
    rests_as(reject("TaskPoisoned"), "failed").keeps("I1-idle");
    reject("Panic").breaks("I2-result", "nobody of a contest");
    rests_as(reject("Panic"), "failed").breaks_among("I1-idle", "thread t1 is failed");
    rests_as(reject("TaskPoisoned"), "running").breaks("I1-idle", "thread t1 is running");
    contest(Contest::Enqueue, [done(), failed("TaskPoisoned")]).keeps("I2-result");
    contest(Contest::Enqueue, [done(), failed("Panic")]).breaks("I2-result", "have no result");
}

#[test]
fn a_process_may_end_that_was_asked_to() {
    let abort = accepted().effect(4, 11, Phase::Abort, 1, 1, "r1", 1).exit("worker-1", 11, false);
    abort.keeps("I18-heals");
    abort.body(9, 12, 1, 1, "r1", 2).keeps("I3-causes");
    accepted().exit("worker-1", 11, false).breaks("I18-heals", "ended by itself");
}
