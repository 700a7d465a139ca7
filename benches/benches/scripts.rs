//! What operations of the storage take on Redis, each with its round trip: one at a time, on a
//! private server on this machine.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use rethread_core::ids::{NodeId, OpId, PartitionId, ThreadId};
use rethread_redis::testing::RedisServer;
use rethread_redis::{RedisOptions, RedisStorage};
use rethread_storage::{Acquisition, Commit, JournalWrite, Lease, Storage, ThreadWrite};
use tokio::runtime::Runtime;
use uuid::Uuid;

const PARTITION: PartitionId = PartitionId(0);
/// Long enough for all that is measured.
const LEASE: Duration = Duration::from_secs(3_600);

struct Owner {
    storage: RedisStorage,
    lease: Lease,
    commits: AtomicU64,
}

impl Owner {
    async fn new(url: String) -> Self {
        let storage = RedisStorage::connect(RedisOptions::new(url)).await.expect("connects");
        let node = NodeId::new("bench").expect("valid");
        match storage.acquire(PARTITION, &node, LEASE).await.expect("answers") {
            Acquisition::Acquired { lease, last_commit } => {
                Self { storage, lease, commits: AtomicU64::new(last_commit) }
            }
            held => panic!("the partition is free, not {held:?}"),
        }
    }

    /// Appends an entry of 150 bytes to so many journals.
    async fn commit(&self, threads: u64) {
        let number = self.commits.fetch_add(1, Ordering::Relaxed) + 1;
        let mut commit = Commit::new(self.lease, number);
        commit.threads = (0..threads)
            .map(|thread| {
                let thread = ThreadId::new(format!("thread-{thread}")).expect("valid");
                let entry = Bytes::from_static(&[7; 150]);
                let journal = JournalWrite::Append(vec![entry]);
                ThreadWrite { journal, ..ThreadWrite::none(thread.key()) }
            })
            .collect();
        self.storage.commit(commit).await.expect("commits");
    }

    async fn submit(&self) {
        let op = OpId::from_random(Uuid::now_v7().as_u128());
        let message = Bytes::from_static(&[7; 150]);
        self.storage.submit(PARTITION, op, message).await.expect("submits");
    }
}

fn scripts(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let server = RedisServer::start();
    let owner = runtime.block_on(Owner::new(server.url()));
    let mut group = criterion.benchmark_group("scripts");
    for threads in [1, 10, 100] {
        group.throughput(Throughput::Elements(threads));
        let id = BenchmarkId::new("commit", format!("{threads}_threads"));
        group.bench_function(id, |bencher| {
            bencher.iter(|| runtime.block_on(owner.commit(threads)));
        });
    }
    group.throughput(Throughput::Elements(1));
    // What is submitted stays in the inbox, which is bounded.
    group.measurement_time(Duration::from_secs(2)).sample_size(20);
    group.bench_function("submit", |bencher| bencher.iter(|| runtime.block_on(owner.submit())));
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    scripts(&mut criterion);
    criterion.final_summary();
}
