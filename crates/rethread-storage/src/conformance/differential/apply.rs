//! Performs an operation on a storage and says what came of it, in words that mean the same on
//! every adapter.

use std::time::Duration;

use rethread_core::ids::{PartitionId, QueueName};

use super::dump::partition_dump;
use super::op::{Ago, Change, Life, Op, Part};
use super::side::{
    LONG, Side, all_queues, cache_key, end, group_name, item_name, labels, lasting, named,
    queue_name, run_id, said, show, value, worker_of,
};
use crate::conformance::kit::{NO_WAIT, checkpoint_id, node, op as op_id, thread};
use crate::{Acquisition, Commit, HandIn, InboxCursor, ItemName, ItemRecord, Lease, Result};

const NOTHING: &str = "nothing to name";

/// More than there ever are.
const ALL: usize = 10_000;

impl Side {
    /// Performs an operation; the answer in words.
    pub(super) async fn apply(&mut self, op: &Op) -> String {
        match op {
            Op::Acquire { .. }
            | Op::Renew { .. }
            | Op::Release { .. }
            | Op::Announce { .. }
            | Op::WithdrawNode { .. } => self.apply_ownership(op).await,
            Op::Submit { .. } | Op::Read { .. } => self.apply_inbox(op).await,
            Op::Commit { lease, skew, change } => self.apply_commit(*lease, *skew, change).await,
            Op::RepeatCommit => match self.last_commit.clone() {
                Some(commit) => said(self.storage.commit(commit).await),
                None => NOTHING.to_owned(),
            },
            Op::Load { .. }
            | Op::ReadHeader { .. }
            | Op::ReadCheckpoint { .. }
            | Op::ListCheckpoints { .. }
            | Op::ReadEvents { .. }
            | Op::RemoveLetter { .. }
            | Op::ListLetters { .. }
            | Op::Look { .. } => self.apply_reading(op).await,
            Op::Fetch { .. }
            | Op::FetchAll { .. }
            | Op::HandIn { .. }
            | Op::Heartbeat { .. }
            | Op::Reclaim { .. }
            | Op::Confirm { .. }
            | Op::Retire { .. }
            | Op::Describe { .. } => said(self.apply_work(op).await),
            Op::LookUp { .. } | Op::Fill { .. } | Op::Abandon { .. } | Op::Clear { .. } => {
                self.apply_cache(op).await
            }
            Op::PutItem { .. }
            | Op::ReadItem { .. }
            | Op::DeleteItem { .. }
            | Op::TouchItem { .. }
            | Op::ScanItems { .. }
            | Op::Namespaces { .. } => self.apply_items(op).await,
        }
    }

    async fn apply_ownership(&mut self, op: &Op) -> String {
        match op {
            Op::Acquire { partition, node: name, lasts } => {
                let id = PartitionId(*partition);
                let answer = self.storage.acquire(id, &node_of(*name), lasting(*lasts)).await;
                match answer {
                    Ok(Acquisition::Acquired { lease, last_commit }) => {
                        self.leases.push(lease);
                        self.known(*partition).last_commit = last_commit;
                        format!("epoch {} behind {last_commit}", lease.token.epoch)
                    }
                    Ok(Acquisition::Held { by, .. }) => format!("held by {by:?}"),
                    Err(error) => said::<()>(Err(error)),
                }
            }
            Op::Renew { leases, lasts } => {
                let asked: Vec<_> =
                    leases.iter().filter_map(|ago| named(&self.leases, *ago)).collect();
                let lost = self.storage.renew(&asked, lasting(*lasts)).await;
                said(
                    lost.map(|lost| {
                        asked.iter().map(|lease| lost.contains(lease)).collect::<Vec<_>>()
                    }),
                )
            }
            Op::Release { lease } => match named(&self.leases, *lease) {
                Some(lease) => said(self.storage.release(&lease).await),
                None => NOTHING.to_owned(),
            },
            Op::Announce { node: name, lasts } => {
                said(self.storage.announce_node(&node_of(*name), lasting(*lasts)).await)
            }
            Op::WithdrawNode { node: name } => {
                said(self.storage.withdraw_node(&node_of(*name)).await)
            }
            _ => unreachable!("invariant: the others are not asked for here"),
        }
    }

    async fn apply_inbox(&mut self, op: &Op) -> String {
        match op {
            Op::Submit { partition, op, message } => {
                let id = PartitionId(*partition);
                let op = op_id(u128::from(*op));
                said(self.storage.submit(id, op, value(*message)).await)
            }
            Op::Read { partition, after, max } => {
                let cursors = &self.known(*partition).cursors;
                let after = after.and_then(|ago| named(cursors, ago));
                self.read(*partition, after.unwrap_or(InboxCursor::START), *max).await
            }
            _ => unreachable!("invariant: the others are not asked for here"),
        }
    }

