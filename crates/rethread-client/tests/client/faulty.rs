//! A storage whose requests and reads fail as a test says.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use rethread_client::{Client, Event};
use rethread_core::ids::{OpId, PartitionId, RunId};
use rethread_core::record::Record;
use rethread_storage::testing::{Tamper, Tampered};
use rethread_storage::{EventWatch, ItemName, ItemRecord, Result, Storage, StorageError};
use tokio::sync::watch;

/// What happens to one submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    NotDone,
    AnswerLost,
    Full,
}

#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn Storage>,
    submits: Mutex<VecDeque<Fault>>,
    failing_reads: AtomicUsize,
    /// Number of a hidden event, and for how many reads it is.
    hidden: Mutex<(u64, usize)>,
    is_mute: AtomicBool,
    is_broken: AtomicBool,
    mute: watch::Sender<u64>,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn Storage>) -> Self {
        Self {
            inner,
            submits: Mutex::default(),
            failing_reads: AtomicUsize::new(0),
            hidden: Mutex::default(),
            is_mute: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
            mute: watch::Sender::new(0),
        }
    }

    pub(crate) fn client(self: &Arc<Self>) -> Client {
        Client::from_storage(Arc::new(Tampered::from(Arc::clone(self))))
    }

    /// The next submissions meet these faults, those after them none.
    pub(crate) fn submits(&self, faults: impl IntoIterator<Item = Fault>) {
        *self.submits.lock().expect("lock") = faults.into_iter().collect();
    }

    pub(crate) fn submits_left(&self) -> usize {
        self.submits.lock().expect("lock").len()
    }

    fn read_fault(&self) -> Result<()> {
        let failing = self.failing_reads.load(Ordering::SeqCst);
        if failing > 0 {
            self.failing_reads.store(failing - 1, Ordering::SeqCst);
            return Err(away());
        }
        Ok(())
    }

    /// The next reads of events and items fail.
    pub(crate) fn fail_reads(&self, count: usize) {
        self.failing_reads.store(count, Ordering::SeqCst);
    }

    /// An event is not seen by the next reads that would give it.
    pub(crate) fn hide(&self, seq: u64, reads: usize) {
        *self.hidden.lock().expect("lock") = (seq, reads);
    }

    /// Watches never wake.
    pub(crate) fn lose_wake_ups(&self) {
        self.is_mute.store(true, Ordering::SeqCst);
    }

    /// Watches have no source.
    pub(crate) fn break_watches(&self) {
        self.is_broken.store(true, Ordering::SeqCst);
    }

    fn is_hidden(&self, record: &Bytes) -> bool {
        let event = Event::from_record(record).expect("an event");
        let mut hidden = self.hidden.lock().expect("lock");
        let hides = hidden.0 == event.seq && hidden.1 > 0;
        if hides {
            hidden.1 -= 1;
        }
        hides
    }
}

fn away() -> StorageError {
    StorageError::Unavailable { reason: "a test".into() }
}

#[async_trait]
impl Tamper for Faulty {
    fn behind(&self) -> &dyn Storage {
        &*self.inner
    }

    async fn submit(&self, partition: PartitionId, op: OpId, message: Bytes) -> Result<()> {
        let fault = self.submits.lock().expect("lock").pop_front();
        match fault {
            None => self.inner.submit(partition, op, message).await,
            Some(Fault::NotDone) => Err(away()),
            Some(Fault::Full) => Err(StorageError::Full { reason: "a test".into() }),
            Some(Fault::AnswerLost) => {
                self.inner.submit(partition, op, message).await?;
                Err(StorageError::Unknown { reason: "a test".into() })
            }
        }
    }

    async fn read_events(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.read_fault()?;
        let mut found = self.inner.read_events(partition, run, after, max).await?;
        found.retain(|record| !self.is_hidden(record));
        Ok(found)
    }

    async fn watch_events(&self, partition: PartitionId, run: RunId) -> Result<EventWatch> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Ok(EventWatch::new(watch::channel(0).1, None));
        }
        if self.is_mute.load(Ordering::SeqCst) {
            return Ok(EventWatch::new(self.mute.subscribe(), None));
        }
        self.inner.watch_events(partition, run).await
    }

    async fn read_item(&self, name: &ItemName) -> Result<Option<ItemRecord>> {
        self.read_fault()?;
        self.inner.read_item(name).await
    }
}
