use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long tasks may take to be dropped. A body that blocks cannot be dropped.
const LAST_DROP_MAX: Duration = Duration::from_secs(5);

/// Held by whatever uses the node's storage on the caller's runtime, which outlives the node.
pub(crate) type Presence = mpsc::Sender<Infallible>;

/// Tells when nothing does so any more.
#[derive(Debug)]
pub(crate) struct Gone(mpsc::Receiver<Infallible>);

pub(crate) fn presence() -> (Presence, Gone) {
    let (presence, gone) = mpsc::channel(1);
    (presence, Gone(gone))
}

impl Gone {
    /// Waits until the storage is let go: it may then be opened by others.
    pub(crate) async fn wait(mut self) {
        if timeout(LAST_DROP_MAX, self.0.recv()).await.is_err() {
            tracing::warn!("a task still holds the storage after the end of its node");
        }
    }
}