    /// Reads messages and remembers where they stand.
    pub(super) async fn read(&mut self, partition: u16, after: InboxCursor, max: usize) -> String {
        let from = [(PartitionId(partition), after)];
        match self.storage.read_inboxes(&from, max, NO_WAIT).await {
            Ok(items) => {
                let known = self.known(partition);
                for item in &items {
                    if known.cursors.iter().all(|cursor| *cursor != item.cursor) {
                        known.cursors.push(item.cursor);
                        known.cursors.sort();
                    }
                }
                format!("{:?}", items.iter().map(|it| show(&it.message)).collect::<Vec<_>>())
            }
            Err(error) => said::<()>(Err(error)),
        }
    }

    async fn apply_commit(&mut self, lease: Ago, skew: i64, change: &Change) -> String {
        let Some(lease) = named::<Lease>(&self.leases, lease) else { return NOTHING.to_owned() };
        let commit: Commit = self.commit(lease, skew, change);
        let answer = self.storage.commit(commit.clone()).await;
        let is_next = commit.number == self.known(lease.partition.0).last_commit + 1;
        if answer.is_ok() && is_next {
            self.committed(&commit, change);
        }
        self.last_commit = Some(commit);
        said(answer)
    }

    async fn apply_reading(&mut self, op: &Op) -> String {
        let storage = &self.storage;
        match op {
            Op::Load { partition, thread: n } => {
                said(storage.load_thread(PartitionId(*partition), thread(*n)).await)
            }
            Op::ReadHeader { partition, thread: n } => {
                said(storage.read_header(PartitionId(*partition), thread(*n)).await)
            }
            Op::ReadCheckpoint { partition, thread: n, checkpoint } => {
                let (id, checkpoint) =
                    (PartitionId(*partition), checkpoint_id((*checkpoint).into()));
                said(storage.read_checkpoint(id, thread(*n), checkpoint).await)
            }
            Op::ListCheckpoints { partition, thread: n, before, max } => {
                let before = before.map(|id| checkpoint_id(id.into()));
                let id = PartitionId(*partition);
                said(storage.list_checkpoints(id, thread(*n), before, *max).await)
            }
            Op::ReadEvents { partition, run, after, max } => {
                let run = run_id(run % 3, *run);
                said(storage.read_events(PartitionId(*partition), run, *after, *max).await)
            }
            Op::RemoveLetter { partition, letter } => {
                let id = PartitionId(*partition);
                match named(&self.partitions[usize::from(*partition)].letters, *letter) {
                    Some(letter) => said(storage.remove_dead_letter(id, letter).await),
                    None => NOTHING.to_owned(),
                }
            }
            Op::ListLetters { partition, after, max } => {
                let known = &self.partitions[usize::from(*partition)].letters;
                let after = after.and_then(|ago| named(known, ago));
                let id = PartitionId(*partition);
                let found = storage.list_dead_letters(id, after, *max).await.unwrap_or_default();
                let shown: Vec<_> = found.iter().map(|it| show(&it.record)).collect();
                let known = &mut self.known(*partition).letters;
                known.extend(found.into_iter().map(|it| it.id));
                known.sort();
                known.dedup();
                format!("{shown:?}")
            }
            Op::Look { partition } => partition_dump(self, *partition).await,
            _ => unreachable!("invariant: the others are not asked for here"),
        }
    }

