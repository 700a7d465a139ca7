//! Custom events of task bodies that arrive more than once, and bodies that write anew.

use rethread_core::event::{EventKind, RunOutcome};
use rethread_core::failure::Failure;
use rethread_core::ids::{RunId, WorkerId};
use rethread_core::message::{
    AttemptOutcome, Emission, Emitted, InboxMessage, Report, Target, TaskOrder,
};
use rethread_core::policy::{EntrypointOptions, Retry, TaskOptions};
use rethread_core::replay::Outcome;
use rethread_core::thread::Limits;

use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, emit as write, payload, task, task_with, value};

/// A run whose only task has been ordered, and what the order is for.
fn ordered() -> (World, RunId, Target) {
    let mut world = World::new(Code::main(|_| async { task("chatty", ()).await }));
    let run = world.start(());
    world.handle_message();
    let target = world.store.queue[0].target.clone();
    (world, run, target)
}

fn emit(world: &mut World, target: &Target, worker: &str, first: u64, texts: &[&str]) {
    let emitted = Emitted {
        target: target.clone(),
        worker: WorkerId::new(worker).expect("valid"),
        first,
        values: texts.iter().map(payload).map(Emission::Custom).collect(),
    };
    world.store.inbox.push_back(InboxMessage::Emitted(emitted));
    world.handle_message();
}

#[test]
fn what_is_handed_in_again_is_shown_once() {
    let (mut world, run, target) = ordered();
    emit(&mut world, &target, "w", 0, &["a", "b"]);
    emit(&mut world, &target, "w", 0, &["a", "b"]);
    emit(&mut world, &target, "w", 2, &["c"]);
    emit(&mut world, &target, "w", 0, &["a", "b"]);
    emit(&mut world, &target, "w", 2, &["c"]);
    emit(&mut world, &target, "w", 3, &["d"]);
    assert_eq!(world.custom(run), ["a", "b", "c", "d"]);
    world.settle(&mut Rng::new(1), None);
    assert_eq!(world.custom(run), ["a", "b", "c", "d"]);
}

#[test]
fn values_that_were_seen_in_part_are_shown_from_where_they_are_new() {
    let (mut world, run, target) = ordered();
    emit(&mut world, &target, "w", 0, &["a", "b"]);
    emit(&mut world, &target, "w", 1, &["b", "c"]);
    emit(&mut world, &target, "w", 3, &["d"]);
    assert_eq!(world.custom(run), ["a", "b", "c", "d"]);
}

#[test]
fn equal_values_are_told_apart_by_their_numbers() {
    let (mut world, run, target) = ordered();
    for first in 0..3 {
        emit(&mut world, &target, "w", first, &["same"]);
    }
    assert_eq!(world.custom(run), ["same", "same", "same"]);
}

/// What a viewer sees: what was written, and `-N` where the attempt N of a task begins anew, or
/// `=N` where that of the entrypoint does.
fn seen(world: &World, run: RunId) -> Vec<String> {
    let log = world.store.events.get(&run).map(Vec::as_slice).unwrap_or_default();
    let seen = log.iter().filter_map(|event| match &event.kind {
        EventKind::Custom { value: written, .. } => Some(value(written)),
        EventKind::Reset { call: Some(_), attempt } => Some(format!("-{attempt}")),
        EventKind::Reset { call: None, attempt } => Some(format!("={attempt}")),
        _ => None,
    });
    seen.collect()
}

fn report(world: &mut World, target: &Target, outcome: AttemptOutcome) {
    let worker = WorkerId::new("w").expect("valid");
    // What the worker takes off the queue in the same step.
    world.store.queue.retain(|order| order.target.call != target.call);
    let report = Report { target: target.clone(), worker, outcome };
    world.store.inbox.push_back(InboxMessage::Report(report));
    world.handle_message();
}

/// A failure after which the task is tried again.
fn failed() -> AttemptOutcome {
    AttemptOutcome::Failed { failure: Failure::new("Unlucky", "again"), predicates: Vec::new() }
}

fn options() -> TaskOptions {
    let retry = Retry { jitter: false, ..Retry::attempts(5) };
    TaskOptions { retry: vec![retry], ..TaskOptions::default() }
}

/// The same as [`ordered`], with a task that is tried again.
fn retried() -> (World, RunId, Target) {
    let code = Code::main(|_| async { task_with("chatty", (), options()).await });
    let mut world = World::new(code);
    let run = world.start(());
    world.handle_message();
    let target = world.store.queue[0].target.clone();
    (world, run, target)
}

fn order(world: &mut World) -> TaskOrder {
    while world.store.queue.is_empty() {
        assert!(world.pass_time(), "a retry is due");
    }
    world.store.queue[0].clone()
}

#[test]
fn a_later_attempt_of_a_lost_worker_begins_with_a_reset() {
    let (mut world, run, first) = ordered();
    let second = Target { attempt: 2, ..first.clone() };
    emit(&mut world, &first, "w", 0, &["a"]);
    emit(&mut world, &second, "v", 0, &["b"]);
    // The lost worker was only slow.
    emit(&mut world, &first, "w", 1, &["late"]);
    emit(&mut world, &second, "v", 1, &["c"]);
    assert_eq!(seen(&world, run), ["a", "-2", "b", "c"]);
}

