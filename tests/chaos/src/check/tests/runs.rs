//! Ends, results, answers, recovery.

use super::story::{Story, asks, done, failed, refused};
use super::whole;
use crate::history::{End, Fact, Kind, Reader};
use crate::ledger::Phase;
use crate::program::Op;

/// A program of one task, accepted.
fn accepted() -> Story {
    let ops = vec![Op::Task { id: 1, ms: 0 }];
    Story::default().spawn("worker-1", 11).start(1, "t1", "r1", 1, ops).accepted(2, "r1")
}

/// The same with its result.
fn ended() -> Story {
    accepted().body(3, 11, 1, 1, "r1", 1).read(6, "r1", Reader::Live, 2, &[], done())
}

#[test]
fn accepted_runs_end() {
    ended().keeps("I1-ends");
    accepted().breaks("I1-ends", "nobody saw its end");
    let unread = Some(End::Unread { reason: "events are gone".to_owned() });
    ended().read(9, "r1", Reader::Late, 2, &[], unread).breaks("I1-ends", "events are gone");
}

#[test]
fn runs_end_once_and_as_asked_for() {
    let twice = ended().read(9, "r1", Reader::Late, 2, &[], asks(&[("q", 5)]));
    twice.breaks("I1-ends", "ended twice");
    accepted()
        .read(5, "r1", Reader::Live, 2, &[], failed("Panic"))
        .breaks("I1-ends", "nobody asked");
    accepted()
        .not_accepted(3, "r1")
        .read(5, "r1", Reader::Live, 2, &[], done())
        .breaks("I1-ends", "not accepted");
}

#[test]
fn poison_needs_three_lost_workers() {
    let with = |faults: usize| {
        let story =
            (0..faults).fold(accepted(), |story, _| story.fault(3, 4, "kill-worker", "worker-1"));
        story.read(5, "r1", Reader::Live, 2, &[], failed("TaskPoisoned"))
    };
    with(3).keeps("I1-ends");
    with(2).breaks("I1-ends", "nobody asked for");
    with(0).breaks("I1-ends", "nobody asked for");
}

#[test]
fn what_is_given_up_leaves_a_letter() {
    let with = |runs: &[&str]| {
        let runs = runs.iter().map(|run| (*run).to_owned()).collect();
        let story = accepted().read(5, "r1", Reader::Live, 2, &[], failed("TaskPoisoned"));
        story.say(9, Kind::Ok, Fact::DeadLetters { count: 3, runs })
    };
    with(&["r1"]).keeps("I1-letters");
    with(&[]).breaks("I1-letters", "run r1 gave up a task");
    with(&["r2"]).breaks("I1-letters", "no dead letter");
    let resumed = |letter: &str| {
        let runs = [letter.to_owned()].into();
        let story = accepted()
            .read(5, "r1", Reader::Live, 2, &[], asks(&[("q", 5)]))
            .resume(6, "t1", "r2", 1, &["q"], true)
            .read(7, "r2", Reader::Live, 2, &[], failed("TaskPoisoned"));
        story.say(9, Kind::Ok, Fact::DeadLetters { count: 1, runs })
    };
    resumed("r1").keeps("I1-letters");
    resumed("r3").breaks("I1-letters", "run r2 gave up a task");
}

#[test]
fn threads_rest_with_results() {
    ended().thread("t1", "idle", &[]).keeps("I1-idle");
    ended().thread("t1", "running", &[]).breaks("I1-idle", "is running when all is over");
    let open = accepted().read(5, "r1", Reader::Live, 2, &[], asks(&[("q", 5)]));
    open.thread("t1", "idle", &[]).breaks("I1-idle", "has no result");
    ended().breaks("I1-idle", "is not there");
}

#[test]
fn results_are_those_of_the_programs() {
    ended().keeps("I2-result");
    let other = accepted().read(6, "r1", Reader::Live, 2, &[], Some(End::Done { value: 1 }));
    other.breaks("I2-result", "gave 1 instead of");
    // The second execution was given what somebody else saved.
    let second = ended()
        .start(10, "t1", "r2", 2, vec![Op::Task { id: 1, ms: 0 }])
        .accepted(11, "r2")
        .read(12, "r2", Reader::Live, 2, &[], done());
    second.keeps("I2-result");
    second
        .but(|fact| {
            if let Fact::Read { end, .. } = fact {
                *end = End::Done { value: 7 };
            }
        })
        .breaks("I2-result", "execution 2 gave 7");
}

#[test]
fn every_task_of_a_result_has_run() {
    ended().keeps("I16-least");
    let never = accepted().read(6, "r1", Reader::Live, 2, &[], done());
    never.breaks("I16-least", "step 1 never ran");
    let cut_off = accepted().effect(3, 11, crate::ledger::Phase::Start, 1, 1, "r1", 1);
    cut_off.read(6, "r1", Reader::Live, 2, &[], done()).breaks("I16-least", "step 1 never ran");
}

#[test]
fn the_store_has_the_last_items() {
    whole().keeps("I17-store");
    let changed = |items: &[(u8, u32)]| whole().thread("t1", "idle", items);
    changed(&[]).breaks("I17-store", "holds {}");
    changed(&[(1, 3)]).breaks("I17-store", "not");
}

#[test]
fn questions_are_answered_once() {
    whole().keeps("I6-answers");
    let late = whole().resume(40, "t1", "r3", 1, &["q"], false).accepted(41, "r3");
    late.clone().read(42, "r3", Reader::Live, 1, &[], refused()).keeps("I6-answers");
    late.read(42, "r3", Reader::Live, 1, &[], done()).breaks("I6-answers", "had their answers");
    let again = Story::default()
        .start(1, "t1", "r1", 1, vec![Op::Ask { id: 5 }])
        .accepted(2, "r1")
        .read(3, "r1", Reader::Live, 2, &[], asks(&[("q", 5)]))
        .resume(4, "t1", "r2", 1, &["q"], true)
        .accepted(5, "r2")
        .read(6, "r2", Reader::Live, 2, &[], asks(&[("q", 5)]));
    again.breaks("I6-answers", "asked again");
}

#[test]
fn what_disturbed_is_overcome() {
    let read_at = |at| accepted().healed(10).read(at, "r1", Reader::Live, 2, &[], done());
    read_at(60_000).keeps("I18-heals");
    read_at(60_011).breaks("I18-heals", "60001 ms after");
    ended().exit("worker-1", 11, true).keeps("I18-heals");
    ended().exit("worker-1", 11, false).breaks("I18-heals", "ended by itself");
}

#[test]
fn a_body_that_went_down_with_its_run_starts_again_in_the_next() {
    let begun = |end: Option<End>| {
        accepted()
            .effect(3, 11, Phase::Start, 1, 1, "r1", 1)
            .read(5, "r1", Reader::Live, 2, &[], end)
            .body(7, 11, 1, 1, "r2", 1)
    };
    begun(failed("TaskPoisoned")).keeps("I3-causes");
    begun(asks(&[("q", 5)])).breaks("I3-causes", "for no cause");
    let ended = accepted().body(3, 11, 1, 1, "r1", 1);
    let ended = ended.read(5, "r1", Reader::Live, 2, &[], failed("TaskPoisoned"));
    ended.body(7, 11, 1, 1, "r2", 1).breaks("I3-causes", "for no cause");
}
