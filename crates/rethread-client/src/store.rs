use std::sync::Arc;

use rethread_core::failure::Failure;
use rethread_core::store::{StoreReply, StoreRequest};
use rethread_sdk::{Error, StoreBackend, StoreFuture};
use rethread_storage::store::{StoreEngine, StoreFailure};

use crate::client::Client;
use crate::patience::{Patience, may_pass};

/// Carries requests to the store from outside of a run: they are executed here, on the storage.
#[derive(Debug)]
pub(crate) struct StoreAccess {
    client: Client,
    engine: Arc<StoreEngine>,
}

impl StoreAccess {
    pub(crate) fn new(client: Client, engine: Arc<StoreEngine>) -> Self {
        Self { client, engine }
    }
}

impl StoreBackend for StoreAccess {
    fn request(&self, request: StoreRequest) -> StoreFuture {
        let (client, engine) = (self.client.clone(), Arc::clone(&self.engine));
        Box::pin(async move {
            let reply = execute(&client, &engine, request).await;
            reply.map_err(|failure| Error::from_failure(Failure::from(failure)))
        })
    }
}

/// Requests may be made again while the storage is away: each has the same effect twice as once.
async fn execute(
    client: &Client,
    engine: &StoreEngine,
    request: StoreRequest,
) -> Result<StoreReply, StoreFailure> {
    let mut patience = Patience::lasting(client.options().retry_for);
    loop {
        match engine.execute(&**client.storage(), request.clone()).await {
            Err(StoreFailure::Storage(error)) if may_pass(&error) && patience.pause().await => {
                tracing::debug!(%error, "asking the store again");
            }
            reply => return reply,
        }
    }
}
