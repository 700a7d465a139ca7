//! The way of one host to the storage.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rethread_storage::memory::MemoryStorage;
use rethread_storage::{Result, StorageError};

use crate::goals::Goal;
use crate::hand::Hand;
use crate::random::Random;
use crate::weather::Weather;
use crate::witness::Witness;

/// How long a host waits for an answer before it gives the connection up.
const PATIENCE_MS: u64 = 2_000;

/// What a request is, for those who let it go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It changes nothing.
    Read,
    /// It changes something and needs room for that.
    Write,
    /// It changes something, and must not come twice.
    WriteOnce,
    /// It changes something without needing room.
    Touch,
}

/// One host's connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) storage: MemoryStorage,
    pub(crate) witness: Arc<Witness>,
    pub(crate) weather: Arc<Weather>,
    /// The incarnation of the host.
    pub(crate) host: u32,
    cut_until: AtomicU64,
    is_dead: AtomicBool,
    random: Mutex<Random>,
    pub(crate) hand: Hand,
}

/// What becomes of one request.
struct Fate {
    before_ms: u64,
    after_ms: u64,
    is_lost: bool,
    is_reply_lost: bool,
    is_twice: bool,
    hangs: bool,
}

impl Link {
    pub(crate) fn new(
        storage: MemoryStorage,
        witness: Arc<Witness>,
        weather: Arc<Weather>,
        host: u32,
        random: Random,
    ) -> Self {
        Self {
            storage,
            witness,
            weather,
            host,
            cut_until: AtomicU64::new(0),
            is_dead: AtomicBool::new(false),
            random: Mutex::new(random),
            hand: Hand::default(),
        }
    }

    pub(crate) fn cut(&self, until: u64) {
        self.cut_until.store(until, Ordering::Relaxed);
    }

    /// Nothing goes through it any more.
    pub(crate) fn die(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    fn is_cut(&self) -> bool {
        self.witness.now() < self.cut_until.load(Ordering::Relaxed)
    }

    pub(crate) fn chance(&self, permille: u64) -> bool {
        permille > 0 && !self.weather.is_healed() && self.random().permille(permille)
    }

    fn random(&self) -> std::sync::MutexGuard<'_, Random> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fate(&self) -> Fate {
        let rates = &self.weather.rates;
        if self.weather.is_healed() {
            return Fate {
                before_ms: 0,
                after_ms: 0,
                is_lost: false,
                is_reply_lost: false,
                is_twice: false,
                hangs: false,
            };
        }
        let mut random = self.random();
        let mut delay = || {
            let most =
                if random.permille(rates.slow) { rates.slow_ms_max } else { rates.usual_ms_max };
            random.below(most + 1)
        };
        let (before_ms, after_ms) = (delay(), delay());
        Fate {
            before_ms,
            after_ms,
            is_lost: random.permille(rates.request_lost),
            is_reply_lost: random.permille(rates.reply_lost),
            is_twice: random.permille(rates.twice),
            hangs: random.permille(500),
        }
    }

    /// Sends a request.
    pub(crate) async fn send<T, F>(&self, kind: Kind, run: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        if self.is_dead() || !self.witness.requested() {
            return std::future::pending().await;
        }
        let fate = self.fate();
        pause(fate.before_ms).await;
        if self.is_cut() || fate.is_lost {
            if fate.hangs {
                pause(PATIENCE_MS).await;
                return Err(match kind {
                    Kind::Read => unavailable(),
                    _ => self.unknown(),
                });
            }
            return Err(unavailable());
        }
        let now = self.witness.now();
        if self.weather.is_down(now) {
            return Err(unavailable());
        }
        if kind != Kind::Read && kind != Kind::Touch && self.weather.is_full(now) {
            self.witness.reach(Goal::Full);
            return Err(StorageError::Full { reason: "no room in this world".into() });
        }
        let mut result = run().await;
        if fate.is_twice && matches!(kind, Kind::Write | Kind::Touch) && result.is_ok() {
            result = run().await;
        }
        pause(fate.after_ms).await;
        if fate.is_reply_lost || self.is_cut() {
            if fate.hangs {
                pause(PATIENCE_MS).await;
            }
            return Err(match kind {
                Kind::Read => unavailable(),
                _ => self.unknown(),
            });
        }
        result
    }

    fn unknown(&self) -> StorageError {
        self.witness.reach(Goal::UnknownOutcome);
        StorageError::Unknown { reason: "no answer in this world".into() }
    }
}

pub(crate) fn unavailable() -> StorageError {
    StorageError::Unavailable { reason: "not to be reached in this world".into() }
}

pub(crate) async fn pause(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}
