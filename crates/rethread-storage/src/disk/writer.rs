//! The committer thread, seen from outside.

use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::committer::{Committer, Request};
use crate::{Result, StorageError};

/// Sends requests to the thread; ends it when it is dropped.
#[derive(Debug)]
pub(super) struct Writer {
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(committer: Committer) -> Result<Self> {
        let (requests, received) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("rethread-commit".into())
            .spawn(move || committer.run(&received))
            .map_err(|error| StorageError::Unavailable {
                reason: format!("cannot start the committer thread: {error}"),
            })?;
        Ok(Self { requests: Some(requests), thread: Some(thread) })
    }

    pub(super) fn send(&self, request: Request) -> Result<()> {
        match self.requests.as_ref().map(|requests| requests.send(request)) {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => {
                let reason = "the committer thread has ended; restart the process".into();
                Err(StorageError::Unavailable { reason })
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread serves what is queued, sees that nobody can ask any more, and ends.
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the committer thread panicked");
        }
    }
}

pub(super) async fn answered<T>(answer: oneshot::Receiver<Result<T>>) -> Result<T> {
    answer.await.unwrap_or_else(|_| {
        let reason = "the committer thread ended during the write; restart the process".into();
        Err(StorageError::Unknown { reason })
    })
}
