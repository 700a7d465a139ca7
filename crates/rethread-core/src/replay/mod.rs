//! Replay.

mod mismatch;

pub use mismatch::ReplayMismatch;
