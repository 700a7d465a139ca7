//! A worker that is driven by hand.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{QueueName, WorkerId};
use rethread_runtime::{Node, NodeOptions};
use rethread_sdk::Registry;
use rethread_storage::{Delivery, HandIn, Storage};
use tokio::time::timeout;

use crate::support::{DEADLINE, Driver, options};

/// Takes orders and hands in what a test says.
pub(crate) struct Hand {
    storage: Arc<dyn Storage>,
    pub(crate) worker: WorkerId,
}

impl Hand {
    pub(crate) async fn new(driver: &Driver) -> Self {
        let worker = WorkerId::new("by-hand").expect("an id");
        let storage = Arc::clone(&driver.storage);
        storage.heartbeat(&worker, &[QueueName::standard()]).await.expect("lives");
        Self { storage, worker }
    }

    /// Takes so many orders.
    pub(crate) async fn take(&self, count: usize) -> Vec<Delivery> {
        let queues = [QueueName::standard()];
        let mut taken = Vec::new();
        let taking = async {
            while taken.len() < count {
                let (room, wait) = (count - taken.len(), Duration::from_millis(50));
                let got = self.storage.fetch(&self.worker, &queues, room, wait).await;
                taken.extend(got.expect("fetches"));
            }
        };
        timeout(DEADLINE, taking).await.expect("orders come");
        taken
    }

    /// Takes an order out of its queue and leaves these messages.
    pub(crate) async fn finish(&self, delivery: Delivery, messages: Vec<Bytes>) {
        let partition = delivery.receipt.partition;
        let part = HandIn { partition, finished: Some(delivery.receipt), messages };
        self.storage.hand_in(&self.worker, vec![part]).await.expect("hands in");
    }

    /// Takes so many orders out of their queues and leaves nothing.
    pub(crate) async fn lose(&self, count: usize) {
        for delivery in self.take(count).await {
            self.finish(delivery, Vec::new()).await;
        }
    }
}

/// A node that only runs tasks.
pub(crate) fn worker(driver: &Driver, registry: Registry) -> NodeOptions {
    let mut options = options("w", driver, registry);
    options.coordinator = false;
    options
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

pub(crate) async fn shut_down(nodes: impl IntoIterator<Item = Node>) {
    for node in nodes {
        node.shutdown().await.expect("shuts down");
    }
}
