//! Running bodies so that a replay takes the path of the first time.
//!
//! Three rules make ordinary combinators (`join!`, `select!`, `FuturesUnordered`) replay-safe:
//!
//! 1. *Recorded order*: outcomes are delivered one at a time, in the order of the journal, and
//!    every body is polled to rest between two of them.
//! 2. *Readiness gate*: in one poll of a body at most one awaited outcome turns ready, the
//!    earliest delivered first ([`Scope::open_earliest`]).
//! 3. *Content identity*: a call is known by what it asks, not by a running number
//!    ([`crate::ids::CallId`]).
//!
//! One hole is left: two branches of an unbiased `select!` that begin with the same call of
//! equal input may change places. `biased;` or an explicit key closes it.

mod body;
mod in_place;
mod mismatch;
mod program;
mod scope;

pub use body::{Body, OnWake, Rest, Woken, panic_failure};
pub use in_place::{NotInPlace, in_place};
pub use mismatch::ReplayMismatch;
pub(crate) use program::start_caught;
pub use program::{BodyFuture, BodyOutput, InlineFuture, Program, Provided};
pub use scope::{Ask, CallRequest, Outcome, OutsideRun, Scope, ScopeInfo, SlotIndex};
