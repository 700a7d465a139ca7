//! Work queues, and which worker has which order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{Millis, PartitionId, QueueName, WorkerId};

use crate::clock::millis;
use crate::{Delivery, OrderGroup, QueuedOrder, Receipt};

/// Numbers orders in the order in which they were made.
pub(crate) type OrderId = u64;

/// How often an order was given to a worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Without those times that it was handed back.
    pub(crate) fetches: u32,
    /// At all.
    pub(crate) given: u32,
}

/// The counts of an order, to be stored.
pub(crate) type Counted = (PartitionId, OrderId, Counts);

/// An order that is queued or assigned.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) partition: PartitionId,
    pub(crate) queue: QueueName,
    pub(crate) record: Bytes,
    pub(crate) counts: Counts,
    holder: Option<WorkerId>,
}

/// All orders of a storage. Maps are ordered, so that equal histories give equal choices.
#[derive(Debug, Default)]
pub(crate) struct Work {
    orders: BTreeMap<OrderId, Order>,
    queues: BTreeMap<QueueName, VecDeque<OrderId>>,
    assigned: BTreeMap<WorkerId, BTreeSet<OrderId>>,
    heard: BTreeMap<WorkerId, Millis>,
    last_id: OrderId,
}

impl Work {
    /// Reserves ids for orders that are about to be queued; returns the first.
    pub(crate) fn reserve(&mut self, count: usize) -> OrderId {
        let first = self.last_id + 1;
        self.last_id += count as u64;
        first
    }

    pub(crate) fn enqueue(&mut self, id: OrderId, partition: PartitionId, order: QueuedOrder) {
        self.put(id, partition, order, Counts::default());
    }

    /// Queues an order that survived a restart.
    pub(crate) fn put(
        &mut self,
        id: OrderId,
        partition: PartitionId,
        order: QueuedOrder,
        counts: Counts,
    ) {
        self.last_id = self.last_id.max(id);
        self.queues.entry(order.queue.clone()).or_default().push_back(id);
        let order =
            Order { partition, queue: order.queue, record: order.order, counts, holder: None };
        self.orders.insert(id, order);
    }

