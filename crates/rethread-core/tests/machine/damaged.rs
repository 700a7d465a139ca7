//! Whatever becomes of a journal, its thread can be loaded: it goes on, or its run is parked or
//! fails with a reason. No body is given what belongs to another call.

use crate::support::damage::load_damaged;
use crate::support::rng::Rng;

/// What fuzzing found.
const FOUND: [&[u8]; 1] = [
    // The first entry stands a second time further behind.
    &[0x23, 0x25, 0x0b, 0x0b, 0xa5, 0x49, 0x0b, 0x25],
];

#[test]
fn what_fuzzing_found_is_loaded() {
    for data in FOUND {
        load_damaged(data);
    }
}

#[test]
fn threads_with_randomly_damaged_journals_are_loaded() {
    let mut rng = Rng::new(1);
    for _ in 0..3_000 {
        let edits = 1 + rng.below(4);
        let data: Vec<u8> = (0..3 + 4 * edits).map(|_| rng.next() as u8).collect();
        let loaded = std::panic::catch_unwind(|| load_damaged(&data));
        assert!(loaded.is_ok(), "with {data:?}");
    }
}
