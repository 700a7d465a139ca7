//! What the cases are written with.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::ids::{
    CheckpointId, NodeId, OpId, PartitionId, QueueName, RunId, ThreadKey, WorkerId,
};

use crate::{
    Acquisition, CheckpointWrite, Commit, Delivery, EventWrite, HandIn, InboxCursor, InboxItem,
    JournalWrite, Lease, LoadedThread, OrderGroup, QueuedOrder, Receipt, Result, Storage,
    ThreadWrite,
};

pub(super) type Shared = Arc<dyn Storage>;

pub(super) const P0: PartitionId = PartitionId(0);
pub(super) const P1: PartitionId = PartitionId(1);
pub(super) const P2: PartitionId = PartitionId(2);
pub(super) const P3: PartitionId = PartitionId(3);

/// A lease that does not expire during a case.
pub(super) const LONG: Duration = Duration::from_secs(600);

/// A lease or limit whose end a case waits for.
pub(super) const SHORT: Duration = Duration::from_millis(40);

/// A wait that only ends early.
pub(super) const PATIENT: Duration = Duration::from_secs(60);

/// A wait that is meant to end without a find.
pub(super) const BRIEF: Duration = Duration::from_millis(30);

pub(super) const NO_WAIT: Duration = Duration::ZERO;

pub(super) fn node(name: &str) -> NodeId {
    NodeId::new(name).expect("a node id")
}

pub(super) fn worker(name: &str) -> WorkerId {
    WorkerId::new(name).expect("a worker id")
}

pub(super) fn queue(name: &str) -> QueueName {
    QueueName::new(name).expect("a queue name")
}

pub(super) fn thread(n: u8) -> ThreadKey {
    ThreadKey::from_bytes([n; 16])
}

pub(super) fn run(n: u128) -> RunId {
    format!("{n:032x}").parse().expect("a UUID")
}

pub(super) fn checkpoint_id(n: u128) -> CheckpointId {
    format!("{n:032x}").parse().expect("a UUID")
}

pub(super) fn op(n: u128) -> OpId {
    OpId::from_random(n)
}

pub(super) fn bytes(text: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(text.as_ref())
}

/// `count` texts, numbered from `first`.
pub(super) fn texts(prefix: &str, first: usize, count: usize) -> Vec<Bytes> {
    (first..first + count).map(|n| bytes(format!("{prefix}{n}"))).collect()
}

/// Values that an adapter could take for something else.
pub(super) fn awkward() -> Vec<Bytes> {
    let mut values = vec![
        Bytes::new(),
        bytes([0]),
        bytes([0, 0, 0xff, 0xfe]),
        bytes("\r\n$-1\r\n*0\r\n"),
        bytes("nil"),
        bytes("0"),
        bytes([0xc3, 0x28]),
    ];
    values.push((0..=255u8).collect());
    values
}

/// One mebibyte that does not compress to nothing.
pub(super) fn mebibyte() -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..1 << 20).map(|_| next()).collect()
}

/// An owner of one partition that counts its commits.
#[derive(Clone)]
pub(super) struct Owner {
    pub(super) storage: Shared,
    pub(super) lease: Lease,
    pub(super) last_commit: u64,
}

/// Acquires a partition that must be free.
pub(super) async fn own(storage: &Shared, partition: PartitionId) -> Owner {
    own_as(storage, partition, "owner", LONG).await
}

pub(super) async fn own_as(
    storage: &Shared,
    partition: PartitionId,
    name: &str,
    ttl: Duration,
) -> Owner {
    match storage.acquire(partition, &node(name), ttl).await {
        Ok(Acquisition::Acquired { lease, last_commit }) => {
            assert_eq!(lease.partition, partition, "the lease names the wrong partition");
            Owner { storage: Arc::clone(storage), lease, last_commit }
        }
        other => panic!("{name} should acquire {partition}: {other:?}"),
    }
}

/// Acquires a partition as soon as its lease has expired.
pub(super) async fn own_after_expiry(
    storage: &Shared,
    partition: PartitionId,
    name: &str,
) -> Owner {
    loop {
        match storage.acquire(partition, &node(name), LONG).await {
            Ok(Acquisition::Acquired { lease, last_commit }) => {
                return Owner { storage: Arc::clone(storage), lease, last_commit };
            }
            Ok(Acquisition::Held { expires_in_ms, .. }) => {
                tokio::time::sleep(Duration::from_millis(expires_in_ms.clamp(1, 50))).await;
            }
            Err(error) => panic!("{name} should acquire {partition}: {error}"),
        }
    }
}

impl Owner {
    /// The next commit, with nothing in it.
    pub(super) fn next(&self) -> Commit {
        Commit::new(self.lease, self.last_commit + 1)
    }

    /// Makes the next commit with what `fill` puts into it.
    pub(super) async fn try_commit(&mut self, fill: impl FnOnce(&mut Commit)) -> Result<()> {
        let mut commit = self.next();
        fill(&mut commit);
        let result = self.storage.commit(commit).await;
        if result.is_ok() {
            self.last_commit += 1;
        }
        result
    }

    pub(super) async fn commit(&mut self, fill: impl FnOnce(&mut Commit)) {
        let number = self.last_commit + 1;
        if let Err(error) = self.try_commit(fill).await {
            panic!("commit {number} should succeed: {error}");
        }
    }

