//! What the tests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rethread_core::ids::{
    NodeId, OpId, PartitionId, QueueName, RunId, ThreadId, ThreadKey, WorkerId,
};
use rethread_core::store::Namespace;
use rethread_redis::testing::RedisServer;
use rethread_redis::{RedisOptions, RedisStorage};
use rethread_storage::{
    Acquisition, CacheKey, Commit, Delivery, EventWrite, HandIn, ItemName, ItemRecord, Lease,
    OrderGroup, QueuedOrder, Storage, StorageError, ThreadWrite,
};
use uuid::Uuid;

pub(crate) const P0: PartitionId = PartitionId(0);
pub(crate) const LEASE: Duration = Duration::from_secs(600);
const DEADLINE: Duration = Duration::from_secs(30);

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A fresh namespace on the server that the tests share.
pub(crate) struct Space {
    pub(crate) server: Arc<RedisServer>,
    pub(crate) namespace: String,
    pub(crate) storage: RedisStorage,
}

impl Space {
    pub(crate) async fn new() -> Self {
        Self::on(RedisServer::shared()).await
    }

    /// On a server of the test's own, which it may kill.
    pub(crate) async fn alone() -> Self {
        Self::alone_with(&[]).await
    }

    /// The same with further arguments of the server. Its log is always synced: with less, a
    /// server that is killed may lose the last second or two.
    pub(crate) async fn alone_with(arguments: &[&str]) -> Self {
        let arguments = [&["--appendfsync", "always"], arguments].concat();
        Self::on(Arc::new(RedisServer::start_with(&arguments))).await
    }

    async fn on(server: Arc<RedisServer>) -> Self {
        let namespace = format!("test {{{}}}", unique());
        let options = RedisOptions::new(server.url()).namespace(&namespace).partitions(4);
        let storage = RedisStorage::connect(options).await.expect("connects");
        Self { server, namespace, storage }
    }

    pub(crate) fn options(&self) -> RedisOptions {
        RedisOptions::new(self.server.url()).namespace(&self.namespace)
    }

    /// A plain connection to the server.
    pub(crate) async fn raw(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.server.url()).expect("a url");
        client.get_multiplexed_async_connection().await.expect("connects")
    }

    /// Channels with a subscriber whose hash tag ends so.
    pub(crate) async fn channels(&self, tag: &str) -> Vec<String> {
        let ours = format!("*{}.{tag}}}*", self.escaped());
        let mut raw = self.raw().await;
        let mut channels = redis::cmd("PUBSUB");
        channels.arg("CHANNELS").arg(&ours).query_async(&mut raw).await.expect("asks")
    }

    /// Keys of the first partition that contain `part`.
    pub(crate) async fn keys(&self, part: &str) -> Vec<String> {
        let ours = self.keys_under("p00").await;
        ours.into_iter().filter(|key| key.contains(part)).collect()
    }

    /// Keys whose hash tag ends so, sorted.
    pub(crate) async fn keys_under(&self, tag: &str) -> Vec<String> {
        let mut raw = self.raw().await;
        let all: Vec<String> =
            redis::cmd("KEYS").arg("*").query_async(&mut raw).await.expect("lists keys");
        let tag = format!("{{{}.{tag}}}:", self.escaped());
        let mut ours: Vec<_> = all.into_iter().filter(|key| key.contains(&tag)).collect();
        ours.sort();
        ours
    }

    /// Time until a key expires, in ms; negative if it does not.
    pub(crate) async fn time_left(&self, key: &str) -> i64 {
        let mut raw = self.raw().await;
        redis::cmd("PTTL").arg(key).query_async(&mut raw).await.expect("asks")
    }

    /// The namespace as it stands in keys.
    pub(crate) fn escaped(&self) -> String {
        self.namespace.replace(' ', "=20").replace('{', "=7b").replace('}', "=7d")
    }

    /// Waits until a client waits on the server.
    pub(crate) async fn until_somebody_waits(&self) {
        let mut raw = self.raw().await;
        eventually("a client waits", async || {
            let info: String =
                redis::cmd("INFO").arg("clients").query_async(&mut raw).await.expect("asks");
            Ok(info.contains("blocked_clients:1").then_some(()))
        })
        .await;
    }

    pub(crate) async fn own(&self, partition: PartitionId) -> (Lease, u64) {
        let node = NodeId::new("node").expect("an id");
        match self.storage.acquire(partition, &node, LEASE).await.expect("acquires") {
            Acquisition::Acquired { lease, last_commit } => (lease, last_commit),
            Acquisition::Held { by, .. } => panic!("held by {by}"),
        }
    }
}