    /// Assigns queued orders, one of each queue in turn.
    pub(crate) fn fetch(
        &mut self,
        worker: &WorkerId,
        queues: &[QueueName],
        max: usize,
    ) -> Vec<Delivery> {
        let mut found = Vec::new();
        loop {
            let before = found.len();
            for name in queues {
                if found.len() >= max {
                    return found;
                }
                let Some(queue) = self.queues.get_mut(name) else { continue };
                if let Some(id) = queue.pop_front() {
                    found.extend(self.assign(id, worker));
                } else {
                    self.queues.remove(name);
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }

    fn assign(&mut self, id: OrderId, worker: &WorkerId) -> Option<Delivery> {
        let order = self.orders.get_mut(&id)?;
        order.holder = Some(worker.clone());
        let counts = &mut order.counts;
        counts.fetches = counts.fetches.saturating_add(1);
        counts.given = counts.given.saturating_add(1);
        self.assigned.entry(worker.clone()).or_default().insert(id);
        Some(Delivery {
            receipt: Receipt {
                partition: order.partition,
                queue: order.queue.clone(),
                id: (id, u64::from(order.counts.given)),
            },
            fetches: order.counts.fetches,
            given: order.counts.given,
            order: order.record.clone(),
        })
    }

    /// Takes out an order that its worker has finished; none if it is not assigned by this
    /// receipt any more.
    pub(crate) fn finish(
        &mut self,
        worker: &WorkerId,
        partition: PartitionId,
        receipt: &Receipt,
    ) -> Option<OrderId> {
        if partition != receipt.partition || !self.is_assigned(worker, receipt) {
            return None;
        }
        let id = receipt.id.0;
        self.orders.remove(&id);
        self.unassign(worker, id);
        Some(id)
    }

    /// Whether an order is assigned to the worker by this receipt.
    pub(crate) fn is_assigned(&self, worker: &WorkerId, receipt: &Receipt) -> bool {
        let (id, given) = receipt.id;
        self.orders.get(&id).is_some_and(|order| {
            order.holder.as_ref() == Some(worker)
                && u64::from(order.counts.given) == given
                && order.partition == receipt.partition
        })
    }

    fn unassign(&mut self, worker: &WorkerId, id: OrderId) {
        if let Some(ids) = self.assigned.get_mut(worker) {
            ids.remove(&id);
            if ids.is_empty() {
                self.assigned.remove(worker);
            }
        }
    }

    pub(crate) fn heartbeat(&mut self, worker: &WorkerId, now: Millis) {
        self.heard.insert(worker.clone(), now);
    }

    /// Assigns orders of dead workers to a living one, the oldest orders of each first.
    pub(crate) fn reclaim(
        &mut self,
        worker: &WorkerId,
        queues: &[QueueName],
        dead_after: Duration,
        max: usize,
        now: Millis,
    ) -> Vec<Delivery> {
        let dead_after_ms = millis(dead_after);
        let is_dead = |heard: Option<&Millis>| heard.is_none_or(|at| at.plus(dead_after_ms) <= now);
        let mut taken = Vec::new();
        for (holder, ids) in &self.assigned {
            if holder != worker && is_dead(self.heard.get(holder)) {
                let ours = ids.iter().filter(|id| self.is_of(**id, queues));
                taken.extend(ours.take(max - taken.len()).map(|id| (holder.clone(), *id)));
            }
        }
        // Workers that are long dead and hold nothing need not be remembered.
        let assigned = &self.assigned;
        self.heard.retain(|name, at| !is_dead(Some(at)) || assigned.contains_key(name));
        taken
            .into_iter()
            .filter_map(|(holder, id)| {
                self.unassign(&holder, id);
                self.assign(id, worker)
            })
            .collect()
    }

    /// Puts a worker's orders back to the head of their queues, uncounted, and forgets the
    /// worker. Returns the counts of these orders.
    pub(crate) fn retire(&mut self, worker: &WorkerId, queues: &[QueueName]) -> Vec<Counted> {
        self.heard.remove(worker);
        let held = self.assigned.remove(worker).unwrap_or_default();
        let (back, kept): (BTreeSet<_>, BTreeSet<_>) =
            held.into_iter().partition(|id| self.is_of(*id, queues));
        if !kept.is_empty() {
            self.assigned.insert(worker.clone(), kept);
        }
        let mut counted = Vec::with_capacity(back.len());
        for id in back.into_iter().rev() {
            if let Some(order) = self.orders.get_mut(&id) {
                order.holder = None;
                order.counts.fetches = order.counts.fetches.saturating_sub(1);
                counted.push((order.partition, id, order.counts));
                self.queues.entry(order.queue.clone()).or_default().push_front(id);
            }
        }
        counted
    }

    fn is_of(&self, id: OrderId, queues: &[QueueName]) -> bool {
        self.orders.get(&id).is_some_and(|order| queues.contains(&order.queue))
    }

    pub(crate) fn of_partition(&self, partition: PartitionId) -> Vec<QueuedOrder> {
        let ours = self.orders.values().filter(|order| order.partition == partition);
        ours.map(|order| QueuedOrder {
            queue: order.queue.clone(),
            group: OrderGroup([0; 16]),
            order: order.record.clone(),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str) -> QueueName {
        QueueName::new(name).expect("an id")
    }

    fn worker(name: &str) -> WorkerId {
        WorkerId::new(name).expect("an id")
    }

    fn with_orders(names: &[&str]) -> Work {
        let mut work = Work::default();
        for name in names {
            let id = work.reserve(1);
            let order = QueuedOrder {
                queue: queue(name),
                group: OrderGroup([1; 16]),
                order: Bytes::from(format!("{id}")),
            };
            work.enqueue(id, PartitionId(0), order);
        }
        work
    }

    fn texts(deliveries: &[Delivery]) -> Vec<&str> {
        deliveries.iter().map(|d| std::str::from_utf8(&d.order).expect("text")).collect()
    }

    #[test]
    fn queues_take_turns() {
        let mut work = with_orders(&["a", "a", "a", "b"]);
        let got = work.fetch(&worker("w"), &[queue("a"), queue("b")], 3);
        assert_eq!(texts(&got), ["1", "4", "2"]);
    }

    #[test]
    fn a_receipt_of_an_earlier_assignment_is_void() {
        let mut work = with_orders(&["a"]);
        let first = work.fetch(&worker("w"), &[queue("a")], 1).remove(0);
        work.retire(&worker("w"), &[queue("a")]);
        let second = work.fetch(&worker("w"), &[queue("a")], 1).remove(0);
        assert_eq!((second.fetches, second.given), (1, 2));
        assert_eq!(work.finish(&worker("w"), PartitionId(0), &first.receipt), None);
        assert_eq!(work.finish(&worker("w"), PartitionId(0), &second.receipt), Some(1));
    }

    #[test]
    fn retired_orders_keep_their_place() {
        let mut work = with_orders(&["a", "a", "a"]);
        work.fetch(&worker("w"), &[queue("a")], 2);
        work.retire(&worker("w"), &[queue("a")]);
        assert_eq!(texts(&work.fetch(&worker("v"), &[queue("a")], 9)), ["1", "2", "3"]);
    }

    #[test]
    fn the_dead_are_forgotten_once_they_hold_nothing() {
        let mut work = with_orders(&["a"]);
        work.heartbeat(&worker("dead"), Millis(0));
        work.fetch(&worker("dead"), &[queue("a")], 1);
        let limit = Duration::from_millis(10);
        assert_eq!(work.reclaim(&worker("w"), &[queue("a")], limit, 9, Millis(10)).len(), 1);
        work.reclaim(&worker("w"), &[queue("a")], limit, 9, Millis(10));
        assert!(work.heard.is_empty());
    }
}