#[test]
fn a_failed_attempt_that_has_written_is_reset_when_the_next_is_decided_on() {
    let (mut world, run, first) = retried();
    emit(&mut world, &first, "w", 0, &["a"]);
    report(&mut world, &first, failed());
    assert_eq!(seen(&world, run), ["a", "-2"]);
    let second = order(&mut world).target;
    emit(&mut world, &first, "w", 1, &["late"]);
    emit(&mut world, &second, "w", 0, &["b"]);
    report(&mut world, &second, AttemptOutcome::Completed(payload("done")));
    assert_eq!(seen(&world, run), ["a", "-2", "b"]);
}

#[test]
fn an_attempt_that_wrote_nothing_needs_no_reset() {
    let (mut world, run, first) = retried();
    report(&mut world, &first, failed());
    let second = order(&mut world).target;
    emit(&mut world, &second, "w", 0, &["b"]);
    assert_eq!(seen(&world, run), ["b"]);
}

#[test]
fn a_silent_attempt_after_a_lost_one_that_wrote_takes_back_what_stands() {
    let (mut world, run, first) = ordered();
    emit(&mut world, &first, "w", 0, &["half a"]);
    let second = Target { attempt: 2, ..first };
    report(&mut world, &second, AttemptOutcome::Completed(payload("done")));
    assert_eq!(seen(&world, run), ["half a", "-2"]);
    let log = &world.store.events[&run];
    let place = |wanted: fn(&EventKind) -> bool| log.iter().position(|it| wanted(&it.kind));
    let reset = place(|kind| matches!(kind, EventKind::Reset { .. }));
    let updated = place(|kind| matches!(kind, EventKind::Updated { .. }));
    assert!(reset < updated, "the result comes last");
}

#[test]
fn a_lost_order_whose_body_had_written_is_reset() {
    let (mut world, run, first) = ordered();
    emit(&mut world, &first, "w", 0, &["a"]);
    world.lose_order(0);
    assert_eq!(world.find_lost(), 1);
    assert_eq!(seen(&world, run), ["a", "-2"]);
}

#[test]
fn a_task_that_asks_writes_anew_once_it_is_answered() {
    let (mut world, run, first) = ordered();
    let mut second = first.clone();
    emit(&mut world, &first, "w", 0, &["a"]);
    report(&mut world, &first, AttemptOutcome::Suspended);
    second.attempt = order(&mut world).target.attempt;
    emit(&mut world, &second, "w", 0, &["a", "b"]);
    let again = format!("-{}", second.attempt);
    assert_eq!(seen(&world, run), ["a", &again, "a", "b"], "none of it is taken for a repetition");
}

#[test]
fn after_a_load_an_attempt_that_begins_to_write_resets_and_one_that_goes_on_does_not() {
    let (mut world, run, first) = ordered();
    emit(&mut world, &first, "w", 0, &["a"]);
    world.crash();
    emit(&mut world, &first, "w", 1, &["b"]);
    assert_eq!(seen(&world, run), ["a", "b"]);
    world.crash();
    emit(&mut world, &Target { attempt: 2, ..first.clone() }, "v", 0, &["c"]);
    emit(&mut world, &first, "w", 2, &["late"]);
    assert_eq!(seen(&world, run), ["a", "b", "-2", "c"]);
}

#[test]
fn after_a_load_a_failed_attempt_is_reset_whatever_it_wrote() {
    let (mut world, run, first) = retried();
    world.crash();
    report(&mut world, &first, failed());
    let second = order(&mut world).target;
    emit(&mut world, &second, "w", 0, &["b"]);
    assert_eq!(seen(&world, run), ["-2", "b"], "what the first has written is not known");
}

#[test]
fn a_body_that_is_tried_again_takes_back_what_it_and_its_tasks_wrote() {
    let body = |_| async {
        write("from the body");
        let done: Outcome = task("chatty", ()).await;
        done?;
        Err(Failure::new("Unlucky", "again"))
    };
    let retry = Retry { jitter: false, ..Retry::attempts(2) };
    let options = EntrypointOptions { retry: vec![retry], ..EntrypointOptions::default() };
    let mut world = World::new(Code::main(body).options("main", options));
    let run = world.start(());
    world.handle_message();
    let first = world.store.queue[0].target.clone();
    emit(&mut world, &first, "w", 0, &["from the task"]);
    report(&mut world, &first, AttemptOutcome::Completed(payload("done")));
    order(&mut world);
    let all = ["from the body", "from the task", "=2", "from the body"];
    assert_eq!(seen(&world, run), all);
}

#[test]
fn an_attempt_goes_on_after_a_reload() {
    let (mut world, run, target) = ordered();
    emit(&mut world, &target, "w", 0, &["a", "b"]);
    world.crash();
    emit(&mut world, &target, "w", 2, &["c"]);
    emit(&mut world, &target, "w", 2, &["c"]);
    assert_eq!(world.custom(run), ["a", "b", "c"]);
}

#[test]
fn a_task_that_writes_too_much_ends_the_run_while_it_runs() {
    let too_many: Vec<_> = std::iter::repeat_n("x", 20).collect();
    let too_large = "x".repeat(200);
    for (texts, setting) in
        [(too_many, "events_max"), (vec![too_large.as_str()], "payload_bytes_max")]
    {
        let code = Code::main(|_| async { task("chatty", ()).await });
        let mut world = World::new(code);
        world.limits = Limits { events_max: 10, payload_bytes_max: 150, ..Limits::default() };
        let run = world.start(());
        world.handle_message();
        let target = world.store.queue[0].target.clone();
        emit(&mut world, &target, "w", 0, &texts);
        let RunOutcome::Failed(failure) = world.outcome(run) else { panic!("{setting}") };
        assert!(failure.message.contains(setting), "{failure}");
    }
}
