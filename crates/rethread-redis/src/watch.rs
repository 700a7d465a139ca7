//! Wake-ups for readers of event logs, and mail of workers: one subscriber connection for all.
//!
//! A single task owns the connection and is told who watches what. It subscribes in batches,
//! and after a reconnect it wakes every watcher once its subscription stands again, so nothing
//! that was published in between stays unseen. Mail that was is lost: mailboxes end with the
//! connection, and are opened again by their workers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, Value};
use rethread_storage::{EventWatch, Mailbox, Result, StorageError};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::error::{Effect, unanswered};
use crate::link::Link;

const BATCH: usize = 1024;
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Who watches event logs and receives mail.
#[derive(Debug)]
pub(crate) struct Watches {
    link: Link,
    // A channel of mail: the connection goes to where it is published.
    near: String,
    requests: Mutex<Option<mpsc::UnboundedSender<Request>>>,
}

enum Request {
    Watch { channels: Vec<String>, reply: Reply },
    Unwatch { channels: Vec<String> },
}

/// Where the receiving end of a subscription goes.
enum Reply {
    Changes(oneshot::Sender<Result<watch::Receiver<u64>>>),
    Mail(oneshot::Sender<Result<mpsc::Receiver<Bytes>>>),
}

impl Watches {
    pub(crate) fn new(link: Link, near: &str) -> Self {
        let near = near.to_owned();
        Self { link, near, requests: Mutex::new(None) }
    }

    /// Watches a channel; what is published after the return wakes.
    pub(crate) async fn watch(&self, channel: String) -> Result<EventWatch> {
        let (changes, guard) = self.subscribe(vec![channel], Reply::Changes).await?;
        Ok(EventWatch::new(changes, Some(Box::new(guard))))
    }

    /// Receives what is published to any of these channels after the return, in one order, until
    /// the connection is lost.
    pub(crate) async fn open_mailbox(&self, mut channels: Vec<String>) -> Result<Mailbox> {
        // One that is named twice must not bring its letters twice.
        channels.sort_unstable();
        channels.dedup();
        let (mail, guard) = self.subscribe(channels, Reply::Mail).await?;
        Ok(Mailbox::new(mail, Some(Box::new(guard))))
    }

    async fn subscribe<T>(
        &self,
        channels: Vec<String>,
        reply: impl FnOnce(oneshot::Sender<Result<T>>) -> Reply,
    ) -> Result<(T, Guard)> {
        let (sender, answer) = oneshot::channel();
        let requests = self.requests();
        let gone = || StorageError::Unavailable {
            reason: "the subscriber of wake-ups and mail has ended; try again".to_owned(),
        };
        let request = Request::Watch { channels: channels.clone(), reply: reply(sender) };
        requests.send(request).map_err(|_| gone())?;
        // From here on the task counts this watch, whether or not the caller waits for it.
        let guard = Guard { channels, requests };
        match answer.await {
            Ok(Ok(receiver)) => Ok((receiver, guard)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(gone()),
        }
    }

    fn requests(&self) -> mpsc::UnboundedSender<Request> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = requests.as_ref().filter(|sender| !sender.is_closed()) {
            return sender.clone();
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(Subscriber::new(self.link.clone(), self.near.clone()).run(receiver));
        *requests = Some(sender.clone());
        sender
    }
}

struct Guard {
    channels: Vec<String>,
    requests: mpsc::UnboundedSender<Request>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let channels = std::mem::take(&mut self.channels);
        // When the task is gone, so is its subscription.
        let _ = self.requests.send(Request::Unwatch { channels });
    }
}

/// What the connection tells.
#[derive(Debug, Default)]
struct Pushes {
    wakers: Mutex<HashMap<String, watch::Sender<u64>>>,
    // A mailbox stands under each of its channels, and ends with the last of them.
    mailboxes: Mutex<HashMap<String, Vec<mpsc::Sender<Bytes>>>>,
    disconnected: Notify,
}

impl Pushes {
    fn handle(&self, push: &PushInfo) {
        match (&push.kind, push.data.as_slice()) {
            (PushKind::Message, [Value::BulkString(channel), message]) => {
                if let Ok(channel) = std::str::from_utf8(channel) {
                    self.wake(channel);
                    self.post(channel, message);
                }
            }
            (PushKind::Disconnection, _) => self.disconnected.notify_one(),
            _ => {}
        }
    }

    fn wake(&self, channel: &str) {
        let wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = wakers.get(channel) {
            waker.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn post(&self, channel: &str, message: &Value) {
        let Value::BulkString(letter) = message else { return };
        if let Some(receivers) = self.mailboxes().get(channel) {
            let letter = Bytes::copy_from_slice(letter);
            for mailbox in receivers {
                // Lost if the mailbox is full or was just closed.
                let _ = mailbox.try_send(letter.clone());
            }
        }
    }

    fn open_mailbox(&self, channels: &[String]) -> mpsc::Receiver<Bytes> {
        let (sender, mail) = Mailbox::channel();
        let mut mailboxes = self.mailboxes();
        for channel in channels {
            mailboxes.entry(channel.clone()).or_default().push(sender.clone());
        }
        mail
    }

    /// Forgets mailboxes that were dropped.
    fn close_mailboxes(&self, channel: &str) {
        if let Some(receivers) = self.mailboxes().get_mut(channel) {
            receivers.retain(|mailbox| !mailbox.is_closed());
        }
    }

    fn mailboxes(&self) -> MutexGuard<'_, HashMap<String, Vec<mpsc::Sender<Bytes>>>> {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receiver(&self, channel: &str) -> watch::Receiver<u64> {
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        match wakers.get(channel) {
            Some(waker) => waker.subscribe(),
            None => {
                let (waker, receiver) = watch::channel(0);
                wakers.insert(channel.to_owned(), waker);
                receiver
            }
        }
    }

    fn forget(&self, channel: &str) {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).remove(channel);
        self.mailboxes().remove(channel);
    }
}

