//! The storage as one host sees it: the memory adapter, behind a connection that fails.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rethread_core::ids::{
    CheckpointId, Millis, NodeId, OpId, PartitionId, QueueName, RunId, ThreadKey, WorkerId,
};
use rethread_core::store::Namespace;
use rethread_storage::{
    Acquisition, CacheKey, CacheLookup, Commit, DeadLetter, DeadLetterId, Delivery, Durability,
    EventWatch, HandIn, HeaderRecord, InboxCursor, InboxItem, ItemName, ItemRecord, Lease,
    LoadedThread, Mailbox, OrderStatus, PartitionStatus, QueuedOrder, Receipt, Result, Storage,
    StorageError, ThreadPage, WorkerStatus,
};

use crate::goals::Goal;
use crate::link::{Kind, Link, unavailable};

/// A handle of one host.
#[derive(Debug, Clone)]
pub(crate) struct FaultyStorage(pub(crate) Arc<Link>);

impl FaultyStorage {
    fn inner(&self) -> &dyn Storage {
        &self.0.storage
    }

    /// Whether this wait misses its wake-up.
    async fn oversleeps(&self, wait: Duration) -> bool {
        let oversleeps = !wait.is_zero() && self.0.chance(self.0.weather.rates.wake_lost);
        if oversleeps {
            tokio::time::sleep(wait).await;
        }
        oversleeps
    }

    /// Takes orders. After an answer was lost, or the storage was put back, it looks first for
    /// orders that are assigned to the worker without its knowing.
    async fn take<F>(
        &self,
        worker: &WorkerId,
        deliveries: impl Fn() -> F + Sync,
        is_reclaim: bool,
    ) -> Result<Vec<Delivery>>
    where
        F: Future<Output = Result<Vec<Delivery>>> + Send,
    {
        let (link, deliveries) = (&self.0, &deliveries);
        if link.hand.is_in_doubt() {
            let _alone = link.hand.gate.write().await;
            let unknown = link.hand.not_held();
            let receipts: Vec<_> = unknown.iter().map(|it| it.receipt.clone()).collect();
            let receipts = &receipts;
            let ours = link
                .send(Kind::Read, || {
                    link.hand.settle();
                    self.inner().confirm(worker, receipts)
                })
                .await;
            let Ok(ours) = ours else {
                link.hand.doubt();
                return Err(unavailable());
            };
            let found = unknown.into_iter().zip(ours).filter(|(_, is_ours)| *is_ours);
            let found: Vec<_> = found.map(|(delivery, _)| delivery).collect();
            if !found.is_empty() {
                link.witness.reach_times(Goal::DeliveryLost, found.len() as u64);
                link.hand.hold(&found);
                return Ok(found);
            }
        }
        let _shared = link.hand.gate.read().await;
        let taken = link
            .send(Kind::WriteOnce, || async move {
                let found = deliveries().await?;
                link.witness.given(link.host, &found, is_reclaim);
                link.hand.assign(&found);
                Ok(found)
            })
            .await;
        match &taken {
            Ok(found) => link.hand.hold(found),
            Err(_) => link.hand.doubt(),
        }
        taken
    }
}