    async fn apply_work(&mut self, op: &Op) -> Result<String> {
        match op {
            Op::Fetch { worker, partition, queue, max } => {
                let (worker, queues) = (worker_of(*worker), [queue_name(*partition, *queue)]);
                let found = self.storage.fetch(&worker, &queues, *max, NO_WAIT).await?;
                Ok(self.delivered(&worker, found))
            }
            Op::FetchAll { worker } => self.fetch_all(*worker, &all_queues()).await,
            Op::HandIn { stranger, parts } => self.hand_in(*stranger, parts).await,
            Op::Heartbeat { worker } => {
                self.storage.heartbeat(&worker_of(*worker), &all_queues()).await?;
                Ok(String::new())
            }
            Op::Reclaim { worker, partition, queue, by_silence } => {
                let (worker, queues) = (worker_of(*worker), [queue_name(*partition, *queue)]);
                let dead_after = if *by_silence { LONG } else { Duration::ZERO };
                let mut found = self.storage.reclaim(&worker, &queues, dead_after, ALL).await?;
                found.sort_by(|a, b| a.order.cmp(&b.order));
                Ok(self.delivered(&worker, found))
            }
            Op::Confirm { worker, receipts } => {
                let named = receipts.iter().filter_map(|ago| named(&self.receipts, *ago));
                let worker = worker_of(*worker);
                let own = named.filter(|held| held.worker == worker);
                let receipts: Vec<_> = own.map(|held| held.receipt).collect();
                let answer = self.storage.confirm(&worker, &receipts).await?;
                Ok(format!("{answer:?}"))
            }
            Op::Retire { worker, heir, all } => {
                let queues = if *all { all_queues() } else { vec![queue_name(0, 0)] };
                self.storage.retire(&worker_of(*worker), &queues).await?;
                self.fetch_all(*heir, &queues).await
            }
            Op::Describe { worker, description } => {
                let description = value(*description);
                self.storage.describe_worker(&worker_of(*worker), description).await?;
                Ok(String::new())
            }
            _ => unreachable!("invariant: the others are not asked for here"),
        }
    }

    async fn fetch_all(&mut self, worker: u8, queues: &[QueueName]) -> Result<String> {
        let worker = worker_of(worker);
        let mut all = Vec::new();
        loop {
            let found = self.storage.fetch(&worker, queues, ALL, NO_WAIT).await?;
            if found.is_empty() {
                break;
            }
            all.extend(found);
        }
        all.sort_by(|a, b| a.order.cmp(&b.order));
        Ok(self.delivered(&worker, all))
    }

    async fn hand_in(&self, stranger: bool, parts: &[Part]) -> Result<String> {
        let mut worker = worker_of(0);
        let mut handed = Vec::new();
        for part in parts {
            let receipt = part.receipt.and_then(|ago| named(&self.receipts, ago));
            if let (true, Some(held)) = (handed.is_empty(), &receipt) {
                worker = held.worker.clone();
            }
            // A worker has its own receipts, and a stranger none that counts.
            let own = receipt.filter(|held| stranger || held.worker == worker);
            let finished = own.map(|held| held.receipt);
            let partition =
                finished.as_ref().map_or(PartitionId(part.partition), |it| it.partition);
            let messages = part.messages.iter().map(|label| value(*label)).collect();
            handed.push(HandIn { partition, finished, messages });
        }
        if stranger {
            worker = worker_of(9);
        }
        self.storage.hand_in(&worker, handed).await?;
        Ok(String::new())
    }

    async fn apply_cache(&self, op: &Op) -> String {
        let storage = &self.storage;
        match op {
            Op::LookUp { key, holder } => {
                let holder = format!("holder {holder}");
                said(storage.look_up_cache(&cache_key(*key), &holder, LONG).await)
            }
            Op::Fill { key, value: label, life } => {
                let ttl = match life {
                    Life::Endless => None,
                    Life::Long => Some(LONG),
                    Life::Over => Some(Duration::ZERO),
                };
                said(storage.fill_cache(&cache_key(*key), value(*label), ttl).await)
            }
            Op::Abandon { key, holder } => {
                said(storage.abandon_cache(&cache_key(*key), &format!("holder {holder}")).await)
            }
            Op::Clear { group } => {
                said(storage.clear_cache(group.map(group_name).as_deref()).await)
            }
            _ => unreachable!("invariant: the others are not asked for here"),
        }
    }

    async fn apply_items(&self, op: &Op) -> String {
        let storage = &self.storage;
        match op {
            Op::PutItem { item, record, life } => {
                let record = ItemRecord { record: value(*record), expires_at: end(*life) };
                said(storage.put_item(&item_name(*item), record).await)
            }
            Op::ReadItem { item } => said(storage.read_item(&item_name(*item)).await),
            Op::DeleteItem { item } => said(storage.delete_item(&item_name(*item)).await),
            Op::TouchItem { item, lasts } => {
                let life = if *lasts { Life::Long } else { Life::Over };
                let at = end(life).unwrap_or_default();
                said(storage.touch_item(&item_name(*item), at).await)
            }
            Op::ScanItems { prefix, after, max } => {
                let prefix = labels(*prefix);
                let after: Option<ItemName> = after.map(item_name);
                said(storage.scan_items(&prefix, after.as_ref(), *max).await)
            }
            Op::Namespaces { prefix } => said(storage.item_namespaces(&labels(*prefix)).await),
            _ => unreachable!("invariant: the others are not asked for here"),
        }
    }
}

fn node_of(n: u8) -> rethread_core::ids::NodeId {
    node(&format!("n{n}"))
}
