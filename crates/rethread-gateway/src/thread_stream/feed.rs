//! The runs of a thread in the order in which they go.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use rethread_client::{EventKind, Millis, RunOutcome, Thread};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::place::{Place, RunMark};
use super::roster::{MARGIN_MS, Roster, before};
use crate::caller::Tenant;
use crate::error::ApiResult;
use crate::ids;
use crate::notices::Notice;
use crate::records::RunRecord;
use crate::runs::{RunName, now};
use crate::shared::Shared;
use crate::sse::{Happened, Position, RunEvents};
use crate::standing;
use crate::times;

/// How often a thread that rests is looked at: word of a new run may be lost.
const EVERY: Duration = Duration::from_secs(1);
/// How many runs are looked at at the same time.
const AT_ONCE: usize = 16;

/// With what a feed begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// The first run.
    First,
    /// What happens from now on.
    Now,
    /// What is behind something in a run that began at a time.
    Behind { began: Millis, run: RunMark, seen: Position },
}

/// Reads the runs of a thread: those that are over first, then what happens, for ever.
#[derive(Debug)]
pub(crate) struct Feed {
    shared: Shared,
    tenant: Tenant,
    thread: Uuid,
    engine: Thread,
    start: Option<Start>,
    roster: Arc<Roster>,
    /// Runs that were made since are still to be looked for.
    looked_at: Millis,
    known: HashSet<Uuid>,
    /// Runs that are still to be read.
    waiting: Vec<Followed>,
    current: Option<Followed>,
    notices: broadcast::Receiver<Notice>,
    look_at: Instant,
    /// How old what others have seen may be.
    fresh: Instant,
}

/// A run that is followed.
#[derive(Debug)]
struct Followed {
    run: Uuid,
    record: Option<RunRecord>,
    events: RunEvents,
    /// What was sent of it already, or is not wanted.
    seen: Position,
    /// Where it stands, once it has begun.
    place: Option<Place>,
    /// Its first event, once it has been waited for.
    first: Option<Happened>,
    /// Whether nothing will come of it if it has no events.
    is_over: bool,
    /// Whether it was looked at whether it has begun, and nothing was heard of it since.
    is_checked: bool,
}

/// Something that happened in a run of a thread.
#[derive(Debug)]
pub(crate) struct Told<'f> {
    pub(crate) record: Option<&'f RunRecord>,
    pub(crate) events: &'f RunEvents,
    /// When the run began.
    pub(crate) began: Millis,
    /// What was sent of the run already, or is not wanted.
    pub(crate) seen: Position,
    pub(crate) happened: Happened,
}

impl Feed {
    pub(crate) fn new(shared: &Shared, tenant: &Tenant, thread: Uuid, start: Start) -> Self {
        let engine = tenant.thread(shared.client(), thread);
        Self {
            roster: shared.rosters().of(engine.id()),
            engine,
            notices: shared.notices().listen(),
            shared: shared.clone(),
            tenant: tenant.clone(),
            thread,
            start: Some(start),
            looked_at: times::now(),
            known: HashSet::new(),
            waiting: Vec::new(),
            current: None,
            look_at: Instant::now(),
            fresh: Instant::now(),
        }
    }

