use std::any::Any;
use std::fmt;

use bytes::Bytes;
use tokio::sync::mpsc;

/// Receives what [`Storage::tell_worker`](crate::Storage::tell_worker) sends to one worker.
pub struct Mailbox {
    mail: mpsc::Receiver<Bytes>,
    // Ends the subscription when the mailbox is dropped. It stands behind the receiver, which is
    // dropped first.
    _guard: Option<Box<dyn Any + Send + Sync>>,
}

impl Mailbox {
    /// Most letters that wait in a mailbox; further ones are dropped.
    pub const WAITING_MAX: usize = 4_096;

    /// Receives what the sender of `mail` sends; `guard` is dropped with the mailbox.
    pub fn new(mail: mpsc::Receiver<Bytes>, guard: Option<Box<dyn Any + Send + Sync>>) -> Self {
        Self { mail, _guard: guard }
    }

    /// The channel of a new mailbox.
    pub fn channel() -> (mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>) {
        mpsc::channel(Self::WAITING_MAX)
    }

    /// Waits for the next letter. None once the source is gone and letters may have been missed:
    /// open the mailbox again, and ask for what matters.
    ///
    /// # Cancel safety
    /// Dropping the future loses no letter.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.mail.recv().await
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mailbox")
    }
}
