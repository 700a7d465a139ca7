//! Custom events of task bodies that arrive more than once.

use rethread_core::ids::{RunId, WorkerId};
use rethread_core::message::{Emission, Emitted, InboxMessage, Target};

use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, payload, task};

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

#[test]
fn attempts_and_workers_count_for_themselves() {
    let (mut world, run, target) = ordered();
    emit(&mut world, &target, "w", 0, &["a"]);
    emit(&mut world, &Target { attempt: 2, ..target.clone() }, "w", 0, &["b"]);
    emit(&mut world, &target, "v", 0, &["c"]);
    emit(&mut world, &target, "w", 1, &["d"]);
    assert_eq!(world.custom(run), ["a", "b", "c", "d"]);
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
