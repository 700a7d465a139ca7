use std::sync::Arc;
use std::time::Duration;

use rethread_core::ids::WorkerId;
use rethread_core::planted;
use rethread_storage::{HandIn, Storage};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::failure_log::FailureLog;
use crate::presence::Presence;
use crate::worker::side::Stage;

/// Parts that wait to be handed in; more make the bodies wait.
const WAITING_MAX: usize = 1_024;
/// Most parts of one hand-in.
const BATCH_MAX: usize = 256;
/// Shortest and longest wait before a failed hand-in is repeated.
const WAITS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Where attempts give what comes of them. In the order given, each with whatever queued while
/// the one before was handed in.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    sender: mpsc::Sender<Item>,
}

#[derive(Debug)]
enum Item {
    Part(HandIn),
    Settle(oneshot::Sender<()>),
}

/// Opens the desk of a worker.
pub(super) fn open(
    storage: Arc<dyn Storage>,
    worker: WorkerId,
    stage: watch::Receiver<Stage>,
    presence: Presence,
) -> Desk {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    tokio::spawn(async move {
        run(storage, worker, stage, receiver).await;
        drop(presence);
    });
    Desk { sender }
}

impl Desk {
    /// Gives a part; waits while too many are there.
    ///
    /// # Cancel safety
    /// Dropping the future may drop the part.
    pub(super) async fn give(&self, part: HandIn) {
        // Closed only once the worker was killed: nobody wants the part any more.
        let _ = self.sender.send(Item::Part(part)).await;
    }

    /// Waits until everything given before is handed in, at most this long.
    pub(super) async fn settle(&self, longest: Duration) {
        let (reply, done) = oneshot::channel();
        let settled = async {
            // Closed only once the worker was killed.
            let _ = self.sender.send(Item::Settle(reply)).await;
            let _ = done.await;
        };
        if timeout(longest, settled).await.is_err() {
            tracing::warn!("last reports could not be handed in; their tasks run again elsewhere");
        }
    }
}

async fn run(
    storage: Arc<dyn Storage>,
    worker: WorkerId,
    stage: watch::Receiver<Stage>,
    mut receiver: mpsc::Receiver<Item>,
) {
    let mut items = Vec::new();
    let failures = FailureLog::new("handing in reports");
    while receiver.recv_many(&mut items, BATCH_MAX).await > 0 {
        let mut parts = Vec::new();
        let mut settled = Vec::new();
        for item in items.drain(..) {
            match item {
                Item::Part(part) => parts.push(part),
                Item::Settle(reply) => settled.push(reply),
            }
        }
        if planted::is("reply-before-record") {
            let finished: Vec<_> = parts
                .iter_mut()
                .filter(|part| part.finished.is_some())
                .map(|part| HandIn {
                    partition: part.partition,
                    finished: part.finished.take(),
                    messages: Vec::new(),
                })
                .collect();
            if !finished.is_empty()
                && !hand_in(&*storage, &worker, &stage, &failures, finished).await
            {
                return;
            }
        }
        if !parts.is_empty() && !hand_in(&*storage, &worker, &stage, &failures, parts).await {
            return;
        }
        for reply in settled {
            // Whoever asked may have stopped to wait.
            let _ = reply.send(());
        }
    }
}

/// Hands in until it succeeds; gives up only when the worker is killed. Repeating is harmless:
/// an order that is finished already is passed over, and so are events that are known by their
/// numbers.
async fn hand_in(
    storage: &dyn Storage,
    worker: &WorkerId,
    stage: &watch::Receiver<Stage>,
    failures: &FailureLog,
    parts: Vec<HandIn>,
) -> bool {
    let mut wait = WAITS.0;
    loop {
        let Err(error) = storage.hand_in(worker, parts.clone()).await else {
            failures.worked();
            return true;
        };
        tracing::debug!(%worker, parts = parts.len(), %error, "hand-in is repeated");
        failures.failed(&error);
        if *stage.borrow() == Stage::Killed {
            return false;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAITS.1);
    }
}
