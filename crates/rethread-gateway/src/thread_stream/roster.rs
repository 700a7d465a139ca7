//! The newest runs of a thread, looked up once for all streams of it in this gateway.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};

use rethread_client::{Millis, Thread, ThreadId, ThreadStatus};
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use crate::caller::Tenant;
use crate::error::ApiResult;
use crate::shared::Shared;
use crate::times;

/// How long it may take from making the id of a run until its record can be read, and how much the
/// clocks of gateways may differ.
pub(super) const MARGIN_MS: u64 = 60_000;
/// Names that are read at once.
const PAGE: usize = 200;

/// The threads that are streamed.
#[derive(Debug, Default)]
pub(crate) struct Rosters {
    threads: std::sync::Mutex<HashMap<ThreadId, Weak<Roster>>>,
}

impl Rosters {
    pub(super) fn of(&self, thread: &ThreadId) -> Arc<Roster> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = threads.get(thread).and_then(Weak::upgrade) {
            return known;
        }
        threads.retain(|_, roster| roster.strong_count() > 0);
        let roster = Arc::new(Roster::default());
        threads.insert(thread.clone(), Arc::downgrade(&roster));
        roster
    }
}

/// The newest runs of one thread.
#[derive(Debug, Default)]
pub(super) struct Roster {
    last: Mutex<Option<Arc<Look>>>,
}

/// What was seen at a time.
#[derive(Debug)]
pub(super) struct Look {
    began: Instant,
    /// Runs that are older are left out.
    from: Millis,
    /// Runs that were made over HTTP, in the order in which they were.
    pub(super) runs: Vec<Uuid>,
    /// The run in progress, or the last one, whoever asked for it.
    pub(super) newest: Option<Newest>,
}

/// The run in progress, or the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Newest {
    pub(super) run: Uuid,
    pub(super) is_running: bool,
}

impl Roster {
    /// The runs that were made since `from`, as they were seen at `fresh` or later.
    pub(super) async fn look(
        &self,
        shared: &Shared,
        tenant: &Tenant,
        thread: (Uuid, &Thread),
        fresh: Instant,
        from: Millis,
    ) -> ApiResult<Arc<Look>> {
        let mut last = self.last.lock().await;
        if let Some(look) = last.as_ref().filter(|it| it.began >= fresh && it.from <= from) {
            return Ok(Arc::clone(look));
        }
        let began = Instant::now();
        let from = from.min(before(times::now()));
        let (id, engine) = thread;
        let newest = engine.overview().await?.map(|it| Newest {
            run: *it.run.as_uuid(),
            is_running: it.status == ThreadStatus::Running,
        });
        let table = shared.records().runs(tenant, id);
        let mut runs = Vec::new();
        let mut behind = table.place(first_id(from));
        loop {
            let names = table.names(Some(&behind), PAGE).await?;
            runs.extend(names.iter().filter_map(|name| Uuid::try_parse(name.key()).ok()));
            match names.into_iter().next_back() {
                Some(name) if runs.len() % PAGE == 0 => behind = name,
                _ => break,
            }
        }
        let look = Arc::new(Look { began, from, runs, newest });
        *last = Some(Arc::clone(&look));
        Ok(look)
    }
}

/// So long before a time that whatever is made since has an id of then or later.
pub(super) fn before(Millis(at): Millis) -> Millis {
    Millis(at.saturating_sub(MARGIN_MS))
}

/// An id before those of all runs that are made at this time: their ids begin with it.
fn first_id(Millis(at): Millis) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(at, &[0; 10]).into_uuid()
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::records::{RunRecord, RunStatus};
    use crate::tests::counting::Counting;

    #[test]
    fn ids_of_runs_come_behind_the_time_at_which_they_are_made() {
        let before = first_id(times::now());
        let made = Uuid::now_v7();
        assert!(before.to_string() < made.to_string());
        let later = first_id(times::now().plus(10));
        assert!(made.to_string() < later.to_string());
    }

    fn record(thread_id: Uuid, run_id: Uuid) -> RunRecord {
        RunRecord {
            run_id,
            thread_id,
            assistant_id: Uuid::nil(),
            metadata: Map::new(),
            status: RunStatus::Success,
            kwargs: Map::new(),
            multitask_strategy: "enqueue".to_owned(),
            created_at: Millis(0),
            updated_at: Millis(0),
        }
    }

    #[tokio::test]
    async fn a_look_reads_the_newest_runs_once_for_all_streams() {
        let (bench, counting) = Counting::bench().await;
        let (shared, thread) = (&bench.shared, bench.thread().await);
        let old = times::now().0 - 3_600_000;
        let new = [Uuid::now_v7(), Uuid::now_v7()];
        let runs = shared.records().runs(&Tenant::Standard, thread);
        for run in (0..300).map(|n| first_id(Millis(old + n))).chain(new) {
            runs.put(run, &record(thread, run)).await.expect("written");
        }
        let engine = bench.engine(thread);
        let look = async |fresh| {
            let roster = shared.rosters().of(engine.id());
            let from = before(times::now());
            let looked = roster.look(shared, &Tenant::Standard, (thread, &engine), fresh, from);
            looked.await.expect("readable").runs.clone()
        };
        let streams = [shared.rosters().of(engine.id()), shared.rosters().of(engine.id())];
        counting.take();
        let began = Instant::now();
        assert_eq!(look(began).await, new);
        assert_eq!(counting.take(), 2, "of the old ones none is read");
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        // What was seen since is seen again by those who ask for no newer look.
        let seen = look(began).await;
        assert_eq!(seen.len(), 2);
        assert_eq!(counting.take(), 0, "another stream of it looks at what the first has seen");
        assert_eq!(look(Instant::now()).await, new);
        assert_eq!(counting.take(), 2);
        drop(streams);
    }
}
