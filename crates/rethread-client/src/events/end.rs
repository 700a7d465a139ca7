//! The end of a run, for those who do not want to know what happens before.

use rethread_core::event::{Event, EventKind, RunOutcome};
use rethread_core::graph::GraphProgress;
use rethread_core::ids::RunId;

use super::log::LogReader;
use crate::error::Result;
use crate::thread::Thread;

/// How a run ended.
#[derive(Debug)]
pub(crate) struct RunEnd {
    pub(crate) outcome: RunOutcome,
    /// What the step of a graph had come to in which the run stopped.
    pub(crate) stopped: Option<GraphProgress>,
}

impl RunEnd {
    /// Waits for the end of a run, and costs the storage nothing while the run goes on.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub(crate) async fn of(thread: &Thread, run: RunId) -> Result<Self> {
        let mut log = LogReader::new(thread.clone(), run, 0);
        loop {
            if let Some(end) = Self::found_in(log.end().await?) {
                return Ok(end);
            }
        }
    }

    fn found_in(last_events: Vec<Event>) -> Option<Self> {
        let mut stopped = None;
        for event in last_events {
            match event.kind {
                EventKind::StoppedInStep(progress) => stopped = Some(*progress),
                EventKind::RunEnded(outcome) => return Some(Self { outcome, stopped }),
                _ => {}
            }
        }
        None
    }
}
