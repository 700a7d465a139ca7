//! Threads that are loaded from damaged journals.

use std::cell::Cell;

use futures::future::join;
use rethread_core::failure::Failure;
use rethread_core::ids::Millis;
use rethread_core::journal::Entry;
use rethread_core::message::{AttemptOutcome, Report, TaskOrder};
use rethread_core::payload::Payload;
use rethread_core::policy::{EntrypointOptions, Retry};
use rethread_core::record::Record;
use rethread_core::replay::Outcome;
use rethread_core::thread::{Effect, ThreadMachine};

use super::rng::Rng;
use super::world::{World, worker};
use super::{Code, ask, child, emit, payload, sleep, task};

/// More effects than so short a journal leads to.
const EFFECTS_MAX: usize = 10_000;

/// How often the thread is gone on with after it was loaded.
const ROUNDS: usize = 20;

thread_local! {
    /// What a body was given that belongs to another call.
    static WRONG: Cell<Option<String>> = const { Cell::new(None) };
}

/// Lets a run come some way, damages its journal, loads it and goes on: the first bytes choose the
/// program and how far it comes, the others leave out, repeat, swap and exchange entries.
///
/// # Panics
/// If the machine does not come to an end, or gives a body an outcome of another call. Changed
/// bytes of an entry may change what it says, so only its place is held against it then.
pub(crate) fn load_damaged(data: &[u8]) {
    let Some((&[seed, steps, answers], edits)) = data.split_first_chunk() else { return };
    let mut world = program(steps / 64);
    let mut rng = Rng::new(seed.into());
    world.start(0);
    world.steps(usize::from(steps % 64), &mut rng);
    if answers % 2 == 1 {
        world.answer("yes");
        world.steps(usize::from(answers / 2), &mut rng);
    }
    world.crash();
    if world.store.header.is_none() {
        return;
    }
    let edits = edits.as_chunks().0;
    for edit in edits {
        change(&mut world.store.journal, *edit);
    }
    WRONG.set(None);
    go_on(&mut world);
    let is_only_moved = edits.iter().all(|[what, ..]| what % 5 != 4);
    if let Some(wrong) = WRONG.take().filter(|_| is_only_moved) {
        panic!("{wrong}");
    }
}

fn program(which: u8) -> World {
    let mut world = match which {
        0 => World::new(plain()),
        1 => World::new(repeating()),
        2 => {
            let outer: &[&[&str]] = &[&["first", "@inner"], &["asks"], &["@inner", "@inner2"]];
            let inner: &[&[&str]] = &[&["second"], &["leaf", "asks"], &["last"]];
            World::new(Code::default().graph("main", outer).graph("inner", inner))
        }
        _ => World::new(asking()),
    };
    for name in ["first", "second", "leaf", "last", "flip"] {
        world.task(name, done);
    }
    world.task("asks", |order| match order.answers.first() {
        Some(_) => done(order),
        None => AttemptOutcome::Asked { index: 0, value: Payload::NULL },
    });
    world.async_task("calls", |_| async {
        let (leaf, child) = join(task("leaf", 2), child("child", 3)).await;
        leaf?;
        child?;
        Ok(payload("calls"))
    });
    world
}

/// Calls one after the other and beside each other.
fn plain() -> Code {
    let leaf = |_| async {
        emit("in the child");
        checked("leaf", task("leaf", 1).await)
    };
    let main = |_| async {
        let (first, second) = (task("first", 1), task("second", 2));
        emit("started");
        let first = checked("first", first.await)?;
        sleep(10).await?;
        let answer = ask("go on?").await?;
        checked("leaf", child("child", answer).await)?;
        checked("second", second.await)?;
        let failed = task("fails", ()).await;
        checked("last", task("last", failed.is_ok()).await)?;
        Ok(first)
    };
    Code::main(main).with("child", leaf)
}

