//! Work queues, and which worker has which order.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{Millis, PartitionId, QueueName, WorkerId};

use crate::clock::millis;
use crate::{Delivery, OrderGroup, QueuedOrder, Receipt};

/// How long the last heartbeat of a silent worker is remembered.
const REMEMBERED_MS: u64 = 60 * 60 * 1_000;

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

/// An order that its worker has finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) order: OrderId,
    pub(crate) group: OrderGroup,
}

/// An order that is queued or assigned.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) partition: PartitionId,
    pub(crate) queue: QueueName,
    pub(crate) group: OrderGroup,
    pub(crate) record: Bytes,
    pub(crate) entered: Millis,
    pub(crate) counts: Counts,
    pub(crate) holder: Option<WorkerId>,
}

/// All orders of a storage. Maps are ordered, so that equal histories give equal choices.
#[derive(Debug, Clone, Default)]
pub(crate) struct Work {
    orders: BTreeMap<OrderId, Order>,
    /// Orders that are decided and not queued yet.
    coming: HashSet<OrderId>,
    /// The orders of each group, those that are coming included.
    groups: HashMap<(PartitionId, OrderGroup), BTreeSet<OrderId>>,
    queues: BTreeMap<QueueName, VecDeque<OrderId>>,
    assigned: BTreeMap<WorkerId, BTreeSet<OrderId>>,
    heard: BTreeMap<WorkerId, Millis>,
    last_id: OrderId,
}

impl Work {
    /// Reserves ids for orders that are about to be queued; returns the first.
    pub(crate) fn reserve(&mut self, partition: PartitionId, orders: &[QueuedOrder]) -> OrderId {
        let first = self.last_id + 1;
        for order in orders {
            self.last_id += 1;
            self.coming.insert(self.last_id);
            self.groups.entry((partition, order.group)).or_default().insert(self.last_id);
        }
        first
    }

    /// Queues an order under its reserved id, unless it was withdrawn meanwhile.
    pub(crate) fn enqueue(
        &mut self,
        id: OrderId,
        partition: PartitionId,
        order: QueuedOrder,
        now: Millis,
    ) {
        if self.coming.remove(&id) {
            self.put(id, partition, order, now, Counts::default());
        }
    }

    /// Queues an order that survived a restart.
    pub(crate) fn put(
        &mut self,
        id: OrderId,
        partition: PartitionId,
        order: QueuedOrder,
        entered: Millis,
        counts: Counts,
    ) {
        self.last_id = self.last_id.max(id);
        let QueuedOrder { queue, group, order: record } = order;
        self.queues.entry(queue.clone()).or_default().push_back(id);
        self.groups.entry((partition, group)).or_default().insert(id);
        let order = Order { partition, queue, group, record, entered, counts, holder: None };
        self.orders.insert(id, order);
    }

    /// Takes out all orders of groups, also assigned ones and those that are not queued yet.
    pub(crate) fn withdraw(
        &mut self,
        partition: PartitionId,
        groups: &[OrderGroup],
    ) -> Vec<OrderId> {
        let mut withdrawn = Vec::new();
        let mut left_queues = BTreeSet::new();
        for group in groups {
            let ids = self.groups.remove(&(partition, *group)).unwrap_or_default();
            for id in &ids {
                self.coming.remove(id);
                let Some(order) = self.orders.remove(id) else { continue };
                match order.holder {
                    Some(holder) => self.unassign(&holder, *id),
                    None => drop(left_queues.insert(order.queue)),
                }
            }
            withdrawn.extend(ids);
        }
        for name in left_queues {
            if let Some(queue) = self.queues.get_mut(&name) {
                queue.retain(|id| self.orders.contains_key(id));
            }
        }
        withdrawn
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
    ) -> Option<Finished> {
        if partition != receipt.partition || !self.is_assigned(worker, receipt) {
            return None;
        }
        let id = receipt.id.0;
        let group = self.orders.remove(&id)?.group;
        if let Some(ids) = self.groups.get_mut(&(partition, group)) {
            ids.remove(&id);
            if ids.is_empty() {
                self.groups.remove(&(partition, group));
            }
        }
        self.unassign(worker, id);
        Some(Finished { order: id, group })
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
        // Workers that are long dead and hold nothing need not be remembered. Others may go by a
        // longer limit than this one.
        let assigned = &self.assigned;
        let remembered_ms = dead_after_ms.max(REMEMBERED_MS);
        self.heard.retain(|name, at| at.plus(remembered_ms) > now || assigned.contains_key(name));
        taken
            .into_iter()
            .filter_map(|(holder, id)| {
                self.unassign(&holder, id);
                self.assign(id, worker)
            })
            .collect()
    }

