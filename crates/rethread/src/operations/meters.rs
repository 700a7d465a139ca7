use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rethread_storage::{CacheLookup, StorageError};

/// Upper bounds of the buckets of a latency, in microseconds.
pub(super) const BOUNDS_US: [u64; 12] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// Why an operation failed, as a label says it.
pub(super) const ERROR_KINDS: [&str; 11] = [
    "fenced",
    "rolled_back",
    "unavailable",
    "unknown",
    "full",
    "overloaded",
    "too_long",
    "locked",
    "corrupt",
    "config",
    "other",
];

/// What a cache lookup came to, as a label says it.
pub(super) const LOOKUPS: [&str; 3] = ["hit", "miss", "wait"];

/// Declares the operations of the storage that are measured.
macro_rules! operations {
    ($($operation:ident $name:literal,)+) => {
        /// An operation of the storage.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Operation {
            $($operation,)+
        }

        impl Operation {
            const ALL: [Self; [$($name),+].len()] = [$(Self::$operation),+];

            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$operation => $name,)+
                }
            }
        }
    };
}

operations! {
    CheckHealth "check_health",
    Acquire "acquire",
    Renew "renew",
    Release "release",
    AnnounceNode "announce_node",
    WithdrawNode "withdraw_node",
    Submit "submit",
    ReadInboxes "read_inboxes",
    Commit "commit",
    LoadThread "load_thread",
    ActiveThreads "active_threads",
    ReadCheckpoint "read_checkpoint",
    ListCheckpoints "list_checkpoints",
    ReadHeader "read_header",
    ListThreads "list_threads",
    ReadEvents "read_events",
    LastEvents "last_events",
    WatchEvents "watch_events",
    WatchEnd "watch_end",
    Fetch "fetch",
    HandIn "hand_in",
    Heartbeat "heartbeat",
    Reclaim "reclaim",
    Confirm "confirm",
    Retire "retire",
    QueuedOrders "queued_orders",
    DescribeWorker "describe_worker",
    ListWorkers "list_workers",
    PartitionStatus "partition_status",
    ListOrders "list_orders",
    ListDeadLetters "list_dead_letters",
    RemoveDeadLetter "remove_dead_letter",
    TellWorker "tell_worker",
    OpenMailbox "open_mailbox",
    TellQueue "tell_queue",
    LookUpCache "look_up_cache",
    FillCache "fill_cache",
    AbandonCache "abandon_cache",
    ClearCache "clear_cache",
    PutItem "put_item",
    ReadItem "read_item",
    DeleteItem "delete_item",
    TouchItem "touch_item",
    ScanItems "scan_items",
    ItemNamespaces "item_namespaces",
}

impl Operation {
    /// Whether it waits for something to be there, so that its time says nothing of the storage.
    pub(super) fn waits(self) -> bool {
        matches!(self, Self::ReadInboxes | Self::Fetch)
    }
}

/// Counts and times what is asked of the storage, by all handles of a process together.
#[derive(Debug)]
pub(crate) struct Meters {
    began: Instant,
    operations: Vec<Meter>,
    lookups: [AtomicU64; LOOKUPS.len()],
}

/// Of one operation.
#[derive(Debug, Default)]
pub(super) struct Meter {
    succeeded: AtomicU64,
    failed: [AtomicU64; ERROR_KINDS.len()],
    /// How many took at most as long as each bound, and longer than the one before.
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    micros: AtomicU64,
    /// When it last succeeded, in milliseconds since the beginning, plus one; zero: never.
    last: AtomicU64,
}

impl Default for Meters {
    fn default() -> Self {
        let operations = Operation::ALL.iter().map(|_| Meter::default()).collect();
        Self { began: Instant::now(), operations, lookups: Default::default() }
    }
}

impl Meters {
    pub(super) fn all(&self) -> impl Iterator<Item = (Operation, &Meter)> {
        Operation::ALL.into_iter().zip(&self.operations)
    }

    pub(super) fn ended(&self, operation: Operation, took: Duration, error: Option<&StorageError>) {
        let meter = &self.operations[operation as usize];
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS_US.iter().position(|bound| micros <= *bound);
        meter.buckets[place.unwrap_or(BOUNDS_US.len())].fetch_add(1, Ordering::Relaxed);
        meter.micros.fetch_add(micros, Ordering::Relaxed);
        match error {
            None => {
                meter.succeeded.fetch_add(1, Ordering::Relaxed);
                let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
                meter.last.store(now.saturating_add(1), Ordering::Relaxed);
            }
            Some(error) => {
                meter.failed[kind(error)].fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn looked_up(&self, lookup: &CacheLookup) {
        let place = match lookup {
            CacheLookup::Hit(_) => 0,
            CacheLookup::Vacant => 1,
            CacheLookup::Filling => 2,
        };
        self.lookups[place].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lookups(&self) -> impl Iterator<Item = (&'static str, u64)> {
        LOOKUPS.into_iter().zip(self.lookups.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// Time since an operation last succeeded; none if it never did.
    pub(super) fn age(&self, operation: Operation) -> Option<Duration> {
        let last = self.operations[operation as usize].last.load(Ordering::Relaxed);
        let at = Duration::from_millis(last.checked_sub(1)?);
        Some(self.began.elapsed().saturating_sub(at))
    }
}

impl Meter {
    pub(super) fn succeeded(&self) -> u64 {
        self.succeeded.load(Ordering::Relaxed)
    }

    /// Failures by kind, those that happened.
    pub(super) fn failed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.failed.iter().map(|count| count.load(Ordering::Relaxed));
        ERROR_KINDS.into_iter().zip(counts).filter(|(_, count)| *count > 0)
    }

    /// How many took at most as long as each bound, then all of them.
    pub(super) fn cumulative(&self) -> Vec<u64> {
        let mut sum = 0;
        let mut add = |count: &AtomicU64| {
            sum += count.load(Ordering::Relaxed);
            sum
        };
        self.buckets.iter().map(&mut add).collect()
    }

    pub(super) fn seconds(&self) -> f64 {
        Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64()
    }
}

/// The place of its kind among [`ERROR_KINDS`].
fn kind(error: &StorageError) -> usize {
    match error {
        StorageError::Fenced { .. } => 0,
        StorageError::RolledBack { .. } => 1,
        StorageError::Unavailable { .. } => 2,
        StorageError::Unknown { .. } => 3,
        StorageError::Full { .. } => 4,
        StorageError::Overloaded { .. } => 5,
        StorageError::TooLong { .. } => 6,
        StorageError::Locked { .. } => 7,
        StorageError::Corrupt { .. } => 8,
        StorageError::Config { .. } => 9,
        _ => ERROR_KINDS.len() - 1,
    }
}