/// Bodies that begin again, and tasks that make calls.
fn repeating() -> Code {
    let again = |_| async {
        let first = task("first", 1);
        checked("calls", task("calls", 1).await)?;
        checked("flip", task("flip", 1).await)?;
        checked("first", first.await)?;
        Err(Failure::new("Flaky", "again"))
    };
    let main = |_| async {
        let (again, calls) = join(child("again", 1), task("calls", 2)).await;
        checked("calls", calls)?;
        checked("last", task("last", again.is_ok()).await)
    };
    let retry = vec![Retry::attempts(3).jitter(false)];
    let retrying = EntrypointOptions { retry, ..EntrypointOptions::default() };
    let code = Code::main(main).with("again", again).options("again", retrying);
    code.with("child", |_| async { checked("leaf", task("leaf", 1).await) })
}

/// Questions of bodies and of tasks.
fn asking() -> Code {
    let asker = |_| async {
        checked("second", task("second", 1).await)?;
        ask("in the child?").await?;
        checked("asks", task("asks", 1).await)
    };
    let main = |_| async {
        let (a, b) = join(ask("one?"), child("child", 1)).await;
        a?;
        checked("asks", b)?;
        ask("two?").await?;
        checked("last", task("last", 1).await)
    };
    Code::main(main).with("child", asker)
}

/// A task gives its name.
fn done(order: &TaskOrder) -> AttemptOutcome {
    AttemptOutcome::Completed(payload(&order.name))
}

fn checked(name: &str, outcome: Outcome) -> Outcome {
    if outcome.as_ref().is_ok_and(|value| *value != payload(name)) {
        WRONG.set(Some(format!("`{name}` was given {outcome:?}")));
    }
    outcome
}

/// Loads the thread, and reports what its tasks give as long as any are ordered.
fn go_on(world: &mut World) {
    let mut orders = std::mem::take(&mut world.store.queue);
    world.make_machine();
    let Some(machine) = &mut world.machine else { return };
    let (mut now, mut effects) = (world.now, 0);
    for _ in 0..ROUNDS {
        while let Some(effect) = machine.poll_effect() {
            effects += 1;
            assert!(effects < EFFECTS_MAX, "it does not come to an end");
            match effect {
                Effect::Dispatch { order, .. } => orders.push(*order),
                Effect::LookAgain => machine.handle_wake(now),
                _ => {}
            }
        }
        // Longer than what a stuck replay waits for others.
        now = now.plus(2_000);
        machine.handle_wake(now);
        if machine.poll_timeout().is_some_and(|due| due <= now) {
            machine.handle_timeout(now);
        }
        for order in orders.drain(..) {
            report(machine, now, &order);
        }
    }
    let waits = !machine.in_flight().is_empty() || machine.poll_timeout().is_some();
    assert!(waits || !machine.is_running(), "it waits for nothing and does not end");
}

fn report(machine: &mut ThreadMachine, now: Millis, order: &TaskOrder) {
    let outcome = match &*order.name {
        "fails" => AttemptOutcome::failed(Failure::new("Broken", "it fails")),
        _ => done(order),
    };
    let target = order.target.clone();
    machine.handle_report(now, Report { target, worker: worker(), outcome });
}

fn change(journal: &mut Vec<Entry>, [what, at, to, byte]: [u8; 4]) {
    let count = journal.len();
    if count == 0 {
        return;
    }
    let (at, to) = (usize::from(at) % count, usize::from(to) % count);
    match what % 5 {
        0 => drop(journal.remove(at)),
        1 => journal.insert(to, journal[at].clone()),
        2 => journal.swap(at, to),
        3 => journal.truncate(at),
        _ => {
            // Behind the envelope, whose checksum would notice it.
            let mut record = rmp_serde::to_vec_named(&journal[at]).expect("it encodes");
            let place = usize::from(byte) % record.len();
            record[place] ^= 1 << (to % 8);
            if let Ok(changed) = rmp_serde::from_slice::<Entry>(&record) {
                assert!(Entry::from_record(&changed.to_record()).is_ok(), "{changed:?}");
                journal[at] = changed;
            }
        }
    }
}
