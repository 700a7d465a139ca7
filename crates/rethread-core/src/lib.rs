//! The decisions of Rethread, with no I/O, no clock and no randomness.

pub mod checkpoint;
pub mod event;
pub mod failure;
pub mod header;
pub mod ids;
pub mod journal;
pub mod message;
pub mod payload;
pub mod policy;
pub mod record;
pub mod replay;
pub mod retry;
pub mod thread;
