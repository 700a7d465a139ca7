//! The runs of a thread in the order in which they go.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use rethread_client::{EventKind, RunOutcome, Thread, ThreadId};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::caller::Tenant;
use crate::error::ApiResult;
use crate::ids;
use crate::records::RunRecord;
use crate::shared::Shared;
use crate::sse::{Happened, RunEvents};

/// How often a thread that rests is looked at: word of a new run may be lost.
const EVERY: Duration = Duration::from_secs(1);

/// Reads all runs of a thread: those that are over first, then what happens, for ever.
#[derive(Debug)]
pub(crate) struct Feed {
    shared: Shared,
    tenant: Tenant,
    thread: Uuid,
    engine: Thread,
    known: HashSet<Uuid>,
    /// Runs that have not begun, oldest first.
    waiting: Vec<Followed>,
    current: Option<Followed>,
    notices: broadcast::Receiver<ThreadId>,
    look_at: Instant,
}

/// A run that is followed.
#[derive(Debug)]
struct Followed {
    run: Uuid,
    record: Option<RunRecord>,
    events: RunEvents,
    /// Its first event, once it has been read.
    first: Option<Happened>,
    /// Whether nothing will come of it if it has no events.
    is_over: bool,
}

/// Something that happened in a run of a thread.
#[derive(Debug)]
pub(crate) struct Told<'f> {
    pub(crate) record: Option<&'f RunRecord>,
    pub(crate) events: &'f RunEvents,
    pub(crate) happened: Happened,
}

impl Feed {
    pub(crate) fn new(shared: &Shared, tenant: &Tenant, thread: Uuid) -> Self {
        Self {
            engine: tenant.thread(shared.client(), thread),
            notices: shared.notices().listen(),
            shared: shared.clone(),
            tenant: tenant.clone(),
            thread,
            known: HashSet::new(),
            waiting: Vec::new(),
            current: None,
            look_at: Instant::now(),
        }
    }

    /// What happens next. Runs that never did anything but edit the state are passed over.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> ApiResult<Told<'_>> {
        let happened = loop {
            if let Some(current) = &mut self.current {
                if let Some(happened) = current.read().await? {
                    break happened;
                }
                self.current = None;
            }
            if !self.pick().await? {
                self.rest().await;
            }
        };
        let current = self.current.as_ref();
        let current = current.expect("invariant: what happened is of the run that is read");
        Ok(Told { record: current.record.as_ref(), events: &current.events, happened })
    }

    /// Takes up the oldest run that has begun; false if none has.
    async fn pick(&mut self) -> ApiResult<bool> {
        if self.look_at <= Instant::now() {
            self.look().await?;
            self.look_at = Instant::now() + EVERY;
        }
        let mut place = 0;
        while let Some(followed) = self.waiting.get(place) {
            let (run, is_over) = (followed.run, followed.is_over);
            let stage = match followed.first {
                Some(_) => Stage::Began,
                None => stage_of(&self.engine, run, is_over).await?,
            };
            match stage {
                Stage::Waits => place += 1,
                Stage::IsNone => drop(self.waiting.remove(place)),
                Stage::Began => {
                    self.current = Some(self.waiting.remove(place));
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Looks for runs that are not known yet.
    async fn look(&mut self) -> ApiResult<()> {
        let overview = self.engine.overview().await?;
        let mut records = self.shared.records().runs(&self.tenant, self.thread).list().await?;
        records.sort_by_key(|record| (record.created_at, record.run_id));
        let mut found: Vec<_> =
            records.into_iter().map(|record| (record.run_id, Some(record))).collect();
        // One that was not made over HTTP.
        let newest = overview.map(|it| *it.run.as_uuid());
        if let Some(newest) = newest.filter(|newest| found.iter().all(|(run, _)| run != newest)) {
            found.push((newest, None));
        }
        for (run, record) in found {
            if self.known.insert(run) {
                let is_over = record.as_ref().is_some_and(|record| record.status.is_over());
                let events = RunEvents::all(&self.engine, run);
                self.waiting.push(Followed { run, record, events, first: None, is_over });
            }
        }
        Ok(())
    }

    /// Waits until a run begins, word comes of one, or it is time for a look.
    async fn rest(&mut self) {
        let Self { waiting, notices, engine, look_at, .. } = self;
        let begun = async {
            let mut firsts: Vec<_> =
                waiting.iter_mut().map(|it| Box::pin(it.read_first())).collect();
            poll_fn(|context| {
                let is_ready = firsts.iter_mut().any(|it| it.as_mut().poll(context).is_ready());
                if is_ready { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        };
        let told = async {
            loop {
                match notices.recv().await {
                    Ok(thread) if thread == *engine.id() => return,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let (begun, told) = (pin!(begun), pin!(told));
        tokio::select! {
            () = begun => {}
            () = told => *look_at = Instant::now(),
            () = sleep_until(*look_at) => {}
        }
    }
}

/// How far a run has come that is not read yet.
enum Stage {
    Waits,
    Began,
    /// There is nothing to be read.
    IsNone,
}

async fn stage_of(engine: &Thread, run: Uuid, is_over: bool) -> ApiResult<Stage> {
    let events = engine.client().admin().events(engine.id(), ids::run(run), 0).await?;
    Ok(match events.first().map(|event| &event.kind) {
        None if is_over => Stage::IsNone,
        None => Stage::Waits,
        // Nothing of a run; answers that another run took; or a question of an operator.
        Some(EventKind::RunEnded(
            RunOutcome::Edited(_) | RunOutcome::Joined(_) | RunOutcome::Explained(_),
        )) => Stage::IsNone,
        Some(_) => Stage::Began,
    })
}

impl Followed {
    async fn read(&mut self) -> ApiResult<Option<Happened>> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.events.next().await,
        }
    }

    /// Waits for its first event, which is kept to be read. One that cannot be read is over, and
    /// is passed over unless it has events after all.
    async fn read_first(&mut self) {
        if self.is_over {
            return std::future::pending().await;
        }
        if self.first.is_none() {
            match self.events.next().await {
                Ok(Some(happened)) => self.first = Some(happened),
                Ok(None) | Err(_) => self.is_over = true,
            }
        }
    }
}
