//! Noticing workers that come while threads wait for one that knows their tasks.
//!
//! A task that no worker knew is offered again after a wait that grows. Meanwhile the workers are
//! listed every second or two; with each that is new the task is offered at once. Without such
//! tasks nothing is listed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rethread_core::ids::{ThreadKey, WorkerId};
use rethread_core::message::{AttemptOutcome, InboxMessage};
use tokio::time::Instant;

use crate::coordinator::CoordinatorMessage;
use crate::partition::slot::Phase;
use crate::partition::{OwnerMessage, OwnerState};

/// Time between two looks at the workers.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a thread is remembered: longer than it waits before it offers a task again.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// Threads with tasks that no worker knows, and the workers that are there.
#[derive(Debug, Default)]
pub(super) struct Newcomers {
    /// When each thread was told last that a task is not known.
    waiting: BTreeMap<ThreadKey, Instant>,
    /// The workers at the last look; none: nobody has looked since threads wait.
    known: Option<BTreeSet<WorkerId>>,
    /// Whether the next look is under way.
    looks: bool,
}

/// The workers that are there; none if they could not be listed.
#[derive(Debug)]
pub(crate) struct Workers(Option<BTreeSet<WorkerId>>);

impl Newcomers {
    /// Notes a message that is routed to a thread; says whether a look is to be begun.
    pub(super) fn note(&mut self, thread: ThreadKey, message: &InboxMessage) -> bool {
        let InboxMessage::Report(report) = message else { return false };
        if !matches!(report.outcome, AttemptOutcome::UnknownTask) {
            return false;
        }
        self.waiting.insert(thread, Instant::now());
        !std::mem::replace(&mut self.looks, true)
    }

    /// Takes the list of workers; gives the threads that are told of new ones.
    fn take(&mut self, workers: Workers) -> BTreeSet<ThreadKey> {
        self.looks = false;
        self.waiting.retain(|_, told| told.elapsed() < REMEMBERED_FOR);
        if let Workers(Some(workers)) = workers {
            let are_new = self.known.as_ref().is_some_and(|known| !workers.is_subset(known));
            self.known = Some(workers);
            if are_new {
                // Who is told again that a task is not known waits again.
                return std::mem::take(&mut self.waiting).into_keys().collect();
            }
        }
        BTreeSet::new()
    }
}

impl OwnerState {
    /// Lists the workers, now or in a while.
    pub(super) fn look_for_workers(&self, wait: Duration) {
        let (engine, owner) = (Arc::clone(&self.engine), self.myself.clone());
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let workers = match engine.storage.list_workers().await {
                Ok(workers) => Some(workers.into_iter().map(|status| status.worker).collect()),
                Err(error) => {
                    tracing::debug!(%error, "cannot list the workers");
                    None
                }
            };
            // An owner that is gone offers nothing.
            let _ = owner.cast(OwnerMessage::Workers(Workers(workers)));
        });
    }

    /// Offers tasks again if workers came, and goes on looking for as long as threads wait.
    pub(super) fn workers_listed(&mut self, workers: Workers) {
        for thread in self.newcomers.take(workers) {
            match self.slots.get(&thread).map(|slot| &slot.phase) {
                Some(Phase::Here(actor)) => {
                    // One that just ended is reported, and its thread is loaded again.
                    let _ = actor.cast(CoordinatorMessage::NewWorkers);
                }
                // Once it is loaded it offers all that no worker has.
                Some(Phase::Away { .. }) => self.want(thread),
                Some(Phase::Leaving(actor)) => {
                    // If it stays it takes this, and if it leaves it is loaded again.
                    let _ = actor.cast(CoordinatorMessage::NewWorkers);
                    if let Some(slot) = self.slots.get_mut(&thread) {
                        slot.is_wanted = true;
                    }
                }
                // What is being read offers it by itself, and who is not there waits for nothing.
                Some(Phase::Loading { .. } | Phase::Quarantined { .. }) | None => {}
            }
        }
        if self.newcomers.waiting.is_empty() {
            self.newcomers.known = None;
        } else {
            self.newcomers.looks = true;
            self.look_for_workers(LOOK_EVERY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rethread_core::ids::{CallId, ExecutionId, RunId};
    use rethread_core::message::{Report, Target};
    use tokio::time::advance;

    fn key(n: u8) -> ThreadKey {
        ThreadKey::from_bytes([n; 16])
    }

    fn worker(name: &str) -> WorkerId {
        WorkerId::new(name).expect("an id")
    }

    fn report(outcome: AttemptOutcome) -> InboxMessage {
        let run: RunId = "00000000-0000-0000-0000-000000000001".parse().expect("a UUID");
        let (execution, call) = (ExecutionId::from(run), CallId::nth(1, 0));
        let target = Target { thread: key(1), execution, call, attempt: 1 };
        InboxMessage::Report(Report { target, worker: worker("w"), outcome })
    }

    fn listed(names: &[&str]) -> Workers {
        Workers(Some(names.iter().map(|name| worker(name)).collect()))
    }

    #[tokio::test(start_paused = true)]
    async fn threads_are_told_of_workers_that_come_while_they_wait() {
        let mut newcomers = Newcomers::default();
        let unknown = report(AttemptOutcome::UnknownTask);
        assert!(!newcomers.note(key(1), &report(AttemptOutcome::Suspended)));
        assert!(newcomers.note(key(1), &unknown));
        assert!(!newcomers.note(key(2), &unknown), "a look is under way");
        assert!(newcomers.take(listed(&["a", "b"])).is_empty(), "they were there before");
        assert!(newcomers.take(listed(&["a"])).is_empty(), "one has gone");
        assert!(newcomers.take(Workers(None)).is_empty());
        assert_eq!(newcomers.take(listed(&["a", "c"])), [key(1), key(2)].into());
        assert!(newcomers.take(listed(&["a", "c", "d"])).is_empty(), "nobody waits");
    }

    #[tokio::test(start_paused = true)]
    async fn threads_that_say_nothing_more_are_forgotten() {
        let mut newcomers = Newcomers::default();
        let unknown = report(AttemptOutcome::UnknownTask);
        newcomers.note(key(1), &unknown);
        newcomers.take(listed(&["a"]));
        advance(REMEMBERED_FOR / 2).await;
        newcomers.note(key(2), &unknown);
        advance(REMEMBERED_FOR / 2).await;
        assert_eq!(newcomers.take(listed(&["a", "b"])), [key(2)].into());
    }
}
