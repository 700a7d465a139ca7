//! Asking the storage now and then whether data is still safe in it: its settings may be changed
//! by others while everything seems to work.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rethread_storage::Storage;
use tokio::time::timeout;

use crate::presence::Presence;

/// Time between two questions.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// How long the storage may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What the storage said last.
#[derive(Debug, Clone, Default)]
pub(crate) struct StorageHealth(Arc<Mutex<Option<String>>>);

impl StorageHealth {
    /// What was wrong when the storage was asked last.
    pub(crate) fn fault(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps an answer, and gives the one before.
    fn keep(&self, fault: Option<String>) -> Option<String> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), fault)
    }

    /// Asks for as long as the node runs. Dropping the future ends it.
    pub(crate) async fn watch(self, storage: Arc<dyn Storage>, _presence: Presence) {
        loop {
            tokio::time::sleep(ASK_EVERY).await;
            let fault = match timeout(ANSWER_MAX, storage.check_health()).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("no answer within {} s", ANSWER_MAX.as_secs())),
            };
            if let Some(fault) = &fault {
                tracing::warn!(fault, "storage is not in order");
            }
            let is_well = fault.is_none();
            if self.keep(fault).is_some() && is_well {
                tracing::info!("storage is in order again");
            }
        }
    }
}
