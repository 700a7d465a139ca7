//! Waiting for what another task writes, within one process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{PartitionId, QueueName, RunId, WorkerId};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, timeout_at};

use crate::{EventWatch, Mailbox, Result};

/// Waits longer than this are cut; nobody waits that long.
const WAIT_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// What a watcher of a run waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Awaited {
    /// Its next event.
    Event,
    /// Its end.
    End,
}

type RunKey = (PartitionId, RunId, Awaited);

type Mailboxes = HashMap<WorkerId, Slot>;

/// The way into an open mailbox.
#[derive(Debug)]
struct Slot {
    sender: mpsc::Sender<Bytes>,
    queues: Vec<QueueName>,
}

/// Wakes readers of inboxes, workers that wait for orders, and watchers of event logs; passes on
/// the mail of workers.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    inboxes: Notify,
    queues: Notify,
    runs: Arc<Mutex<HashMap<RunKey, watch::Sender<u64>>>>,
    mailboxes: Arc<Mutex<Mailboxes>>,
}

impl Wakes {
    pub(crate) fn inboxes_changed(&self) {
        self.inboxes.notify_waiters();
    }

    pub(crate) fn queues_changed(&self) {
        self.queues.notify_waiters();
    }

    /// Wakes the watchers of a run that has new events, and those of its end if it has ended.
    pub(crate) fn run_changed(&self, partition: PartitionId, run: RunId, has_ended: bool) {
        let runs = lock(&self.runs);
        let wake = |awaited| {
            if let Some(sender) = runs.get(&(partition, run, awaited)) {
                sender.send_modify(|count| *count += 1);
            }
        };
        wake(Awaited::Event);
        if has_ended {
            wake(Awaited::End);
        }
    }

    /// Repeats `attempt` after each change of an inbox until it gives something or time is up.
    pub(crate) async fn wait_for_inboxes<T>(
        &self,
        wait: Duration,
        attempt: impl FnMut() -> Result<Vec<T>> + Send,
    ) -> Result<Vec<T>> {
        wait_for(&self.inboxes, wait, attempt).await
    }

    /// Repeats `attempt` after each change of a queue until it gives something or time is up.
    pub(crate) async fn wait_for_queues<T>(
        &self,
        wait: Duration,
        attempt: impl FnMut() -> Result<Vec<T>> + Send,
    ) -> Result<Vec<T>> {
        wait_for(&self.queues, wait, attempt).await
    }

    pub(crate) fn watch_run(
        &self,
        partition: PartitionId,
        run: RunId,
        awaited: Awaited,
    ) -> EventWatch {
        let key = (partition, run, awaited);
        let changes = lock(&self.runs).entry(key).or_default().subscribe();
        let guard = Watching { key, runs: Arc::clone(&self.runs) };
        EventWatch::new(changes, Some(Box::new(guard)))
    }

    pub(crate) fn tell_worker(&self, worker: &WorkerId, mail: &[Bytes]) {
        if let Some(slot) = lock(&self.mailboxes).get(worker) {
            slot.put(mail);
        }
    }

    pub(crate) fn tell_queue(&self, queue: &QueueName, mail: &[Bytes]) {
        let mailboxes = lock(&self.mailboxes);
        for slot in mailboxes.values().filter(|slot| slot.queues.contains(queue)) {
            slot.put(mail);
        }
    }

    pub(crate) fn open_mailbox(&self, worker: &WorkerId, queues: &[QueueName]) -> Mailbox {
        let (sender, mail) = Mailbox::channel();
        let slot = Slot { sender, queues: queues.to_vec() };
        lock(&self.mailboxes).insert(worker.clone(), slot);
        let guard = Receiving { worker: worker.clone(), mailboxes: Arc::clone(&self.mailboxes) };
        Mailbox::new(mail, Some(Box::new(guard)))
    }
}

impl Slot {
    fn put(&self, mail: &[Bytes]) {
        for letter in mail {
            // Lost if the mailbox is full or was just closed.
            let _ = self.sender.try_send(letter.clone());
        }
    }
}

/// Drops the entry of a mailbox with it.
struct Receiving {
    worker: WorkerId,
    mailboxes: Arc<Mutex<Mailboxes>>,
}

impl Drop for Receiving {
    fn drop(&mut self) {
        let mut mailboxes = lock(&self.mailboxes);
        // The mailbox drops its receiver before this guard. Another one may have been opened.
        if mailboxes.get(&self.worker).is_some_and(|slot| slot.sender.is_closed()) {
            mailboxes.remove(&self.worker);
        }
    }
}

/// Drops the entry of a run with its last watcher.
struct Watching {
    key: RunKey,
    runs: Arc<Mutex<HashMap<RunKey, watch::Sender<u64>>>>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut runs = lock(&self.runs);
        // The watch drops its receiver before this guard, so it is not counted any more.
        if runs.get(&self.key).is_some_and(|sender| sender.receiver_count() == 0) {
            runs.remove(&self.key);
        }
    }
}

async fn wait_for<T>(
    changed: &Notify,
    wait: Duration,
    mut attempt: impl FnMut() -> Result<Vec<T>> + Send,
) -> Result<Vec<T>> {
    let deadline = Instant::now() + wait.min(WAIT_MAX);
    loop {
        let mut notified = std::pin::pin!(changed.notified());
        // Registered before the attempt, so that a change right behind it is not missed.
        notified.as_mut().enable();
        let found = attempt()?;
        if !found.is_empty() || timeout_at(deadline, notified).await.is_err() {
            return Ok(found);
        }
    }
}

/// Locks state that no code panics over.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("invariant: nothing panics while it holds the lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_watcher_takes_the_entry_with_it() {
        let wakes = Wakes::default();
        let run: RunId = "00000000-0000-0000-0000-000000000001".parse().expect("a UUID");
        let first = wakes.watch_run(PartitionId(0), run, Awaited::End);
        let second = wakes.watch_run(PartitionId(0), run, Awaited::End);
        drop(first);
        assert_eq!(lock(&wakes.runs).len(), 1);
        drop(second);
        assert!(lock(&wakes.runs).is_empty());
    }

    #[test]
    fn a_mailbox_takes_its_entry_with_it_and_no_other() {
        let wakes = Wakes::default();
        let worker = WorkerId::new("w").expect("valid");
        let first = wakes.open_mailbox(&worker, &[]);
        let second = wakes.open_mailbox(&worker, &[]);
        drop(first);
        assert_eq!(lock(&wakes.mailboxes).len(), 1);
        drop(second);
        assert!(lock(&wakes.mailboxes).is_empty());
    }
}
