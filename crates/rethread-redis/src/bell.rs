//! Waiting on a cluster.
//!
//! A blocking read waits for keys of one slot, so waiting for those of many would take as many
//! connections. Instead a process listens to two channels, one for messages in any inbox and one
//! for orders in any queue, and looks when they ring. A ring that is lost delays for a moment and
//! loses nothing.

use std::time::Duration;

use rethread_storage::{EventWatch, Result};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

use crate::watch::Watches;

/// Longest time that a lost ring delays.
const LOOK_ANYWAY: Duration = Duration::from_millis(500);

/// One channel that this process listens to from the first use on.
#[derive(Debug, Default)]
pub(crate) struct Bell(OnceCell<EventWatch>);

impl Bell {
    /// Hears each ring after the return.
    pub(crate) async fn listen(&self, watches: &Watches, channel: &str) -> Result<Listener> {
        // Kept, so that the channel need not be subscribed to each time.
        self.0.get_or_try_init(|| watches.watch(channel.to_owned())).await?;
        Ok(Listener(watches.watch(channel.to_owned()).await?))
    }
}

/// Hears the rings of a bell.
#[derive(Debug)]
pub(crate) struct Listener(EventWatch);

impl Listener {
    /// Waits for a ring, or until it is time to look anyway; says whether there is time left to
    /// look again.
    pub(crate) async fn wait(&mut self, deadline: Instant) -> bool {
        let now = Instant::now();
        if now >= deadline {
            return false;
        }
        // Either way it is time to look.
        let _ = timeout_at(deadline.min(now + LOOK_ANYWAY), self.0.changed()).await;
        true
    }
}
