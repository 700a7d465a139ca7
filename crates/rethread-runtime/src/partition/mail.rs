use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rethread_storage::Storage;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::coordinator::Addressee;

/// Deliveries of one partition that may be under way. More are dropped: the workers ask again.
const UNDER_WAY_MAX: usize = 16;
/// Longest time of one delivery. Mail that takes longer is not worth more than asking again.
const DELIVERY_MAX: Duration = Duration::from_secs(2);

/// Tells workers what was written. It holds up nobody, and gives up at once what it cannot
/// deliver.
#[derive(Debug)]
pub(super) struct Postman {
    storage: Arc<dyn Storage>,
    under_way: Arc<Semaphore>,
}

impl Postman {
    pub(super) fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)) }
    }

    pub(super) fn deliver(&self, mail: Vec<(Addressee, Bytes)>) {
        if mail.is_empty() {
            return;
        }
        let Ok(permit) = Arc::clone(&self.under_way).try_acquire_owned() else {
            tracing::debug!(letters = mail.len(), "mail is dropped, too much is under way");
            return;
        };
        let mut by_addressee: BTreeMap<Addressee, Vec<Bytes>> = BTreeMap::new();
        for (addressee, letter) in mail {
            by_addressee.entry(addressee).or_default().push(letter);
        }
        let storage = Arc::clone(&self.storage);
        tokio::spawn(async move {
            for (addressee, letters) in by_addressee {
                let told = async {
                    match &addressee {
                        Addressee::Worker(worker) => storage.tell_worker(worker, letters).await,
                        Addressee::Queue(queue) => storage.tell_queue(queue, letters).await,
                    }
                };
                match timeout(DELIVERY_MAX, told).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(?addressee, %error, "mail is lost"),
                    Err(_) => tracing::debug!(?addressee, "mail takes too long and is given up"),
                }
            }
            drop(permit);
        });
    }
}
