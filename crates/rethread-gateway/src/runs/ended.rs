//! Ends of runs that nobody notes, since the gateway that made them is gone.
//!
//! Each gateway looks for them now and then. That several note the same end does no harm, and a
//! webhook is told once.

use std::collections::HashSet;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::{MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use super::ending::{Ending, RunName, note, wait_or_look};
use super::later::{is_waiting, tenant_of};
use crate::error::ApiResult;
use crate::ids;
use crate::records::ActiveRun;
use crate::shared::Shared;
use crate::standing::{self, Standing};
use crate::times;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(30);
/// How many marks are looked at in one look, and at the same time.
const LOOKED_MAX: usize = 500;
const AT_ONCE: usize = 16;
/// A run that is younger may still be on its way to the engine.
const YOUNG_MS: u64 = 60_000;
/// How long is waited for word that a run stands nowhere.
const NOWHERE_WITHIN: Duration = Duration::from_secs(5);

/// Notes ends, again and again.
pub(crate) async fn sweep(shared: Shared) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ends = Ends::default();
    loop {
        ticks.tick().await;
        if let Err(error) = ends.look(&shared).await {
            let detail = error.detail();
            tracing::warn!(detail, "runs that nobody reads could not be looked at");
        }
    }
}

/// Looks at the runs whose ends are not noted.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// Where the last look stopped, in the order of the ids.
    last: Option<Uuid>,
    /// Runs that stood nowhere at their last look. A request may have been on its way then.
    missing: HashSet<Uuid>,
}

/// What is done about a run.
enum Found {
    /// Its end is noted, or it goes on.
    Seen,
    /// It stands nowhere.
    Nowhere(RunName),
}

impl Ends {
    /// Looks at so many of them, behind those of the last look.
    pub(crate) async fn look(&mut self, shared: &Shared) -> ApiResult<()> {
        let mut marks = shared.records().active_anywhere().list().await?;
        self.missing.retain(|run| marks.iter().any(|mark| mark.run_id == *run));
        marks.sort_by_key(|mark| (self.last.is_none_or(|last| mark.run_id <= last), mark.run_id));
        marks.truncate(LOOKED_MAX);
        self.last = marks.last().map(|mark| mark.run_id);
        let looks = stream::iter(marks).map(async |mark| (mark.run_id, at(shared, mark).await));
        let mut looks = Box::pin(looks.buffer_unordered(AT_ONCE));
        while let Some((run_id, found)) = looks.next().await {
            let done = match found {
                Ok(Found::Seen) => {
                    self.missing.remove(&run_id);
                    Ok(())
                }
                Ok(Found::Nowhere(_)) if self.missing.insert(run_id) => Ok(()),
                Ok(Found::Nowhere(name)) => note(shared, &name, &Ending::Forgotten).await,
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                tracing::warn!(%run_id, detail = error.detail(), "the end of a run was not noted");
            }
        }
        Ok(())
    }
}

async fn at(shared: &Shared, mark: ActiveRun) -> ApiResult<Found> {
    let Some(tenant) = tenant_of(mark.tenant.as_deref()) else { return Ok(Found::Seen) };
    let name = RunName { tenant, thread: mark.thread_id, run: mark.run_id };
    match standing::of(&name.engine(shared), ids::run(name.run)).await? {
        Standing::Running => return Ok(Found::Seen),
        Standing::Pending if mark.created_at.plus(YOUNG_MS) > times::now() => {
            return Ok(Found::Seen);
        }
        Standing::Pending if is_waiting(shared, &name).await? => return Ok(Found::Seen),
        // Also one whose answers another run took, which may go on.
        Standing::Pending | Standing::Ended { .. } => {}
    }
    match timeout(NOWHERE_WITHIN, wait_or_look(shared, &name)).await {
        Ok(Ok(Ending::Forgotten)) => Ok(Found::Nowhere(name)),
        Ok(Ok(ending)) => note(shared, &name, &ending).await.map(|()| Found::Seen),
        Ok(Err(error)) => Err(error),
        Err(_) => Ok(Found::Seen),
    }
}
