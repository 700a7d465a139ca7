//! Reading one thread.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use rethread_core::event::Event;
use rethread_core::header::{ThreadHeader, ThreadStatus};
use rethread_core::ids::{ExecutionId, PartitionId, ThreadKey};
use rethread_core::message::OpenCalls;
use rethread_core::record::Record;
use rethread_core::thread::Stored;
use rethread_storage::{Result, StorageError};

use crate::engine::Engine;
use crate::partition::OwnerMessage;
use crate::partition::takeover::{self, Standing};
use crate::records;
use crate::tenure::Tenure;

/// Wait before a failed load is repeated.
const RETRY_WAIT: Duration = Duration::from_millis(100);
/// Events of one page.
const PAGE: usize = 1_000;

/// What came of reading a thread.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(super) thread: ThreadKey,
    pub(super) found: Found,
}

#[derive(Debug)]
pub(super) enum Found {
    /// No header was ever written.
    Nothing,
    /// It can go on.
    Thread(Box<Stored>),
    /// It cannot be read.
    Corrupt { reason: String, execution: Option<ExecutionId> },
}

impl Found {
    /// The same thread, as one that is left alone because its coordinator keeps failing.
    pub(super) fn given_up(self) -> Self {
        let execution = match self {
            Self::Nothing => None,
            Self::Thread(stored) => stored.header.execution,
            Self::Corrupt { execution, .. } => execution,
        };
        Self::Corrupt { reason: "its coordinator fails again and again".into(), execution }
    }
}

/// What the owner knows of a thread before it is read.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Calls whose orders are queued or assigned; none if that is not known.
    pub(super) in_flight: Option<OpenCalls>,
    /// Whether there may be others.
    pub(super) in_doubt: bool,
}

/// Loads until it succeeds or the lease ends. Calls in flight that are not known are searched.
pub(super) async fn load_and_send(
    engine: Arc<Engine>,
    tenure: Arc<Tenure>,
    partition: PartitionId,
    thread: ThreadKey,
    known: Known,
    owner: ActorRef<OwnerMessage>,
) {
    let Ok(_permit) = engine.loads.acquire().await else { return };
    if tenure.is_left() {
        // The next owner reads it.
        return;
    }
    while tenure.is_live() {
        match load(&engine, partition, thread, known.clone()).await {
            // An owner that is gone needs no thread.
            Ok(found) => {
                engine.failures.loads.worked();
                return drop(owner.cast(OwnerMessage::Loaded(Loaded { thread, found })));
            }
            Err(error) => {
                tracing::debug!(%partition, thread_key = %thread, %error, "cannot load a thread");
                engine.failures.loads.failed(&error);
                tokio::time::sleep(RETRY_WAIT).await;
            }
        }
    }
    // A renewal that was under way may revive the tenure. Nobody reads the thread any more, so
    // the owner must not go on without it.
    owner.stop(Some("lease ended before a thread could be read".into()));
}

async fn load(
    engine: &Engine,
    partition: PartitionId,
    thread: ThreadKey,
    known: Known,
) -> Result<Found> {
    let (in_flight, in_doubt) = match known.in_flight {
        Some(in_flight) => (in_flight, known.in_doubt),
        None => {
            let scan = takeover::scan_in_flight(&*engine.storage, partition);
            let Standing { mut in_flight, has_newer } = scan.await?;
            (in_flight.remove(&thread).unwrap_or_default(), known.in_doubt || has_newer)
        }
    };
    let loaded = match engine.storage.load_thread(partition, thread).await {
        Ok(Some(loaded)) => loaded,
        Ok(None) => return Ok(Found::Nothing),
        Err(StorageError::Corrupt { what, reason }) => {
            let reason = format!("{what} is damaged: {reason}");
            return Ok(Found::Corrupt { reason, execution: None });
        }
        Err(error) => return Err(error),
    };
    let decoded = match records::decode(&loaded) {
        Ok(decoded) => decoded,
        Err(error) => {
            let header = ThreadHeader::from_record(&loaded.header).ok();
            let execution = header.and_then(|header| header.execution);
            return Ok(Found::Corrupt { reason: error.to_string(), execution });
        }
    };
    let records::Decoded { header, journal, base, last_event, waiting } = decoded;
    let last_event = match last_event {
        Some(seq) => seq,
        None => last_event_of(engine, partition, &header).await?,
    };
    let stored = Stored { header, journal, base, last_event, in_flight, in_doubt, waiting };
    Ok(Found::Thread(Box::new(stored)))
}

/// The number of the last event of the header's run, where another run of the thread (a refused
/// one) wrote later. Only a run in progress goes on numbering.
async fn last_event_of(
    engine: &Engine,
    partition: PartitionId,
    header: &ThreadHeader,
) -> Result<u64> {
    let mut last = 0;
    if header.status != ThreadStatus::Running {
        return Ok(last);
    }
    loop {
        let page = engine.storage.read_events(partition, header.run, last, PAGE).await?;
        let Some(record) = page.last() else { return Ok(last) };
        match Event::from_record(record) {
            Ok(event) if event.seq > last => last = event.seq,
            // Numbers have no gaps, so the count tells as much.
            Ok(_) | Err(_) => last += page.len() as u64,
        }
    }
}
