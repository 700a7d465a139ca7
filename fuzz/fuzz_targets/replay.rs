//! Whatever becomes of a journal, a thread can be loaded: it goes on, or its run is parked or fails
//! with a reason, and no body is given what belongs to another call.

#![no_main]
#![allow(dead_code, reason = "the world of the machine's tests can do more than is needed here")]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/rethread-core/tests/machine/support/mod.rs"]
mod support;

fuzz_target!(|data: &[u8]| support::damage::load_damaged(data));
