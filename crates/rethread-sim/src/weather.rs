//! The conditions of a world: what the network and the storage do to requests.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Chances are per thousand requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rates {
    pub(crate) request_lost: u64,
    pub(crate) reply_lost: u64,
    pub(crate) twice: u64,
    pub(crate) slow: u64,
    pub(crate) slow_ms_max: u64,
    pub(crate) usual_ms_max: u64,
    pub(crate) mail_lost: u64,
    pub(crate) wake_lost: u64,
}

/// What holds for all hosts.
#[derive(Debug)]
pub(crate) struct Weather {
    pub(crate) rates: Rates,
    is_healed: AtomicBool,
    down_until: AtomicU64,
    full_until: AtomicU64,
}

impl Weather {
    pub(crate) fn new(rates: Rates) -> Self {
        Self {
            rates,
            is_healed: AtomicBool::new(false),
            down_until: AtomicU64::new(0),
            full_until: AtomicU64::new(0),
        }
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        self.is_healed.store(true, Ordering::Relaxed);
        self.down_until.store(0, Ordering::Relaxed);
        self.full_until.store(0, Ordering::Relaxed);
    }

    pub(crate) fn is_healed(&self) -> bool {
        self.is_healed.load(Ordering::Relaxed)
    }

    pub(crate) fn take_down(&self, until: u64) {
        self.down_until.store(until, Ordering::Relaxed);
    }

    pub(crate) fn is_down(&self, now: u64) -> bool {
        now < self.down_until.load(Ordering::Relaxed)
    }

    pub(crate) fn fill(&self, until: u64) {
        self.full_until.store(until, Ordering::Relaxed);
    }

    pub(crate) fn is_full(&self, now: u64) -> bool {
        now < self.full_until.load(Ordering::Relaxed)
    }
}
