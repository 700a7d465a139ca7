//! Mail of coordinators: how the calls ended that bodies made, and which attempts are cancelled.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rethread_core::ids::{CallId, ExecutionId, QueueName, ThreadKey, WorkerId};
use rethread_core::message::{CallNews, Target, WorkerMail};
use rethread_core::record::Record;
use rethread_storage::Storage;
use tokio::sync::{mpsc, watch};

use crate::presence::Presence;
use crate::stats::{Stats, count};
use crate::worker::cancels::Cancels;
use crate::worker::side::Stage;

/// Letters that wait for one attempt; it asks again for those beyond.
const WAITING_MAX: usize = 4_096;
/// Wait before a mailbox is opened again.
const REOPEN_WAIT: Duration = Duration::from_millis(200);

type Key = (ThreadKey, ExecutionId, CallId, u32);

/// Which attempts of this worker wait for mail.
#[derive(Debug, Default)]
pub(super) struct Routes {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    attempts: HashMap<Key, mpsc::Sender<(CallId, CallNews)>>,
    /// Tells each route that the mailbox was opened, those first that began first. A watch that
    /// all share would wake them by chance, and a simulated world would not be the same twice.
    opened: BTreeMap<u64, watch::Sender<()>>,
    begun: u64,
}

impl Routes {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Receives what is told to an attempt, until the route is dropped.
    pub(super) fn open(self: &Arc<Self>, target: &Target) -> Route {
        let (sender, news) = mpsc::channel(WAITING_MAX);
        let (opener, opened) = watch::channel(());
        let key = key_of(target);
        let mut state = self.state();
        state.begun += 1;
        let number = state.begun;
        state.attempts.insert(key, sender);
        state.opened.insert(number, opener);
        Route { routes: Arc::clone(self), key, number, news, opened }
    }

    fn pass_on(&self, mail: WorkerMail) {
        let attempt = self.state().attempts.get(&key_of(&mail.target)).cloned();
        match attempt {
            // Lost if too much waits: the attempt asks again.
            Some(attempt) => drop(attempt.try_send((mail.call, mail.news))),
            None => tracing::trace!("mail for an attempt that has ended"),
        }
    }

    /// The mailbox was opened: mail may have been lost before.
    fn opened(&self) {
        for opener in self.state().opened.values() {
            opener.send_replace(());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way of mail to one attempt.
#[derive(Debug)]
pub(super) struct Route {
    routes: Arc<Routes>,
    key: Key,
    number: u64,
    news: mpsc::Receiver<(CallId, CallNews)>,
    opened: watch::Receiver<()>,
}

impl Route {
    /// Waits for news of a call; none if mail may have been lost.
    ///
    /// # Cancel safety
    /// Loses nothing.
    pub(super) async fn next(&mut self) -> Option<(CallId, CallNews)> {
        tokio::select! {
            biased;
            // Ends when the same attempt was given to this worker again: its mail goes there, and
            // this one, which has lost its order, finds that out when it asks again.
            Some(news) = self.news.recv() => Some(news),
            // The sender lives in the routes for as long as this one does.
            Ok(()) = self.opened.changed() => None,
        }
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        let mut state = self.routes.state();
        state.opened.remove(&self.number);
        self.news.close();
        // The same attempt may have been given to this worker again.
        if state.attempts.get(&self.key).is_some_and(mpsc::Sender::is_closed) {
            state.attempts.remove(&self.key);
        }
    }
}

fn key_of(target: &Target) -> Key {
    (target.thread, target.execution, target.call, target.attempt)
}

/// Whose mail is received, and where it goes.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) worker: WorkerId,
    pub(super) queues: Vec<QueueName>,
    pub(super) routes: Arc<Routes>,
    pub(super) cancels: Arc<Cancels>,
    pub(super) stats: Arc<Stats>,
}

/// Receives the worker's mail until the worker ends.
pub(super) async fn run(receiver: Receiver, mut stage: watch::Receiver<Stage>, presence: Presence) {
    tokio::select! {
        biased;
        // An error means that the worker is gone.
        _ = stage.wait_for(|stage| *stage == Stage::Killed) => {}
        () = receiver.receive() => {}
    }
    drop(receiver);
    drop(presence);
}

impl Receiver {
    async fn receive(&self) {
        let worker = &self.worker;
        loop {
            match self.storage.open_mailbox(worker, &self.queues).await {
                Ok(mut mailbox) => {
                    self.routes.opened();
                    while let Some(letter) = mailbox.next().await {
                        match WorkerMail::from_record(&letter) {
                            Ok(mail) => self.take(mail),
                            Err(error) => {
                                count(&self.stats.corrupt_messages);
                                tracing::error!(%worker, %error, "mail cannot be read and is dropped");
                            }
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(%worker, %error, "cannot open the mailbox, trying again");
                }
            }
            tokio::time::sleep(REOPEN_WAIT).await;
        }
    }

    fn take(&self, mail: WorkerMail) {
        match mail.news {
            CallNews::Cancelled => self.cancels.cancel(&mail.target),
            _ => self.routes.pass_on(mail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::yield_now;

    #[tokio::test]
    async fn a_route_that_was_replaced_stays_silent() {
        let routes = Routes::new();
        let execution = "00000000-0000-0000-0000-000000000001".parse().expect("a UUID");
        let target = Target {
            thread: ThreadKey::from_bytes([1; 16]),
            execution,
            call: CallId::root(execution),
            attempt: 1,
        };
        let mut first = routes.open(&target);
        let _second = routes.open(&target);
        tokio::select! {
            biased;
            _ = first.next() => panic!("it would ask again and again, without a pause"),
            () = yield_now() => {}
        }
    }

    #[tokio::test]
    async fn all_routes_are_told_that_the_mailbox_was_opened_in_their_order() {
        let routes = Routes::new();
        let execution = "00000000-0000-0000-0000-000000000001".parse().expect("a UUID");
        let (call, thread) = (CallId::root(execution), ThreadKey::from_bytes([1; 16]));
        let (sender, mut told) = mpsc::unbounded_channel();
        for attempt in 1..=20 {
            let target = Target { thread, execution, call, attempt };
            let (mut route, sender) = (routes.open(&target), sender.clone());
            tokio::spawn(async move {
                while route.next().await.is_none() {
                    sender.send(attempt).expect("the test waits");
                }
            });
        }
        for _ in 0..10 {
            yield_now().await;
            routes.opened();
            for attempt in 1..=20 {
                assert_eq!(told.recv().await, Some(attempt));
            }
        }
        assert_eq!(routes.state().opened.len(), 20);
    }
}
