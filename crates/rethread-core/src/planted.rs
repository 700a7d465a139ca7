//! Bugs that are planted on purpose, to prove that the simulator and its like catch them.
//!
//! They exist only in builds with `--cfg rethread_planted`; everywhere else [`is`] is a constant
//! `false` and nothing of them is left. A process has the one that its environment names in
//! `RETHREAD_PLANTED`. What each of them breaks is told in the ADR on planted bugs.

/// Whether this bug is planted.
#[cfg(not(rethread_planted))]
#[inline(always)]
pub const fn is(_bug: &str) -> bool {
    false
}

/// Whether this bug is planted.
#[cfg(rethread_planted)]
pub fn is(bug: &str) -> bool {
    use std::sync::OnceLock;
    static PLANTED: OnceLock<Option<String>> = OnceLock::new();
    let planted = PLANTED.get_or_init(|| std::env::var("RETHREAD_PLANTED").ok());
    planted.as_deref() == Some(bug)
}