#[async_trait]
impl Storage for FaultyStorage {
    async fn attach(&self) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(self.clone()))
    }

    fn partitions(&self) -> u16 {
        self.inner().partitions()
    }

    fn durability(&self) -> Durability {
        self.inner().durability()
    }

    async fn check_health(&self) -> Result<()> {
        self.0.send(Kind::Read, || self.inner().check_health()).await
    }

    async fn acquire(
        &self,
        partition: PartitionId,
        node: &NodeId,
        ttl: Duration,
    ) -> Result<Acquisition> {
        let link = &self.0;
        link.send(Kind::Write, || async move {
            let acquired = self.inner().acquire(partition, node, ttl).await?;
            if let Acquisition::Acquired { lease, last_commit } = &acquired {
                link.witness.acted();
                let numbers = [partition.0.into(), lease.token.epoch, *last_commit];
                link.witness.note(link.host, "acquire", &numbers, || {
                    format!("p{partition} epoch {} last commit {last_commit}", lease.token.epoch)
                });
            }
            Ok(acquired)
        })
        .await
    }

    async fn renew(&self, leases: &[Lease], ttl: Duration) -> Result<Vec<Lease>> {
        self.0.send(Kind::Touch, || self.inner().renew(leases, ttl)).await
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        let link = &self.0;
        link.send(Kind::Touch, || async move {
            link.witness.acted();
            link.witness.note(link.host, "release", &[lease.partition.0.into()], || {
                format!("p{} epoch {}", lease.partition, lease.token.epoch)
            });
            self.inner().release(lease).await
        })
        .await
    }

    async fn announce_node(&self, node: &NodeId, ttl: Duration) -> Result<Vec<NodeId>> {
        self.0.send(Kind::Touch, || self.inner().announce_node(node, ttl)).await
    }

    async fn withdraw_node(&self, node: &NodeId) -> Result<()> {
        self.0.send(Kind::Touch, || self.inner().withdraw_node(node)).await
    }

    async fn submit(&self, partition: PartitionId, op: OpId, message: Bytes) -> Result<()> {
        let link = &self.0;
        let message = &message;
        link.send(Kind::Write, || async move {
            link.witness.acted();
            self.inner().submit(partition, op, message.clone()).await
        })
        .await
    }

    async fn read_inboxes(
        &self,
        after: &[(PartitionId, InboxCursor)],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<InboxItem>> {
        let wait = if self.oversleeps(wait).await { Duration::ZERO } else { wait };
        self.0.send(Kind::Read, || self.inner().read_inboxes(after, max, wait)).await
    }

    async fn commit(&self, commit: Commit) -> Result<()> {
        let (link, commit) = (&self.0, &commit);
        let sent = link.send(Kind::Write, || async move {
            let done = self.inner().commit(commit.clone()).await;
            match &done {
                Ok(()) => link.witness.committed(link.host, commit),
                Err(StorageError::Fenced { .. }) => link.witness.reach(Goal::FencedCommit),
                Err(_) => {}
            }
            done
        });
        let done = sent.await;
        if done.is_ok() {
            link.witness.acknowledged(commit);
        }
        done
    }

    async fn load_thread(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<LoadedThread>> {
        self.0.send(Kind::Read, || self.inner().load_thread(partition, thread)).await
    }

    async fn active_threads(&self, partition: PartitionId) -> Result<Vec<(ThreadKey, Millis)>> {
        self.0.send(Kind::Read, || self.inner().active_threads(partition)).await
    }

    async fn read_checkpoint(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        id: CheckpointId,
    ) -> Result<Option<Bytes>> {
        self.0.send(Kind::Read, || self.inner().read_checkpoint(partition, thread, id)).await
    }

    async fn list_checkpoints(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        before: Option<CheckpointId>,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        let list = || self.inner().list_checkpoints(partition, thread, before, max);
        self.0.send(Kind::Read, list).await
    }

    async fn read_header(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<HeaderRecord>> {
        self.0.send(Kind::Read, || self.inner().read_header(partition, thread)).await
    }

    async fn list_threads(
        &self,
        partition: PartitionId,
        from: Option<u64>,
        max: usize,
    ) -> Result<ThreadPage> {
        self.0.send(Kind::Read, || self.inner().list_threads(partition, from, max)).await
    }

    async fn read_events(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.0.send(Kind::Read, || self.inner().read_events(partition, run, after, max)).await
    }

    async fn last_events(
        &self,
        partition: PartitionId,
        run: RunId,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.0.send(Kind::Read, || self.inner().last_events(partition, run, max)).await
    }

    async fn watch_events(&self, partition: PartitionId, run: RunId) -> Result<EventWatch> {
        self.0.send(Kind::Read, || self.inner().watch_events(partition, run)).await
    }

    async fn watch_end(&self, partition: PartitionId, run: RunId) -> Result<EventWatch> {
        self.0.send(Kind::Read, || self.inner().watch_end(partition, run)).await
    }

    async fn fetch(
        &self,
        worker: &WorkerId,
        queues: &[QueueName],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>> {
        let wait = if self.oversleeps(wait).await { Duration::ZERO } else { wait };
        self.take(worker, || self.inner().fetch(worker, queues, max, wait), false).await
    }

    async fn hand_in(&self, worker: &WorkerId, parts: Vec<HandIn>) -> Result<()> {
        let (link, parts) = (&self.0, &parts);
        link.send(Kind::Write, || async move {
            let mut is_taken = Vec::with_capacity(parts.len());
            for (nth, part) in parts.iter().enumerate() {
                is_taken.push(match &part.finished {
                    // Only the first of equals finishes it.
                    Some(_) if parts[..nth].iter().any(|it| it.finished == part.finished) => false,
                    Some(receipt) => {
                        let asked = std::slice::from_ref(receipt);
                        self.inner().confirm(worker, asked).await?.first() == Some(&true)
                    }
                    None => true,
                });
            }
            self.inner().hand_in(worker, parts.clone()).await?;
            link.witness.handed_in(link.host, parts, &is_taken);
            link.hand.finish(parts.iter().filter_map(|part| part.finished.as_ref()));
            Ok(())
        })
        .await
    }

    async fn heartbeat(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<()> {
        self.0.send(Kind::Touch, || self.inner().heartbeat(worker, queues)).await
    }

    async fn reclaim(
        &self,
        worker: &WorkerId,
        queues: &[QueueName],
        dead_after: Duration,
        max: usize,
    ) -> Result<Vec<Delivery>> {
        let reclaim = || self.inner().reclaim(worker, queues, dead_after, max);
        self.take(worker, reclaim, true).await
    }

    async fn confirm(&self, worker: &WorkerId, receipts: &[Receipt]) -> Result<Vec<bool>> {
        let link = &self.0;
        link.send(Kind::Read, || async move {
            let answers = self.inner().confirm(worker, receipts).await?;
            if answers.contains(&false) {
                link.witness.reach(Goal::ConfirmRefused);
            }
            let refused = receipts.iter().zip(&answers).filter(|(_, is_assigned)| !**is_assigned);
            link.hand.finish(refused.map(|(receipt, _)| receipt));
            Ok(answers)
        })
        .await
    }

    async fn retire(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<()> {
        let link = &self.0;
        link.send(Kind::Touch, || async move {
            link.witness.acted();
            link.witness.note(link.host, "retire", &[], || worker.to_string());
            if self.inner().fetch(worker, &[], 0, Duration::ZERO).await.is_ok() {
                link.witness.reach(Goal::HandedBack);
            }
            self.inner().retire(worker, queues).await
        })
        .await
    }

    async fn queued_orders(&self, partition: PartitionId) -> Result<Vec<QueuedOrder>> {
        self.0.send(Kind::Read, || self.inner().queued_orders(partition)).await
    }

    async fn describe_worker(&self, worker: &WorkerId, description: Bytes) -> Result<()> {
        let description = &description;
        let describe = || self.inner().describe_worker(worker, description.clone());
        self.0.send(Kind::Touch, describe).await
    }

    async fn list_workers(&self) -> Result<Vec<WorkerStatus>> {
        self.0.send(Kind::Read, || self.inner().list_workers()).await
    }

    async fn partition_status(&self, partition: PartitionId) -> Result<PartitionStatus> {
        self.0.send(Kind::Read, || self.inner().partition_status(partition)).await
    }

    async fn list_orders(&self, partition: PartitionId, max: usize) -> Result<Vec<OrderStatus>> {
        self.0.send(Kind::Read, || self.inner().list_orders(partition, max)).await
    }

    async fn list_dead_letters(
        &self,
        partition: PartitionId,
        after: Option<DeadLetterId>,
        max: usize,
    ) -> Result<Vec<DeadLetter>> {
        self.0.send(Kind::Read, || self.inner().list_dead_letters(partition, after, max)).await
    }

    async fn remove_dead_letter(&self, partition: PartitionId, id: DeadLetterId) -> Result<bool> {
        self.0.send(Kind::Touch, || self.inner().remove_dead_letter(partition, id)).await
    }

    async fn tell_worker(&self, worker: &WorkerId, mail: Vec<Bytes>) -> Result<()> {
        if self.0.chance(self.0.weather.rates.mail_lost) {
            self.0.witness.reach(Goal::MailLost);
            return Ok(());
        }
        let mail = &mail;
        self.0.send(Kind::Touch, || self.inner().tell_worker(worker, mail.clone())).await
    }

    async fn open_mailbox(&self, worker: &WorkerId, queues: &[QueueName]) -> Result<Mailbox> {
        self.0.send(Kind::Read, || self.inner().open_mailbox(worker, queues)).await
    }

    async fn tell_queue(&self, queue: &QueueName, mail: Vec<Bytes>) -> Result<()> {
        if self.0.chance(self.0.weather.rates.mail_lost) {
            self.0.witness.reach(Goal::MailLost);
            return Ok(());
        }
        let mail = &mail;
        self.0.send(Kind::Touch, || self.inner().tell_queue(queue, mail.clone())).await
    }

    async fn look_up_cache(
        &self,
        key: &CacheKey,
        holder: &str,
        hold: Duration,
    ) -> Result<CacheLookup> {
        self.0.send(Kind::Touch, || self.inner().look_up_cache(key, holder, hold)).await
    }

    async fn fill_cache(&self, key: &CacheKey, value: Bytes, ttl: Option<Duration>) -> Result<()> {
        let value = &value;
        self.0.send(Kind::Write, || self.inner().fill_cache(key, value.clone(), ttl)).await
    }

    async fn abandon_cache(&self, key: &CacheKey, holder: &str) -> Result<()> {
        self.0.send(Kind::Touch, || self.inner().abandon_cache(key, holder)).await
    }

    async fn clear_cache(&self, group: Option<&str>) -> Result<()> {
        self.0.send(Kind::Touch, || self.inner().clear_cache(group)).await
    }

    async fn put_item(&self, name: &ItemName, record: ItemRecord) -> Result<()> {
        let record = &record;
        self.0.send(Kind::Write, || self.inner().put_item(name, record.clone())).await
    }

    async fn read_item(&self, name: &ItemName) -> Result<Option<ItemRecord>> {
        self.0.send(Kind::Read, || self.inner().read_item(name)).await
    }

    async fn delete_item(&self, name: &ItemName) -> Result<()> {
        self.0.send(Kind::Touch, || self.inner().delete_item(name)).await
    }

    async fn touch_item(&self, name: &ItemName, expires_at: Millis) -> Result<()> {
        self.0.send(Kind::Touch, || self.inner().touch_item(name, expires_at)).await
    }

    async fn scan_items(
        &self,
        prefix: &[String],
        after: Option<&ItemName>,
        max: usize,
    ) -> Result<Vec<(ItemName, ItemRecord)>> {
        self.0.send(Kind::Read, || self.inner().scan_items(prefix, after, max)).await
    }

    async fn item_namespaces(&self, prefix: &[String]) -> Result<Vec<Namespace>> {
        self.0.send(Kind::Read, || self.inner().item_namespaces(prefix)).await
    }
}