    pub(super) async fn write(&mut self, write: ThreadWrite) {
        self.commit(|commit| commit.threads.push(write)).await;
    }

    pub(super) async fn consume(&mut self, up_to: InboxCursor) {
        self.commit(|commit| commit.consumed = Some(up_to)).await;
    }

    pub(super) async fn order(&mut self, name: &str, orders: &[Bytes]) {
        let orders: Vec<_> = orders.iter().map(|order| queued(name, order)).collect();
        self.commit(|commit| commit.orders = orders).await;
    }

    pub(super) async fn load(&self, thread: ThreadKey) -> LoadedThread {
        let loaded = self.storage.load_thread(self.lease.partition, thread).await;
        loaded.expect("load_thread succeeds").expect("the thread exists")
    }
}

pub(super) fn queued(name: &str, order: &Bytes) -> QueuedOrder {
    QueuedOrder { queue: queue(name), group: OrderGroup([1; 16]), order: order.clone() }
}

/// A change that gives a thread a header, so that it can be loaded.
pub(super) fn headed(thread: ThreadKey) -> ThreadWrite {
    ThreadWrite { header: Some(bytes("header")), ..ThreadWrite::none(thread) }
}

pub(super) fn append(thread: ThreadKey, entries: Vec<Bytes>) -> ThreadWrite {
    ThreadWrite { journal: JournalWrite::Append(entries), ..headed(thread) }
}

pub(super) fn replace(thread: ThreadKey, entries: Vec<Bytes>) -> ThreadWrite {
    ThreadWrite { journal: JournalWrite::Replace(entries), ..headed(thread) }
}

pub(super) fn checkpointed(thread: ThreadKey, checkpoints: &[(u128, &str)]) -> ThreadWrite {
    let write = |(id, record): &(u128, &str)| CheckpointWrite {
        id: checkpoint_id(*id),
        record: bytes(record),
    };
    ThreadWrite { checkpoints: checkpoints.iter().map(write).collect(), ..headed(thread) }
}

pub(super) fn eventful(
    thread: ThreadKey,
    run: RunId,
    first_seq: u64,
    records: Vec<Bytes>,
) -> ThreadWrite {
    let events = EventWrite { run, first_seq, records, ends: false };
    ThreadWrite { events: vec![events], ..headed(thread) }
}

pub(super) async fn submit(storage: &Shared, partition: PartitionId, n: u128, text: &str) {
    storage.submit(partition, op(n), bytes(text)).await.expect("submit succeeds");
}

/// All messages of a partition, without waiting.
pub(super) async fn inbox(storage: &Shared, partition: PartitionId) -> Vec<InboxItem> {
    read(storage, partition, InboxCursor::START, usize::MAX >> 1).await
}

pub(super) async fn read(
    storage: &Shared,
    partition: PartitionId,
    after: InboxCursor,
    max: usize,
) -> Vec<InboxItem> {
    storage
        .read_inboxes(&[(partition, after)], max.min(100_000), NO_WAIT)
        .await
        .expect("read_inboxes succeeds")
}

/// The messages of a partition as texts.
pub(super) async fn inbox_texts(storage: &Shared, partition: PartitionId) -> Vec<String> {
    let items = inbox(storage, partition).await;
    items.iter().map(|item| text(&item.message)).collect()
}

pub(super) fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Sends a heartbeat and fetches without waiting.
pub(super) async fn fetch(
    storage: &Shared,
    name: &str,
    queues: &[&str],
    max: usize,
) -> Vec<Delivery> {
    let queues: Vec<_> = queues.iter().map(|name| queue(name)).collect();
    storage.heartbeat(&worker(name), &queues).await.expect("heartbeat succeeds");
    storage.fetch(&worker(name), &queues, max, NO_WAIT).await.expect("fetch succeeds")
}

pub(super) fn orders(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| text(&delivery.order)).collect()
}

/// Hands in one finished order with messages.
pub(super) async fn finish(storage: &Shared, name: &str, receipt: &Receipt, messages: &[&str]) {
    let part = HandIn {
        partition: receipt.partition,
        finished: Some(receipt.clone()),
        messages: messages.iter().map(bytes).collect(),
    };
    storage.hand_in(&worker(name), vec![part]).await.expect("hand_in succeeds");
}

/// Orders of a partition that are queued or assigned, sorted.
pub(super) async fn queued_texts(storage: &Shared, partition: PartitionId) -> Vec<String> {
    let orders = storage.queued_orders(partition).await.expect("queued_orders succeeds");
    let mut texts: Vec<_> = orders.iter().map(|order| text(&order.order)).collect();
    texts.sort();
    texts
}

/// Reclaims until something is found: dead workers are only dead after their time.
pub(super) async fn reclaim_until_found(
    storage: &Shared,
    name: &str,
    queues: &[&str],
    max: usize,
) -> Vec<Delivery> {
    let queues: Vec<_> = queues.iter().map(|name| queue(name)).collect();
    loop {
        storage.heartbeat(&worker(name), &queues).await.expect("heartbeat succeeds");
        let found = storage.reclaim(&worker(name), &queues, SHORT, max).await;
        let found = found.expect("reclaim succeeds");
        if !found.is_empty() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
