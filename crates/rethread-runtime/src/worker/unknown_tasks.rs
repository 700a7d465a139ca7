//! Telling of orders whose task is not registered here: they come back every second until a
//! worker that has the task gets them, and must not fill the log.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rethread_core::ids::{QueueName, ThreadId};
use tokio::time::Instant;

/// Shortest time between two lines about one name.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// Names that are told of within that time. The names come from orders, so anything may come.
const NAMES_MAX: usize = 1_000;

/// Tells of the first order with a name that is not registered, then of one every 30 seconds.
#[derive(Debug, Default)]
pub(super) struct UnknownTasks(Mutex<BTreeMap<String, Told>>);

#[derive(Debug)]
struct Told {
    at: Instant,
    untold: u64,
}

impl UnknownTasks {
    /// An order was handed back, since its task is not registered here.
    pub(super) fn found(&self, task: &str, thread: &ThreadId, queue: &QueueName) {
        if let Some(untold) = self.tell(task, Instant::now()) {
            tracing::warn!(
                task,
                thread_id = %thread,
                %queue,
                untold,
                "no task of this name is registered with this worker: register it here, or give \
                 it a queue of its own that only workers with it serve; the order is tried again \
                 until a worker has the task"
            );
        }
    }

    /// Whether to tell of a name: then how often it was found and not told since the last time.
    fn tell(&self, task: &str, now: Instant) -> Option<u64> {
        let mut names = self.lock();
        if let Some(told) = names.get_mut(task) {
            if now.duration_since(told.at) < TELL_EVERY {
                told.untold += 1;
                return None;
            }
            told.at = now;
            return Some(std::mem::take(&mut told.untold));
        }
        if names.len() >= NAMES_MAX {
            names.retain(|_, told| now.duration_since(told.at) < TELL_EVERY);
        }
        if names.len() >= NAMES_MAX {
            return None;
        }
        names.insert(task.to_owned(), Told { at: now, untold: 0 });
        Some(0)
    }

    // What it guards is right whatever panicked.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_of_each_name_now_and_then() {
        let unknown = UnknownTasks::default();
        let start = Instant::now();
        assert_eq!(unknown.tell("a", start), Some(0));
        assert_eq!(unknown.tell("a", start + TELL_EVERY / 3), None);
        assert_eq!(unknown.tell("b", start + TELL_EVERY / 3), Some(0));
        assert_eq!(unknown.tell("a", start + TELL_EVERY / 2), None);
        assert_eq!(unknown.tell("a", start + TELL_EVERY), Some(2));
        assert_eq!(unknown.tell("a", start + TELL_EVERY), None);
    }

    #[test]
    fn remembers_a_bounded_number_of_names() {
        let unknown = UnknownTasks::default();
        let start = Instant::now();
        for number in 0..NAMES_MAX {
            assert_eq!(unknown.tell(&number.to_string(), start), Some(0));
        }
        assert_eq!(unknown.tell("one too many", start), None);
        assert_eq!(unknown.tell("one too many", start + TELL_EVERY), Some(0));
        assert_eq!(unknown.lock().len(), 1);
    }
}
