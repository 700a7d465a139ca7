//! Many readers of one run in one process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use rethread_client::{Client, Event, EventKind, EventStream, Mode, RunId};
use rethread_core::ids::PartitionId;
use rethread_core::record::Record;
use rethread_storage::memory::MemoryStorage;
use rethread_storage::testing::{Tamper, Tampered};
use rethread_storage::{EventWatch, Result, Storage};
use tokio::task::JoinSet;

use crate::coordinator::{Coordinator, done, payload, run_id, started, thread_id};
use crate::faulty::Faulty;
use crate::shown::{line, shown};

/// Counts what readers ask of the storage.
#[derive(Debug)]
struct Counted {
    inner: Arc<dyn Storage>,
    reads: AtomicUsize,
    watches: AtomicUsize,
}

#[async_trait]
impl Tamper for Counted {
    fn behind(&self) -> &dyn Storage {
        &*self.inner
    }

    async fn read_events(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.read_events(partition, run, after, max).await
    }

    async fn watch_events(&self, partition: PartitionId, run: RunId) -> Result<EventWatch> {
        self.watches.fetch_add(1, Ordering::SeqCst);
        self.inner.watch_events(partition, run).await
    }
}

async fn counted() -> (Client, Arc<Counted>, Coordinator) {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(1));
    let (reads, watches) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let counted = Arc::new(Counted { inner: Arc::clone(&storage), reads, watches });
    let client = Client::from_storage(Arc::new(Tampered::from(Arc::clone(&counted))));
    (client, counted, Coordinator::new(storage).await)
}

/// Writes a run of so many events and its end, so many in each step.
async fn write(coordinator: &mut Coordinator, count: usize, step: usize) {
    let thread = thread_id();
    coordinator.say(&thread, run_id(1), vec![started("workflow")]).await;
    for first in (0..count).step_by(step) {
        let said = (first..count.min(first + step)).map(|n| EventKind::Custom {
            call: None,
            attempt: 1,
            value: payload(n),
        });
        coordinator.say(&thread, run_id(1), said.collect()).await;
        tokio::task::yield_now().await;
    }
    coordinator.say(&thread, run_id(1), vec![EventKind::RunEnded(done(()))]).await;
}

fn digest(digest: u64, event: &Event) -> u64 {
    let bytes = event.to_record();
    bytes.iter().fold(digest, |digest, byte| digest.wrapping_mul(31).wrapping_add((*byte).into()))
}

/// How many events there are up to the end, and what they are.
async fn read(mut events: EventStream) -> (u64, u64) {
    let (mut count, mut all) = (0, 0);
    while let Some(event) = events.try_next().await.expect("reads") {
        count += 1;
        assert_eq!(event.seq, count, "in order, each once");
        all = digest(all, &event);
    }
    (count, all)
}

#[tokio::test(start_paused = true)]
async fn a_thousand_readers_share_one_tail_and_stalled_ones_hold_up_nobody() {
    const EVENTS: usize = 400;
    let (client, counted, mut coordinator) = counted().await;
    let run = client.thread_with_id(thread_id()).run(run_id(1));
    let mut stalled: Vec<_> = (0..10).map(|_| run.events()).collect();
    let mut readers: JoinSet<_> = (0..990).map(|_| read(run.events())).collect();
    let script = async {
        write(&mut coordinator, EVENTS, 10).await;
    };
    let early = async {
        // They begin, and then nobody polls them any more.
        for events in &mut stalled {
            assert_eq!(events.try_next().await.expect("reads").expect("an event").seq, 1);
        }
    };
    tokio::join!(script, early);
    let mut seen = Vec::new();
    while let Some(read) = readers.join_next().await {
        seen.push(read.expect("no panic"));
    }
    assert_eq!((seen.len(), seen[0].0), (990, EVENTS as u64 + 2), "all but the stalled have all");
    let late = read(run.events()).await;
    assert!(seen.iter().all(|one| *one == late), "early and late readers see the same");
    // Each reads and watches by itself at most until it finds that it is not alone.
    let steps = EVENTS / 10 + 2;
    let (reads, watches) =
        (counted.reads.load(Ordering::SeqCst), counted.watches.load(Ordering::SeqCst));
    assert!(reads <= 3 * steps, "{reads} reads for {steps} steps");
    assert!(watches <= 10, "{watches} watches");
    // Who stalled goes on where it was.
    for events in stalled {
        let rest: Vec<_> = events.map_ok(|event| event.seq).try_collect().await.expect("reads");
        assert_eq!(rest, Vec::from_iter(2..=EVENTS as u64 + 2));
    }
}

