//! Bugs that are planted on purpose, to prove that the simulator and its like catch them.
//!
//! They exist only in builds with `--cfg rethread_planted`; everywhere else [`is`] is a constant
//! `false` and nothing of them is left. What each of them breaks is told in the ADR on planted
//! bugs.

/// Whether this bug is planted.
#[cfg(not(rethread_planted))]
#[inline(always)]
pub const fn is(_bug: &str) -> bool {
    false
}

/// The bug that this process has.
#[cfg(rethread_planted)]
static PLANTED: std::sync::OnceLock<String> = std::sync::OnceLock::new();

/// Plants a bug in this process, unless it has one.
#[cfg(rethread_planted)]
pub fn plant(bug: String) {
    PLANTED.get_or_init(|| bug);
}

/// Whether this bug is planted.
#[cfg(rethread_planted)]
pub fn is(bug: &str) -> bool {
    PLANTED.get().is_some_and(|planted| planted == bug)
}