    /// What happens next. Runs that never did anything but edit the state are passed over.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> ApiResult<Told<'_>> {
        if let Some(start) = self.start {
            self.begin(start).await?;
            self.start = None;
        }
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
        let began = current.place.map_or(happened.at, |place| place.began);
        let (record, events) = (current.record.as_ref(), &current.events);
        Ok(Told { record, events, began, seen: current.seen, happened })
    }

    /// Finds the runs that it begins with.
    async fn begin(&mut self, start: Start) -> ApiResult<()> {
        self.known.clear();
        self.waiting.clear();
        self.looked_at = times::now();
        let engine = (self.thread, &self.engine);
        let from = before(self.looked_at);
        let look = self.roster.look(&self.shared, &self.tenant, engine, self.fresh, from).await?;
        self.look_at = Instant::now() + EVERY;
        if start == Start::Now {
            let newest = look.newest.filter(|it| it.is_running).map(|it| it.run);
            self.known.extend(&look.runs);
            self.known.extend(look.newest.map(|it| it.run));
            return self.begin_now(newest).await;
        }
        let mut records = self.shared.records().runs(&self.tenant, self.thread).list().await?;
        records.sort_by_key(|record| (record.created_at, record.run_id));
        for record in records {
            let is_old = match start {
                // It was over before the run began that was read last.
                Start::Behind { began, .. } => {
                    record.status.is_over() && record.updated_at.plus(MARGIN_MS) < began
                }
                _ => false,
            };
            match is_old {
                true => drop(self.known.insert(record.run_id)),
                false => self.follow(record.run_id, Some(record), Position::default()),
            }
        }
        // One that was not made over HTTP.
        if let Some(newest) = look.newest {
            self.follow(newest.run, None, Position::default());
        }
        if let Start::Behind { began, run, seen } = start {
            self.check().await?;
            self.drop_seen(began, run, seen);
        }
        Ok(())
    }

    /// Follows what is in progress or waits, from now on.
    async fn begin_now(&mut self, newest: Option<Uuid>) -> ApiResult<()> {
        let marks = self.shared.records().active(&self.tenant, self.thread).list().await?;
        let mut runs: Vec<_> = marks.into_iter().map(|mark| mark.run_id).collect();
        runs.extend(newest.filter(|newest| !runs.contains(newest)));
        let table = self.shared.records().runs(&self.tenant, self.thread);
        let found = stream::iter(runs).map(async |run| {
            let name = RunName { tenant: self.tenant.clone(), thread: self.thread, run };
            let Some(seen) = now(&self.shared, &name).await? else { return Ok(None) };
            ApiResult::Ok(Some((run, table.get(run).await?, seen)))
        });
        let found: Vec<_> = found.buffered(AT_ONCE).try_collect().await?;
        for (run, record, seen) in found.into_iter().flatten() {
            self.known.remove(&run);
            self.follow(run, record, seen);
        }
        Ok(())
    }

    fn follow(&mut self, run: Uuid, record: Option<RunRecord>, seen: Position) {
        if self.known.insert(run) {
            self.waiting.push(Followed {
                run,
                is_over: record.as_ref().is_some_and(|record| record.status.is_over()),
                record,
                events: RunEvents::all(&self.engine, run),
                seen,
                place: None,
                first: None,
                is_checked: false,
            });
        }
    }

    /// Leaves out the runs before the one that was read last, and what was read of that.
    fn drop_seen(&mut self, began: Millis, mark: RunMark, seen: Position) {
        let is_it = |it: &Followed| {
            it.place.is_some_and(|place| place.began == began) && mark.names(it.run)
        };
        let marked = self.waiting.iter_mut().find(|it| is_it(it)).map(|it| {
            it.seen = seen;
            it.place
        });
        self.waiting.retain(|it| match (it.place, marked.flatten()) {
            (None, _) => true,
            (Some(place), Some(marked)) => place >= marked,
            // It is gone: of those that began in the same millisecond none is left out.
            (Some(place), None) => place.began >= began,
        });
    }

    /// Takes up the first run that has begun; false if none has.
    async fn pick(&mut self) -> ApiResult<bool> {
        if self.look_at <= Instant::now() {
            self.look().await?;
        }
        // One that has begun may not be the first that has.
        if self.waiting.iter().any(|it| it.place.is_none() && !it.is_checked) {
            self.check().await?;
        }
        let placed = self.waiting.iter().enumerate();
        let placed = placed.filter_map(|(at, it)| Some((it.place?, at)));
        let Some((_, at)) = placed.min() else { return Ok(false) };
        self.current = Some(self.waiting.remove(at));
        Ok(true)
    }

    /// Looks for runs that are not known yet.
    async fn look(&mut self) -> ApiResult<()> {
        let now = times::now();
        let engine = (self.thread, &self.engine);
        let from = before(self.looked_at);
        let look = self.roster.look(&self.shared, &self.tenant, engine, self.fresh, from).await?;
        let table = self.shared.records().runs(&self.tenant, self.thread);
        for run in look.runs.iter().copied().chain(look.newest.map(|it| it.run)) {
            if !self.known.contains(&run) {
                let record = table.get(run).await?;
                self.follow(run, record, Position::default());
            }
        }
        self.looked_at = now;
        self.look_at = Instant::now() + EVERY;
        Ok(())
    }

    /// Finds out which of the runs that wait have begun.
    async fn check(&mut self) -> ApiResult<()> {
        let engine = &self.engine;
        let unplaced = self.waiting.iter().filter(|it| it.place.is_none());
        let unplaced: Vec<_> = unplaced.map(|it| (it.run, it.asked())).collect();
        let checks = stream::iter(unplaced).map(async |(run, asked)| {
            let first = standing::first_event(engine, ids::run(run)).await?;
            ApiResult::Ok((run, Stage::of(first.as_ref(), run, asked)))
        });
        let checks: Vec<_> = checks.buffered(AT_ONCE).try_collect().await?;
        for (run, stage) in checks {
            let Some(at) = self.waiting.iter().position(|it| it.run == run) else { continue };
            match (stage, self.waiting[at].is_over) {
                (Stage::Began(place), _) => self.waiting[at].place = Some(place),
                (Stage::Waits, false) => self.waiting[at].is_checked = true,
                (Stage::Waits, true) | (Stage::IsNone, _) => drop(self.waiting.remove(at)),
            }
        }
        Ok(())
    }

    /// Waits until a run begins, word comes of one, or it is time for a look.
    async fn rest(&mut self) {
        let Self { waiting, notices, engine, look_at, fresh, .. } = self;
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
                    Ok(notice) if notice.thread == *engine.id() => return notice.at,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return Instant::now(),
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let (begun, told) = (pin!(begun), pin!(told));
        tokio::select! {
            () = begun => {}
            at = told => (*look_at, *fresh) = (Instant::now(), at),
            () = sleep_until(*look_at) => *fresh = *look_at - EVERY / 2,
        }
    }
}

/// How far a run has come that is not read yet.
#[derive(Debug)]
enum Stage {
    Waits,
    Began(Place),
    /// There is nothing to be read.
    IsNone,
}

impl Stage {
    fn of(first: Option<&rethread_client::Event>, run: Uuid, asked: Millis) -> Self {
        match first {
            None => Self::Waits,
            Some(first) => match &first.kind {
                // Nothing of a run; answers that another run took; or a question of an operator.
                EventKind::RunEnded(
                    RunOutcome::Edited(_) | RunOutcome::Joined(_) | RunOutcome::Explained(_),
                ) => Self::IsNone,
                _ => Self::Began(Place::new(run, asked, first)),
            },
        }
    }
}

impl Followed {
    fn asked(&self) -> Millis {
        self.record.as_ref().map_or(Millis(0), |record| record.created_at)
    }

    async fn read(&mut self) -> ApiResult<Option<Happened>> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.events.next().await,
        }
    }

    /// Waits for its first event, which is kept to be read. One that cannot be read is over, and
    /// is passed over unless it has events after all.
    async fn read_first(&mut self) {
        if self.is_over || self.first.is_some() {
            return std::future::pending().await;
        }
        match self.events.next().await {
            Ok(Some(happened)) => self.first = Some(happened),
            Ok(None) | Err(_) => self.is_over = true,
        }
        self.is_checked = false;
    }
}
