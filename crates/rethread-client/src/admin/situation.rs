//! Everything that says why a thread does not go on.

use std::collections::BTreeMap;
use std::time::Duration;

use rethread_core::event::{EventKind, Refusal, RunOutcome};
use rethread_core::header::ThreadHeader;
use rethread_core::ids::{QueueName, ThreadId};
use rethread_core::message::{Action, TaskOrder};
use rethread_core::outlook::Outlook;
use rethread_storage::{OrderStatus, PartitionStatus};
use tokio::time::timeout;

use crate::admin::{Admin, WorkerInfo, decode};
use crate::draft::Draft;
use crate::error::{ClientError, Result};
use crate::run::RunHandle;
use crate::thread::Thread;

/// How long a coordinator may take to say what a thread waits for.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Orders of the thread's partition that are looked through.
const ORDERS_MAX: usize = 10_000;

/// What is known of a thread, and of what it depends on.
#[derive(Debug)]
pub(super) struct Situation {
    pub(super) thread: ThreadId,
    pub(super) partition: u16,
    pub(super) status: PartitionStatus,
    /// What is stored of the thread.
    pub(super) header: Option<ThreadHeader>,
    pub(super) answer: Answer,
    /// The orders of the thread.
    pub(super) orders: Vec<PlacedOrder>,
    pub(super) workers: Vec<WorkerInfo>,
}

/// What the coordinator says.
#[derive(Debug)]
pub(super) enum Answer {
    /// What the thread waits for.
    Outlook(Box<Outlook>),
    /// It cannot drive the thread.
    Refused(Refusal),
    /// Nothing, for this long.
    Silent(Duration),
    /// There is none to be asked.
    Nobody,
    /// It has too much to do to be asked.
    Overloaded,
}

/// An order of the thread, where it stands.
#[derive(Debug)]
pub(super) struct PlacedOrder {
    pub(super) order: TaskOrder,
    /// The worker that has it; none: it waits.
    pub(super) worker: Option<String>,
    pub(super) age_ms: u64,
    /// How many orders of its partition wait before it in its queue.
    pub(super) before: usize,
}

impl Admin {
    pub(super) async fn situation(&self, thread: &Thread) -> Result<Situation> {
        let partition = thread.partition();
        let status = self.client.read(|storage| storage.partition_status(partition)).await?;
        let answer = match &status.owner {
            Some(_) => ask(thread).await?,
            None => Answer::Nobody,
        };
        Ok(Situation {
            thread: thread.id().clone(),
            partition: partition.0,
            status,
            // Behind the answer, so it is not older.
            header: thread.header().await?,
            answer,
            orders: self.orders_of(thread).await?,
            workers: self.workers().await?,
        })
    }

    async fn orders_of(&self, thread: &Thread) -> Result<Vec<PlacedOrder>> {
        let partition = thread.partition();
        let read = self.client.read(|storage| storage.list_orders(partition, ORDERS_MAX));
        Ok(place(thread.id(), read.await?))
    }
}

/// The orders of a thread among those of its partition, which stand in order within each queue.
pub(super) fn place(thread: &ThreadId, orders: Vec<OrderStatus>) -> Vec<PlacedOrder> {
    let mut placed = Vec::new();
    let mut waiting = BTreeMap::<QueueName, usize>::new();
    for status in orders {
        let before = waiting.entry(status.queue).or_default();
        // What cannot be read is no order of this thread.
        if let Ok(order) = decode::<TaskOrder>("order", &status.order)
            && order.thread == *thread
        {
            let worker = status.worker.as_ref().map(ToString::to_string);
            placed.push(PlacedOrder { order, worker, age_ms: status.age_ms, before: *before });
        }
        *before += usize::from(status.worker.is_none());
    }
    placed
}

/// Asks the coordinator of the thread.
async fn ask(thread: &Thread) -> Result<Answer> {
    let run = match Draft::new().send(thread, Action::Explain).await {
        Ok(run) => RunHandle::untyped(thread.clone(), run),
        Err(ClientError::Overloaded { .. }) => return Ok(Answer::Overloaded),
        Err(error) => return Err(error),
    };
    let answered = async {
        let mut events = run.reader(0);
        while let Some(event) = events.next().await? {
            match event.kind {
                EventKind::RunEnded(RunOutcome::Explained(outlook)) => {
                    return Ok(Answer::Outlook(outlook));
                }
                EventKind::RunEnded(RunOutcome::Refused(refusal)) => {
                    return Ok(Answer::Refused(refusal));
                }
                EventKind::RunEnded(_) => break,
                _ => {}
            }
        }
        Err(ClientError::Unknown { what: "the answer of the coordinator" })
    };
    match timeout(ANSWER_MAX, answered).await {
        Ok(answer) => answer,
        Err(_) => Ok(Answer::Silent(ANSWER_MAX)),
    }
}