#[tokio::test(start_paused = true)]
async fn who_falls_far_behind_catches_up_from_the_storage() {
    const EVENTS: usize = 9_000;
    let (client, counted, mut coordinator) = counted().await;
    let run = client.thread_with_id(thread_id()).run(run_id(1));
    let mut stalled = run.events();
    let mut readers: JoinSet<_> = (0..3).map(|_| read(run.events())).collect();
    let script = write(&mut coordinator, EVENTS, 100);
    let ((), first) = tokio::join!(script, stalled.try_next());
    assert_eq!(first.expect("reads").expect("an event").seq, 1);
    while let Some(read) = readers.join_next().await {
        assert_eq!(read.expect("no panic").0, EVENTS as u64 + 2);
    }
    let before = counted.reads.load(Ordering::SeqCst);
    let rest: Vec<_> = stalled.map_ok(|event| event.seq).try_collect().await.expect("reads");
    assert_eq!(rest, Vec::from_iter(2..=EVENTS as u64 + 2));
    let reads = counted.reads.load(Ordering::SeqCst) - before;
    assert!(reads > 0, "what it missed is no longer in memory");
    assert!(reads <= EVENTS / 256 + 2, "{reads} reads");
}

#[tokio::test(start_paused = true)]
async fn readers_come_and_go_and_none_loses_anything() {
    const EVENTS: u64 = 300;
    let (client, _counted, mut coordinator) = counted().await;
    let run = client.thread_with_id(thread_id()).run(run_id(1));
    let whole = read(run.events());
    let script = write(&mut coordinator, EVENTS as usize, 7);
    let restless = async {
        let mut after = 0;
        let mut seen = Vec::new();
        // Each leaves after a few events, and another one goes on from there.
        for stay in (1..12).cycle() {
            let events = run.events_from(after).take(stay);
            let some: Vec<_> = events.map_ok(|event| event.seq).try_collect().await.expect("reads");
            let Some(last) = some.last() else { break };
            after = *last;
            seen.extend(some);
        }
        seen
    };
    let ((count, _), (), seen) = tokio::join!(whole, script, restless);
    assert_eq!(count, EVENTS + 2);
    assert_eq!(seen, Vec::from_iter(1..=EVENTS + 2));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_cut_anywhere_goes_on_in_another_client_although_reads_fail() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(1));
    let mut coordinator = Coordinator::new(Arc::clone(&storage)).await;
    write(&mut coordinator, 500, 50).await;
    let faulty = Arc::new(Faulty::new(storage));
    let modes = [Mode::Custom, Mode::Lifecycle, Mode::Values, Mode::Updates];
    let stream = |client: &Client| client.thread_with_id(thread_id()).run(run_id(1)).stream(modes);
    let whole = shown(stream(&faulty.client())).await;
    let mut random = 7_u64;
    for _ in 0..50 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let cut = (random >> 33) as usize % (whole.len() + 1);
        faulty.fail_reads((random >> 60) as usize);
        let mut first = stream(&faulty.client());
        let mut lines: Vec<_> = first.by_ref().take(cut).map(line).collect().await;
        // A client of its own, as in another process.
        let run = faulty.client().thread_with_id(thread_id()).run(run_id(1));
        faulty.fail_reads((random >> 59) as usize % 7);
        let cursor = first.cursor().to_string().parse().expect("a cursor");
        lines.extend(shown(run.stream_from(modes, cursor)).await);
        assert_eq!(lines, whole, "cut at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_stays_away_is_told_to_each_of_the_readers() {
    let (storage, faulty) = {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(1));
        (Arc::clone(&storage), Arc::new(Faulty::new(storage)))
    };
    let mut coordinator = Coordinator::new(storage).await;
    let run = faulty.client().thread_with_id(thread_id()).run(run_id(1));
    coordinator.say(&thread_id(), run_id(1), vec![started("workflow")]).await;
    let mut readers: Vec<_> = (0..20).map(|_| run.events()).collect();
    for events in &mut readers {
        assert_eq!(events.try_next().await.expect("reads").expect("an event").seq, 1);
    }
    faulty.fail_reads(usize::MAX);
    let ends = futures::future::join_all(readers.iter_mut().map(TryStreamExt::try_next)).await;
    assert!(ends.iter().all(Result::is_err), "each is told, none waits for ever");
    // Once it is back, new readers begin, beside those that were told.
    faulty.fail_reads(0);
    let (again, ()) = tokio::join!(read(run.events()), async {
        coordinator.say(&thread_id(), run_id(1), vec![EventKind::RunEnded(done(()))]).await;
    });
    assert_eq!(again.0, 2);
}
