use std::future::IntoFuture;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{ClientError, Result};

/// The runtime of a blocking client. Its one thread drives connections between the calls.
#[derive(Debug)]
pub(super) struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    pub(super) fn start() -> Result<Self> {
        refuse_inside_runtime()?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("rethread-client")
            .enable_all()
            .build()
            .map_err(|error| ClientError::Runtime { reason: error.to_string() })?;
        Ok(Self(Some(runtime)))
    }

    pub(super) fn block_on<F: IntoFuture>(&self, future: F) -> Result<F::Output> {
        refuse_inside_runtime()?;
        let runtime = self.0.as_ref().expect("invariant: taken only when dropped");
        Ok(runtime.block_on(async { future.await }))
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Waiting for its thread would panic where another runtime runs.
            runtime.shutdown_background();
        }
    }
}

fn refuse_inside_runtime() -> Result<()> {
    match Handle::try_current() {
        Ok(_) => Err(ClientError::InsideRuntime),
        Err(_) => Ok(()),
    }
}