pub(crate) fn unique() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub(crate) fn op() -> OpId {
    OpId::from_random(Uuid::new_v4().as_u128())
}

pub(crate) fn thread(name: &str) -> ThreadKey {
    ThreadId::new(name).expect("an id").key()
}

pub(crate) fn run() -> RunId {
    RunId::from_uuid(Uuid::new_v4())
}

pub(crate) fn worker(name: &str) -> WorkerId {
    WorkerId::new(name).expect("an id")
}

pub(crate) fn queues() -> Vec<QueueName> {
    vec![QueueName::new("essays: {*}").expect("a name")]
}

pub(crate) fn text(text: impl Into<String>) -> Bytes {
    Bytes::from(text.into())
}

pub(crate) fn commit(lease: Lease, number: u64) -> Commit {
    let (consumed_beyond, threads, orders) = (Vec::new(), Vec::new(), Vec::new());
    Commit { consumed_beyond, threads, orders, ..Commit::new(lease, number) }
}

pub(crate) fn orders(texts: impl IntoIterator<Item = String>) -> Vec<QueuedOrder> {
    let queue = &queues()[0];
    texts
        .into_iter()
        .map(|it| QueuedOrder { queue: queue.clone(), group: OrderGroup([1; 16]), order: text(it) })
        .collect()
}

pub(crate) fn events_of(run: RunId, first_seq: u64, texts: &[&str], ends: bool) -> ThreadWrite {
    let records = texts.iter().map(|it| text(*it)).collect();
    let mut write = ThreadWrite::none(thread("t"));
    write.header = Some(text("header"));
    write.events = vec![EventWrite { run, first_seq, records, ends }];
    write
}

pub(crate) fn cached(group: &str, entry: &str) -> CacheKey {
    CacheKey { group: group.to_owned(), entry: text(entry) }
}

pub(crate) fn item_name(labels: &[&str], key: impl Into<String>) -> ItemName {
    let namespace = Namespace::new(labels.iter().copied()).expect("a namespace");
    ItemName { namespace, key: key.into() }
}

pub(crate) fn item(record: &str) -> ItemRecord {
    ItemRecord { record: text(record), expires_at: None }
}

pub(crate) fn finished(delivery: &Delivery, message: &str) -> Vec<HandIn> {
    vec![HandIn {
        partition: delivery.receipt.partition,
        finished: Some(delivery.receipt.clone()),
        messages: vec![text(message)],
    }]
}

/// Repeats `attempt` until it gives a value; `Unavailable` and `Unknown` are waited out.
pub(crate) async fn eventually<T>(
    what: &str,
    mut attempt: impl AsyncFnMut() -> Result<Option<T>, StorageError>,
) -> T {
    let deadline = Instant::now() + DEADLINE;
    let mut last = None;
    while Instant::now() < deadline {
        match attempt().await {
            Ok(Some(value)) => return value,
            Ok(None) => {}
            Err(error @ (StorageError::Unavailable { .. } | StorageError::Unknown { .. })) => {
                last = Some(error);
            }
            Err(error) => panic!("{what}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what} did not happen; last error: {last:?}");
}

/// The messages in the first partition's inbox.
pub(crate) async fn inbox(storage: &dyn Storage) -> Vec<Bytes> {
    let start = [(P0, rethread_storage::InboxCursor::START)];
    let items = storage.read_inboxes(&start, 100_000, Duration::ZERO).await.expect("reads");
    items.into_iter().map(|item| item.message).collect()
}

/// Tells a server something by a connection of its own.
pub(crate) async fn tell(server: &RedisServer, words: &[&str]) -> redis::Value {
    let client = redis::Client::open(server.url()).expect("a url");
    let mut raw = client.get_multiplexed_async_connection().await.expect("connects");
    let mut cmd = redis::cmd(words[0]);
    cmd.arg(&words[1..]);
    cmd.query_async(&mut raw).await.expect("answers")
}

/// Sends a server a signal.
pub(crate) fn signal(server: &RedisServer, name: &str) {
    let pid = server.pid().expect("it runs").to_string();
    let sent = std::process::Command::new("kill").args([name, &pid]).status().expect("runs");
    assert!(sent.success());
}
