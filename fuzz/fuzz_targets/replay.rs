//! Whatever becomes of a journal, a thread can be loaded: it goes on, or its run fails with a
//! reason.
//!
//! The first bytes choose how far a run comes; the others leave out, repeat, swap and exchange
//! entries of its journal.

#![no_main]
#![allow(dead_code, reason = "the world of the machine's tests can do more than is needed here")]

use libfuzzer_sys::fuzz_target;
use rethread_core::journal::Entry;
use rethread_core::message::AttemptOutcome;
use rethread_core::record::Record;
use support::rng::Rng;
use support::world::World;
use support::{Code, ask, child, emit, payload, sleep, task};

#[path = "../../crates/rethread-core/tests/machine/support/mod.rs"]
mod support;

/// More effects than a load of so short a journal has.
const EFFECTS_MAX: usize = 10_000;

fn code() -> Code {
    let leaf = |_| async {
        emit("in the child");
        task("leaf", 1).await
    };
    let main = |_| async {
        let (first, second) = (task("first", 1), task("second", 2));
        emit("started");
        let first = first.await?;
        sleep(10).await?;
        let answer = ask("go on?").await?;
        child("child", answer).await?;
        second.await?;
        let failed = task("fails", ()).await;
        task("last", failed.is_ok()).await?;
        Ok(first)
    };
    Code::main(main).with("child", leaf)
}

fuzz_target!(|data: &[u8]| {
    let Some((&[seed, steps, answers], edits)) = data.split_first_chunk() else { return };
    let mut world = World::new(code());
    for name in ["first", "second", "leaf", "last"] {
        world.task(name, |_| AttemptOutcome::Completed(payload("done")));
    }
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
    for edit in edits.chunks_exact(4) {
        change(&mut world.store.journal, [edit[0], edit[1], edit[2], edit[3]]);
    }
    world.make_machine();
    let machine = world.machine.as_mut().expect("it was just made");
    let mut effects = 0;
    while machine.poll_effect().is_some() {
        effects += 1;
        assert!(effects < EFFECTS_MAX, "it does not come to an end");
    }
});

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
