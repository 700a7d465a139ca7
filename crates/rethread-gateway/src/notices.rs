//! Word between gateways that something was asked for on a thread, so that those who watch the
//! thread need not look all the time. It may get lost, so they look now and then besides.

use std::time::Duration;

use bytes::Bytes;
use rethread_client::{Client, ThreadId};
use rethread_core::ids::{QueueName, WorkerId};
use tokio::sync::broadcast;
use tokio::time::Instant;
use uuid::Uuid;

use crate::shared::Shared;

/// The mailboxes of all gateways.
const QUEUE: &str = "@http";
/// Notices that a watcher may be behind; one that is further behind looks by itself.
const BEHIND_MAX: usize = 256;
/// Pause before a mailbox is opened again.
const PAUSE: Duration = Duration::from_secs(5);

/// Word of threads on which something was asked for.
#[derive(Debug)]
pub(crate) struct Notices {
    sender: broadcast::Sender<Notice>,
}

/// Word of a thread on which something was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) thread: ThreadId,
    /// When it came here.
    pub(crate) at: Instant,
}

impl Notice {
    fn of(thread: ThreadId) -> Self {
        Self { thread, at: Instant::now() }
    }
}

impl Default for Notices {
    fn default() -> Self {
        let (sender, _) = broadcast::channel(BEHIND_MAX);
        Self { sender }
    }
}

impl Notices {
    /// Tells all gateways.
    pub(crate) fn tell(&self, client: &Client, thread: &ThreadId) {
        // That nobody listens here is no error.
        let _ = self.sender.send(Notice::of(thread.clone()));
        let (client, letter) = (client.clone(), Bytes::from(thread.as_str().to_owned()));
        tokio::spawn(async move {
            let Ok(queue) = QueueName::new(QUEUE) else { return };
            if let Err(error) = client.storage().tell_queue(&queue, vec![letter]).await {
                tracing::debug!(%error, "other gateways were not told of a run");
            }
        });
    }

    /// What is told from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Notice> {
        self.sender.subscribe()
    }
}

/// Passes on what other gateways tell, as long as this one serves.
pub(crate) async fn read_mail(shared: Shared) {
    let (Ok(queue), Ok(reader)) =
        (QueueName::new(QUEUE), WorkerId::new(format!("@http/{}", Uuid::now_v7())))
    else {
        return;
    };
    let (client, sender) = (shared.client(), &shared.notices().sender);
    loop {
        match client.storage().open_mailbox(&reader, std::slice::from_ref(&queue)).await {
            Ok(mut mailbox) => {
                while let Some(letter) = mailbox.next().await {
                    let thread = std::str::from_utf8(&letter).ok().map(ThreadId::new);
                    if let Some(Ok(thread)) = thread {
                        let _ = sender.send(Notice::of(thread));
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "the mail of other gateways cannot be read"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
