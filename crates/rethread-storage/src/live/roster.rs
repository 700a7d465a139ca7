//! How workers describe themselves, and when each was heard last; for operators.

use std::collections::BTreeMap;

use bytes::Bytes;
use rethread_core::ids::{Millis, WorkerId};

use crate::WorkerStatus;

/// How long a silent worker is remembered.
const REMEMBERED_MS: u64 = 60 * 60 * 1_000;

/// Workers are looked through for silent ones when there are twice as many as were left the last
/// time, and never below this number.
const SWEEP_MIN: usize = 64;

/// The workers of a storage.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roster {
    workers: BTreeMap<WorkerId, Entry>,
    left_by_sweep: usize,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    /// None: it has described itself and sent no heartbeat yet.
    heard: Option<Millis>,
    /// When it last did anything.
    last_sign: Millis,
    description: Bytes,
}

impl Roster {
    pub(crate) fn heartbeat(&mut self, worker: &WorkerId, now: Millis) {
        self.entry(worker, now).heard = Some(now);
    }

    pub(crate) fn describe(&mut self, worker: &WorkerId, description: Bytes, now: Millis) {
        self.entry(worker, now).description = description;
    }

    pub(crate) fn retire(&mut self, worker: &WorkerId) {
        self.workers.remove(worker);
    }

    /// Those that have sent a heartbeat within the last hour.
    pub(crate) fn list(&self, now: Millis) -> Vec<WorkerStatus> {
        let listed = self.workers.iter().filter_map(|(worker, entry)| {
            let silent_for_ms = now.0.saturating_sub(entry.heard?.0);
            (silent_for_ms < REMEMBERED_MS).then(|| WorkerStatus {
                worker: worker.clone(),
                silent_for_ms,
                description: entry.description.clone(),
            })
        });
        listed.collect()
    }

    fn entry(&mut self, worker: &WorkerId, now: Millis) -> &mut Entry {
        if self.workers.len() >= 2 * self.left_by_sweep.max(SWEEP_MIN) {
            self.workers.retain(|_, entry| entry.last_sign.plus(REMEMBERED_MS) > now);
            self.left_by_sweep = self.workers.len();
        }
        let entry = self.workers.entry(worker.clone()).or_default();
        entry.last_sign = now;
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(n: usize) -> WorkerId {
        WorkerId::new(format!("w{n}")).expect("an id")
    }

    #[test]
    fn the_silent_are_not_listed() {
        let mut roster = Roster::default();
        roster.describe(&worker(1), Bytes::from_static(b"card"), Millis(0));
        assert_eq!(roster.list(Millis(0)), [], "it has sent no heartbeat");
        roster.heartbeat(&worker(1), Millis(1));
        let listed = roster.list(Millis(REMEMBERED_MS));
        assert_eq!(listed[0].silent_for_ms, REMEMBERED_MS - 1);
        assert_eq!(listed[0].description, "card");
        assert_eq!(roster.list(Millis(REMEMBERED_MS + 1)), []);
    }

    #[test]
    fn the_silent_do_not_pile_up() {
        let mut roster = Roster::default();
        for n in 0..10_000 {
            roster.heartbeat(&worker(n), Millis(n as u64 * REMEMBERED_MS / 10));
            assert!(roster.workers.len() <= 2 * SWEEP_MIN, "{} after {n}", roster.workers.len());
        }
    }
}
