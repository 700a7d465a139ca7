//! Slots that move, nodes that stop, and waits.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rethread_core::ids::{NodeId, OpId, PartitionId, QueueName, WorkerId};
use rethread_redis::testing::{RedisCluster, RedisServer};
use rethread_redis::{RedisOptions, RedisStorage};
use rethread_storage::{
    Acquisition, Commit, HandIn, InboxCursor, Lease, OrderGroup, QueuedOrder, Storage, StorageError,
};
use uuid::Uuid;

use crate::fresh;

const P0: PartitionId = PartitionId(0);
const LONG: Duration = Duration::from_secs(60);

async fn own(storage: &RedisStorage, partition: PartitionId) -> (Lease, u64) {
    let node = NodeId::new("node").expect("an id");
    match storage.acquire(partition, &node, LONG).await.expect("acquires") {
        Acquisition::Acquired { lease, last_commit } => (lease, last_commit),
        Acquisition::Held { by, .. } => panic!("held by {by}"),
    }
}

fn order(record: &str) -> QueuedOrder {
    QueuedOrder {
        queue: QueueName::standard(),
        group: OrderGroup([1; 16]),
        order: Bytes::from(record.to_owned()),
    }
}

async fn ask(cluster: &RedisCluster, node: usize, words: &[String]) -> redis::Value {
    let client = redis::Client::open(cluster.nodes()[node].url()).expect("a url");
    let mut raw = client.get_multiplexed_async_connection().await.expect("connects");
    let mut cmd = redis::cmd(&words[0]);
    cmd.arg(&words[1..]);
    cmd.query_async(&mut raw).await.expect("answers")
}

fn text(value: redis::Value) -> String {
    redis::from_redis_value(value).expect("a text")
}

#[tokio::test]
async fn a_single_connection_to_a_node_says_what_to_do() {
    let cluster = RedisCluster::shared();
    let mut last = Ok(());
    for node in cluster.nodes() {
        let options = RedisOptions::new(node.url()).namespace("single");
        last = RedisStorage::connect(options).await.map(drop);
        if last.is_err() {
            break;
        }
    }
    let error = last.expect_err("one of them does not have the slot");
    assert!(matches!(error, StorageError::Config { .. }), "{error}");
    assert!(error.to_string().contains("redis+cluster://"), "{error}");
}