    /// Puts orders that never reached the worker back to the head of their queues, uncounted.
    #[cfg(feature = "disk")]
    pub(crate) fn put_back(&mut self, worker: &WorkerId, deliveries: &[Delivery]) {
        for Delivery { receipt, .. } in deliveries.iter().rev() {
            if !self.is_assigned(worker, receipt) {
                continue;
            }
            let id = receipt.id.0;
            self.unassign(worker, id);
            if let Some(order) = self.orders.get_mut(&id) {
                order.holder = None;
                order.counts.fetches = order.counts.fetches.saturating_sub(1);
                self.queues.entry(order.queue.clone()).or_default().push_front(id);
            }
        }
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

    /// Loses an order that no worker has ever had; false if there are not as many. Such a loss
    /// takes no number of an attempt with it that was used already.
    pub(crate) fn lose(&mut self, nth: usize) -> bool {
        let free = self.orders.iter().filter(|(_, order)| order.counts.given == 0);
        let Some(id) = free.map(|(id, _)| *id).nth(nth) else { return false };
        self.orders.remove(&id);
        for queue in self.queues.values_mut() {
            queue.retain(|queued| *queued != id);
        }
        true
    }

    /// The newest id that was given to an order.
    pub(crate) fn newest_order(&self) -> OrderId {
        self.last_id
    }

    /// Gives no order an id up to this one from now on.
    pub(crate) fn leave_out(&mut self, up_to: OrderId) {
        self.last_id = self.last_id.max(up_to);
    }

    /// The orders of a partition, in the order in which they were made.
    pub(crate) fn of_partition(&self, partition: PartitionId) -> impl Iterator<Item = &Order> {
        self.orders.values().filter(move |order| order.partition == partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: PartitionId = PartitionId(0);
    const GROUP: OrderGroup = OrderGroup([1; 16]);

    fn queue(name: &str) -> QueueName {
        QueueName::new(name).expect("an id")
    }

    fn worker(name: &str) -> WorkerId {
        WorkerId::new(name).expect("an id")
    }

    fn with_orders(names: &[&str]) -> Work {
        let mut work = Work::default();
        for name in names {
            let record = Bytes::from(format!("{}", work.last_id + 1));
            let order = QueuedOrder { queue: queue(name), group: GROUP, order: record };
            let id = work.reserve(P, std::slice::from_ref(&order));
            work.enqueue(id, P, order, Millis(0));
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
        assert_eq!(work.finish(&worker("w"), P, &first.receipt), None);
        let finished = Finished { order: 1, group: GROUP };
        assert_eq!(work.finish(&worker("w"), P, &second.receipt), Some(finished));
    }

    #[test]
    fn the_receipt_of_an_order_that_was_lost_fits_no_other() {
        let earlier = Work::default();
        let mut work = with_orders(&["a"]);
        let lost = work.fetch(&worker("w"), &[queue("a")], 1).remove(0);
        let newest = work.newest_order();
        work = earlier;
        work.leave_out(newest);
        let order = QueuedOrder { queue: queue("a"), group: GROUP, order: Bytes::new() };
        let id = work.reserve(P, std::slice::from_ref(&order));
        work.enqueue(id, P, order, Millis(0));
        let other = work.fetch(&worker("w"), &[queue("a")], 1).remove(0);
        assert_eq!(work.finish(&worker("w"), P, &lost.receipt), None);
        assert!(work.finish(&worker("w"), P, &other.receipt).is_some());
    }

    #[test]
    fn retired_orders_keep_their_place() {
        let mut work = with_orders(&["a", "a", "a"]);
        work.fetch(&worker("w"), &[queue("a")], 2);
        work.retire(&worker("w"), &[queue("a")]);
        assert_eq!(texts(&work.fetch(&worker("v"), &[queue("a")], 9)), ["1", "2", "3"]);
    }

    #[test]
    fn an_order_that_is_withdrawn_before_it_is_queued_never_is() {
        let mut work = Work::default();
        let order = QueuedOrder { queue: queue("a"), group: GROUP, order: Bytes::new() };
        let id = work.reserve(P, std::slice::from_ref(&order));
        assert!(work.withdraw(PartitionId(1), &[GROUP]).is_empty(), "that of another partition");
        assert_eq!(work.withdraw(P, &[GROUP]), [id]);
        work.enqueue(id, P, order, Millis(0));
        assert_eq!(work.of_partition(P).count(), 0);
        assert_eq!(work.fetch(&worker("w"), &[queue("a")], 9), []);
    }

    #[test]
    fn nothing_is_left_of_orders_that_are_gone() {
        let mut work = with_orders(&["a", "a", "b"]);
        let first = work.fetch(&worker("w"), &[queue("a")], 1).remove(0);
        work.finish(&worker("w"), P, &first.receipt);
        work.fetch(&worker("w"), &[queue("b")], 1);
        assert_eq!(work.withdraw(P, &[GROUP, GROUP]), [2, 3]);
        assert!(work.orders.is_empty() && work.coming.is_empty() && work.groups.is_empty());
        assert!(work.assigned.is_empty() && work.queues.values().all(VecDeque::is_empty));
    }

    #[test]
    fn the_dead_are_forgotten_once_they_hold_nothing() {
        let mut work = with_orders(&["a"]);
        work.heartbeat(&worker("dead"), Millis(0));
        work.fetch(&worker("dead"), &[queue("a")], 1);
        let limit = Duration::from_millis(10);
        let late = Millis(REMEMBERED_MS);
        assert_eq!(work.reclaim(&worker("w"), &[queue("a")], limit, 9, late).len(), 1);
        work.reclaim(&worker("w"), &[queue("a")], limit, 9, late);
        assert!(work.heard.is_empty());
    }

    #[test]
    fn each_reclaim_goes_by_its_own_limit() {
        let mut work = with_orders(&["a"]);
        work.heartbeat(&worker("slow"), Millis(0));
        let reclaim = |work: &mut Work, limit| {
            let limit = Duration::from_millis(limit);
            work.reclaim(&worker("w"), &[queue("a")], limit, 9, Millis(10)).len()
        };
        assert_eq!(reclaim(&mut work, 1), 0, "it holds nothing yet");
        work.fetch(&worker("slow"), &[queue("a")], 1);
        assert_eq!(reclaim(&mut work, 100), 0, "for this one it lives");
    }
}
