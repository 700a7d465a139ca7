//! Ends of runs that nobody notes, since the gateway that made them is gone.
//!
//! Each gateway looks for them now and then. That several note the same end does no harm, and a
//! webhook is told once.

use std::collections::HashSet;
use std::time::Duration;

use futures::{StreamExt, stream};
use rethread_client::RunOutcome;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::ending::{Ending, RunName, note};
use super::later::{is_waiting, tenant_of};
use crate::error::ApiResult;
use crate::ids;
use crate::records::RowName;
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

/// Looks at the runs whose ends are not noted, in rounds.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// Where the last look stopped; none at the start of a round.
    last: Option<RowName>,
    /// Runs that stood nowhere in the round before: a request may have been on its way then.
    missing: HashSet<Uuid>,
    /// The same of this round.
    missing_now: HashSet<Uuid>,
}

/// What is known of a run.
#[derive(Debug)]
enum Found {
    /// It goes on, or will.
    GoesOn,
    Ended(RunName, Ending),
    /// It stands nowhere.
    Nowhere(RunName),
}

impl Ends {
    /// Looks at so many of them, behind those of the last look.
    pub(crate) async fn look(&mut self, shared: &Shared) -> ApiResult<()> {
        let names =
            shared.records().active_anywhere().names(self.last.as_ref(), LOOKED_MAX).await?;
        let looks = stream::iter(names.clone());
        let looks = looks.map(async |name| (at(shared, &name).await, name));
        let mut looks = Box::pin(looks.buffer_unordered(AT_ONCE));
        while let Some((found, name)) = looks.next().await {
            let noted = match found {
                Ok(Found::GoesOn) => Ok(()),
                Ok(Found::Ended(name, ending)) => note(shared, &name, &ending).await,
                Ok(Found::Nowhere(name)) if self.missing.contains(&name.run) => {
                    note(shared, &name, &Ending::Forgotten).await
                }
                Ok(Found::Nowhere(name)) => {
                    self.missing_now.insert(name.run);
                    Ok(())
                }
                Err(error) => Err(error),
            };
            if let Err(error) = noted {
                let (run_id, detail) = (name.key(), error.detail());
                tracing::warn!(run_id, detail, "the end of a run was not noted");
            }
        }
        drop(looks);
        let is_round_over = names.len() < LOOKED_MAX;
        self.last = names.into_iter().next_back().filter(|_| !is_round_over);
        if is_round_over {
            self.missing = std::mem::take(&mut self.missing_now);
        }
        Ok(())
    }
}

async fn at(shared: &Shared, name: &RowName) -> ApiResult<Found> {
    let Some(mark) = shared.records().active_anywhere().get_named(name).await? else {
        return Ok(Found::GoesOn);
    };
    let Some(tenant) = tenant_of(mark.tenant.as_deref()) else { return Ok(Found::GoesOn) };
    let name = RunName { tenant, thread: mark.thread_id, run: mark.run_id };
    let engine = name.engine(shared);
    let mut run = ids::run(name.run);
    loop {
        match standing::of(&engine, run).await? {
            Standing::Running => return Ok(Found::GoesOn),
            Standing::Ended { outcome, .. } => match *outcome {
                // The run that took its answers tells its end.
                RunOutcome::Joined(other) if other != run => run = other,
                outcome => return Ok(Found::Ended(name, Ending::Known(Box::new(outcome)))),
            },
            Standing::Pending => break,
        }
    }
    let is_young = mark.created_at.plus(YOUNG_MS) > times::now();
    if is_young || is_waiting(shared, &name).await? || engine.run(run).is_known().await? {
        return Ok(Found::GoesOn);
    }
    Ok(Found::Nowhere(name))
}
