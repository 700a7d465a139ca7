//! What goes on when the reader of a run goes away, and when the run is over.

use super::create::Made;
use super::ending::{Ending, RunName, note, wait_or_look};
use super::later;
use super::multitask::stop;
use crate::error::ApiResult;
use crate::shared::Shared;

/// Held by the answer to a request that reads a run. Dropped before the run is over, it cancels
/// the run if that was asked for, and else sees to it that its end is noted.
#[derive(Debug)]
pub(crate) struct Watch {
    shared: Shared,
    name: RunName,
    /// Whether the run is cancelled when the reader goes away.
    cancels: bool,
    /// Whether nothing is kept of the run.
    is_passing: bool,
    /// Whether the end of the run is noted by somebody else.
    is_guest: bool,
    is_over: bool,
}

impl Watch {
    /// For whoever made the run.
    pub(super) fn of_made(shared: &Shared, made: &Made, cancels: bool) -> Self {
        let (shared, name) = (shared.clone(), made.name.clone());
        let is_passing = made.is_passing;
        Self { shared, name, cancels, is_passing, is_guest: false, is_over: false }
    }

    /// For whoever joins it.
    pub(super) fn of_guest(shared: &Shared, name: &RunName, cancels: bool) -> Self {
        let (shared, name) = (shared.clone(), name.clone());
        Self { shared, name, cancels, is_passing: false, is_guest: true, is_over: false }
    }

    /// For a run that nobody reads for now.
    pub(crate) fn leave(shared: &Shared, made: &Made) {
        drop(Self::of_made(shared, made, false));
    }

    /// The run is over, and the reader was told its end. `is_whole`: there is nothing that it
    /// may come back for.
    pub(super) fn over(mut self, ending: Option<Ending>, is_whole: bool) {
        self.is_over = true;
        if self.is_guest {
            return;
        }
        let (shared, name) = (self.shared.clone(), self.name.clone());
        let is_passing = self.is_passing;
        tokio::spawn(async move {
            let concluded = conclude(&shared, &name, ending, is_passing, is_whole).await;
            report(&name, concluded);
        });
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.is_over || (self.is_guest && !self.cancels) {
            return;
        }
        let (shared, name) = (self.shared.clone(), self.name.clone());
        let Self { cancels, is_passing, is_guest, .. } = *self;
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let concluded = async {
                // A reader that the gateway sends away has not gone by itself.
                if cancels && !shared.is_draining() {
                    stop(&shared, &name, false).await?;
                }
                match is_guest {
                    true => Ok(()),
                    false => conclude(&shared, &name, None, is_passing, false).await,
                }
            };
            report(&name, concluded.await);
        });
    }
}

/// Notes the end of a run, which is waited for if it is not known yet.
async fn conclude(
    shared: &Shared,
    name: &RunName,
    ending: Option<Ending>,
    is_passing: bool,
    is_whole: bool,
) -> ApiResult<()> {
    let ending = match ending {
        Some(ending) => ending,
        None => wait_or_look(shared, name).await?,
    };
    let is_removed = is_passing && is_whole;
    // What is removed at once, only webhooks tell of.
    if !is_removed || shared.options().webhooks.is_some() {
        note(shared, name, &ending).await?;
    }
    match (is_passing, is_whole) {
        (true, true) => later::remove(shared, name).await,
        (true, false) => later::pass(shared, name, true).await,
        (false, _) => Ok(()),
    }
}

fn report(name: &RunName, done: ApiResult<()>) {
    if let Err(error) = done {
        let (run_id, detail) = (name.run, error.detail());
        tracing::warn!(%run_id, detail, "the end of a run could not be noted; a later look does");
    }
}