#[derive(Debug, Default)]
struct Channel {
    watchers: usize,
    is_subscribed: bool,
}

struct Subscriber {
    link: Link,
    near: String,
    pushes: Arc<Pushes>,
    channels: HashMap<String, Channel>,
    connection: Option<MultiplexedConnection>,
}

type Waiting = Vec<(Vec<String>, Reply)>;

impl Subscriber {
    fn new(link: Link, near: String) -> Self {
        Self { link, near, pushes: Arc::default(), channels: HashMap::new(), connection: None }
    }

    /// Serves until nobody can ask any more.
    async fn run(mut self, mut requests: mpsc::UnboundedReceiver<Request>) {
        let mut batch = Vec::new();
        loop {
            let is_behind =
                self.connection.is_none() && self.channels.values().any(|it| it.watchers > 0);
            tokio::select! {
                biased;
                () = self.pushes.disconnected.notified(), if self.connection.is_some() => {
                    self.disconnect();
                }
                count = requests.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return;
                    }
                }
                () = tokio::time::sleep(RETRY_DELAY), if is_behind => {}
            }
            let waiting = self.count(batch.drain(..));
            let outcome = self.follow().await;
            self.answer(waiting, outcome);
        }
    }

    fn count(&mut self, requests: impl Iterator<Item = Request>) -> Waiting {
        let mut waiting = Vec::new();
        for request in requests {
            match request {
                Request::Watch { channels, reply } => {
                    for channel in &channels {
                        self.channels.entry(channel.clone()).or_default().watchers += 1;
                    }
                    waiting.push((channels, reply));
                }
                Request::Unwatch { channels } => {
                    for channel in &channels {
                        if let Some(entry) = self.channels.get_mut(channel) {
                            entry.watchers = entry.watchers.saturating_sub(1);
                        }
                        self.pushes.close_mailboxes(channel);
                    }
                }
            }
        }
        waiting
    }

    /// Makes the subscriptions what the watchers ask for.
    async fn follow(&mut self) -> Result<()> {
        let pick = |channels: &HashMap<String, Channel>, is_wanted: bool| -> Vec<String> {
            let picked = channels.iter().filter(|(_, channel)| {
                (channel.watchers > 0) == is_wanted && channel.is_subscribed != is_wanted
            });
            picked.map(|(name, _)| name.clone()).collect()
        };
        let joined = pick(&self.channels, true);
        if !joined.is_empty() {
            let mut connection = self.connected().await?;
            for channel in &joined {
                drop(self.pushes.receiver(channel));
            }
            if let Err(error) = connection.subscribe(&joined).await {
                self.disconnect();
                return Err(unanswered(&error, Effect::Read, self.link.address()));
            }
            for channel in &joined {
                if let Some(entry) = self.channels.get_mut(channel) {
                    entry.is_subscribed = true;
                }
                self.pushes.wake(channel);
            }
        }
        let left = pick(&self.channels, false);
        if !left.is_empty()
            && let Some(connection) = &mut self.connection
            && connection.unsubscribe(&left).await.is_err()
        {
            self.disconnect();
        }
        let forgotten: Vec<String> = self
            .channels
            .extract_if(|_, channel| channel.watchers == 0)
            .map(|(name, _)| name)
            .collect();
        for channel in &forgotten {
            self.pushes.forget(channel);
        }
        Ok(())
    }

    fn answer(&mut self, waiting: Waiting, outcome: Result<()>) {
        for (channels, reply) in waiting {
            let known: Vec<&Channel> =
                channels.iter().filter_map(|channel| self.channels.get(channel)).collect();
            if known.len() < channels.len() {
                // Forgotten already: the caller has gone away.
                continue;
            }
            let is_subscribed = known.iter().all(|channel| channel.is_subscribed);
            let outcome = if is_subscribed { Ok(()) } else { outcome.clone() };
            // A caller that goes away now signs off by itself.
            match reply {
                Reply::Changes(reply) => {
                    let _ = reply.send(outcome.map(|()| self.pushes.receiver(&channels[0])));
                }
                Reply::Mail(reply) => {
                    let mail = outcome.map(|()| self.pushes.open_mailbox(&channels));
                    if reply.send(mail).is_err() {
                        channels.iter().for_each(|channel| self.pushes.close_mailboxes(channel));
                    }
                }
            }
        }
    }

    async fn connected(&mut self) -> Result<MultiplexedConnection> {
        if let Some(connection) = &self.connection {
            return Ok(connection.clone());
        }
        // A connection of its own pushes, so that the end of an old one does not end the new.
        let pushes = Arc::new(Pushes {
            wakers: Mutex::new(std::mem::take(
                &mut self.pushes.wakers.lock().unwrap_or_else(PoisonError::into_inner),
            )),
            mailboxes: Mutex::default(),
            disconnected: Notify::new(),
        });
        self.pushes = Arc::clone(&pushes);
        let connection = self.link.subscriber(&self.near, move |push| pushes.handle(&push)).await?;
        self.connection = Some(connection.clone());
        Ok(connection)
    }

    fn disconnect(&mut self) {
        self.connection = None;
        self.pushes.mailboxes().clear();
        for (name, channel) in &mut self.channels {
            if std::mem::take(&mut channel.is_subscribed) {
                self.pushes.wake(name);
            }
        }
    }
}