/// A name in front of a cluster leads to any of its nodes.
#[tokio::test]
async fn a_replica_is_a_way_into_the_cluster() {
    let cluster = RedisCluster::start();
    let replica = RedisServer::start_with(&["--cluster-enabled", "yes"]);
    let client = redis::Client::open(replica.url()).expect("a url");
    let mut raw = client.get_multiplexed_async_connection().await.expect("connects");
    let primary = text(ask(&cluster, 0, &["CLUSTER".to_owned(), "MYID".to_owned()]).await);
    let port = cluster.nodes()[0].port();
    let mut meet = redis::cmd("CLUSTER");
    meet.arg("MEET").arg("127.0.0.1").arg(port);
    meet.exec_async(&mut raw).await.expect("meets");
    let deadline = Instant::now() + LONG;
    let mut follows = false;
    loop {
        if !follows {
            let mut follow = redis::cmd("CLUSTER");
            follow.arg("REPLICATE").arg(&primary);
            follows = follow.exec_async(&mut raw).await.is_ok();
        }
        let info: String = redis::cmd("INFO").query_async(&mut raw).await.expect("answers");
        let cluster: String =
            redis::cmd("CLUSTER").arg("INFO").query_async(&mut raw).await.expect("answers");
        if info.contains("master_link_status:up") && cluster.contains("cluster_state:ok") {
            break;
        }
        assert!(Instant::now() < deadline, "it does not follow: {cluster}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let url = format!("redis+cluster://127.0.0.1:{}", replica.port());
    let options = RedisOptions::new(url).namespace("by a replica").partitions(4);
    let storage = RedisStorage::connect(options).await.expect("connects");
    for partition in (0..4).map(PartitionId) {
        let (lease, last) = own(&storage, partition).await;
        storage.commit(Commit::new(lease, last + 1)).await.expect("commits");
    }
}

#[tokio::test]
async fn a_worker_that_waits_gets_an_order_of_any_partition_at_once() {
    let cluster = RedisCluster::shared();
    let storage = RedisStorage::connect(fresh(&cluster)).await.expect("connects");
    let queues = [QueueName::standard()];
    let name = WorkerId::new("w").expect("an id");
    storage.heartbeat(&name, &queues).await.expect("beats");
    for partition in (0..4).map(PartitionId) {
        let (lease, last) = own(&storage, partition).await;
        let mut write = Commit::new(lease, last + 1);
        write.orders = vec![order("an order")];
        let started = Instant::now();
        let (taken, written) =
            tokio::join!(storage.fetch(&name, &queues, 1, LONG), storage.commit(write));
        written.expect("commits");
        let taken = taken.expect("fetches").remove(0);
        assert_eq!(taken.receipt.partition, partition);
        assert!(started.elapsed() < LONG, "it did not wait for its deadline");
        let finished = Some(taken.receipt);
        let messages = vec![Bytes::from_static(b"done")];
        let start = [(partition, InboxCursor::START)];
        let handed_in = storage.hand_in(&name, vec![HandIn { partition, finished, messages }]);
        let (read, handed_in) = tokio::join!(storage.read_inboxes(&start, 9, LONG), handed_in);
        handed_in.expect("hands in");
        assert_eq!(read.expect("reads").len(), 1);
    }
}

#[tokio::test]
async fn commands_follow_a_slot_that_moves_and_nothing_is_done_twice() {
    let cluster = RedisCluster::start();
    let mut options = fresh(&cluster);
    options.namespace = "moves".into();
    let storage = RedisStorage::connect(options).await.expect("connects");
    let (lease, last) = own(&storage, P0).await;
    let key = "rt:{moves.p00}:lease".to_owned();
    let slot = ask(&cluster, 0, &["CLUSTER".into(), "KEYSLOT".into(), key.clone()]).await;
    let slot: u16 = redis::from_redis_value(slot).expect("a slot");
    let from = usize::from(slot / 5462);
    let to = (from + 1) % 3;
    let mut ids = Vec::new();
    for node in 0..3 {
        ids.push(text(ask(&cluster, node, &["CLUSTER".into(), "MYID".into()]).await));
    }
    let set = |words: &[&str]| -> Vec<String> {
        let slot = slot.to_string();
        ["CLUSTER", "SETSLOT", &slot].iter().chain(words).map(|it| (*it).to_owned()).collect()
    };
    let commits = |number: u64| {
        let mut write = Commit::new(lease, last + number);
        write.orders = vec![order(&format!("order {number}"))];
        storage.commit(write)
    };
    commits(1).await.expect("commits");
    ask(&cluster, to, &set(&["IMPORTING", &ids[from]])).await;
    ask(&cluster, from, &set(&["MIGRATING", &ids[to]])).await;
    // The partition is there still, but has no new keys any more.
    let refused = commits(2).await;
    assert!(matches!(refused, Ok(()) | Err(StorageError::Unavailable { .. })), "{refused:?}");
    // Its keys move, one after the other.
    let list =
        ["CLUSTER".to_owned(), "GETKEYSINSLOT".to_owned(), slot.to_string(), "99".to_owned()];
    let keys: Vec<String> =
        redis::from_redis_value(ask(&cluster, from, &list).await).expect("keys");
    let port = cluster.nodes()[to].port().to_string();
    let mut migrate: Vec<String> =
        ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"].map(ToOwned::to_owned).into();
    migrate.extend(keys);
    ask(&cluster, from, &migrate).await;
    // Asked there, since the slot has not moved yet.
    let found = storage.queued_orders(P0).await.expect("reads");
    assert_eq!(found[0].order, "order 1");
    for node in [to, from, 3 - to - from] {
        ask(&cluster, node, &set(&["NODE", &ids[to]])).await;
    }
    commits(2).await.expect("commits");
    commits(3).await.expect("commits");
    // The same again has no second effect.
    commits(3).await.expect("commits");
    assert_eq!(storage.queued_orders(P0).await.expect("reads").len(), 3);
}

#[tokio::test]
async fn partitions_of_other_nodes_go_on_while_one_is_down() {
    let cluster = RedisCluster::start();
    let storage = RedisStorage::connect(fresh(&cluster).partitions(16)).await.expect("connects");
    let mut leases = Vec::new();
    for partition in (0..16).map(PartitionId) {
        leases.push(own(&storage, partition).await);
    }
    // Without its replicas the cluster would stop altogether, which is its own setting.
    for node in 0..3 {
        let words = ["CONFIG", "SET", "cluster-require-full-coverage", "no"];
        ask(&cluster, node, &words.map(ToOwned::to_owned)).await;
    }
    cluster.nodes()[2].kill();
    let mut written = 0;
    for (lease, last) in &leases {
        match storage.commit(Commit::new(*lease, last + 1)).await {
            Ok(()) => written += 1,
            Err(StorageError::Unavailable { .. } | StorageError::Unknown { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!((1..leases.len()).contains(&written), "{written} of {} partitions", leases.len());
    assert!(storage.check_health().await.is_err());
    cluster.nodes()[2].restart();
    let deadline = Instant::now() + LONG;
    for (lease, last) in &leases {
        while let Err(error) = storage.commit(Commit::new(*lease, last + 1)).await {
            assert!(Instant::now() < deadline, "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(storage.check_health().await, Ok(()));
}

#[tokio::test]
async fn an_op_id_has_its_effect_once_wherever_its_partition_is() {
    let cluster = RedisCluster::shared();
    let storage = RedisStorage::connect(fresh(&cluster)).await.expect("connects");
    for partition in (0..4).map(PartitionId) {
        let op = OpId::from_random(Uuid::new_v4().as_u128());
        for _ in 0..2 {
            storage.submit(partition, op, Bytes::from_static(b"m")).await.expect("submits");
        }
        let start = [(partition, InboxCursor::START)];
        let items = storage.read_inboxes(&start, 9, Duration::ZERO).await.expect("reads");
        assert_eq!(items.len(), 1);
    }
}
