use std::io;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::options::Threads;

/// Where parts of a node run: an OS thread with a current-thread runtime of its own, on which
/// work can be spawned from anywhere, or the caller's runtime.
///
/// Dropping it ends a thread of its own soon; everything spawned on that is dropped there. On the
/// caller's runtime the node stops what it started itself.
#[derive(Debug)]
pub(crate) struct RuntimeThread {
    handle: Handle,
    own: Option<OwnThread>,
}

#[derive(Debug)]
struct OwnThread {
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl RuntimeThread {
    /// # Panics
    /// Outside of a tokio runtime, if that is where the parts run.
    pub(crate) fn start(name: &str, threads: Threads) -> io::Result<Self> {
        if threads == Threads::Caller {
            return Ok(Self { handle: Handle::current(), own: None });
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            // An error says that the sender is gone, which is the signal too.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, own: Some(OwnThread { stop, thread }) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends the thread and waits until everything on it is dropped.
    pub(crate) async fn end(self) {
        let Some(OwnThread { stop, thread }) = self.own else { return };
        drop(stop);
        let joined = tokio::task::spawn_blocking(move || thread.join().is_ok()).await;
        if !matches!(joined, Ok(true)) {
            tracing::error!("a runtime thread of the node panicked while it ended");
        }
    }
}
