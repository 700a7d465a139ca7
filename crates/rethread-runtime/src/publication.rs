//! Telling gateways which entrypoints there are: they have no code of the user, and find what
//! coordinators say in the store, under a namespace that programs do not see.

use std::sync::Arc;
use std::time::Duration;

use rethread_core::store::{Namespace, StoreRequest};
use rethread_sdk::Registry;
use rethread_storage::Clock;
use rethread_storage::names::ENTRYPOINTS;
use tokio::time::sleep;

use crate::failure_log::FailureLog;
use crate::presence::Presence;
use crate::store::{StoreAccess, StoreTrouble};

/// How long what was said stands: an entrypoint that no coordinator knows any more is forgotten.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How often it is said again.
const SAID_EVERY: Duration = Duration::from_secs(60 * 60);
/// Wait before something is said again that the store did not take.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// What a coordinator publishes.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: Arc<StoreAccess>,
    pub(crate) clock: Clock,
}

impl Publication {
    /// Publishes now and every hour, for as long as the node runs. Dropping the future ends it.
    pub(crate) async fn run(self, _presence: Presence) {
        let failures = FailureLog::new("publishing the entrypoints");
        loop {
            for name in self.registry.entrypoint_names() {
                while let Err(error) = self.publish(name).await {
                    match error {
                        StoreTrouble::Passing(error) => {
                            failures.failed(&error);
                            sleep(AGAIN_AFTER).await;
                        }
                        StoreTrouble::Lasting(failure) => {
                            tracing::warn!(name, error = %failure, "entrypoint is not published");
                            break;
                        }
                    }
                }
            }
            failures.worked();
            sleep(SAID_EVERY).await;
        }
    }

    async fn publish(&self, name: &str) -> Result<(), StoreTrouble> {
        let Some(described) = self.registry.describe(name, self.clock.now()) else { return Ok(()) };
        let namespace = Namespace::new(ENTRYPOINTS).expect("invariant: labels without dots");
        let request = StoreRequest::Put {
            namespace,
            key: name.to_owned(),
            value: described.map_err(|error| StoreTrouble::Lasting(error.into()))?,
            ttl_ms: u64::try_from(KEPT_FOR.as_millis()).ok(),
            is_indexed: false,
        };
        self.store.ask(request).await.map(drop)
    }
}
