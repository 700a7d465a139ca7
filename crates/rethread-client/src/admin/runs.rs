//! Runs and their events.

use rethread_core::event::{Event, EventKind, RunOutcome};
use rethread_core::failure::Failure;
use rethread_core::ids::{CallId, RunId, ThreadId};
use rethread_core::payload::Payload;
use serde::Serialize;
use serde_json::Value;

use crate::admin::{Admin, decode};
use crate::error::Result;
use crate::json;

/// Events that one read fetches.
const PAGE: usize = 1_000;

/// A run, by its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RunInfo {
    /// The thread.
    pub thread: String,
    /// The run.
    pub run: RunId,
    /// The entrypoint; none of a run that was refused.
    pub entrypoint: Option<String>,
    /// `running`, or how it ended: `done`, `interrupted`, `failed`, `parked`, `cancelled`,
    /// `refused`, `joined` or `edited`.
    pub status: String,
    /// More about the end: a failure, a refusal, where code and journal differ.
    pub reason: Option<String>,
    /// When it began, in milliseconds since 1970.
    pub started_at_ms: u64,
    /// When it ended; none while it is in progress.
    pub ended_at_ms: Option<u64>,
    /// Calls that were made, replayed ones included.
    pub calls: u64,
    /// Calls that gave a result.
    pub results: u64,
    /// Calls that failed for good.
    pub failures: u64,
    /// Events in all.
    pub events: u64,
}

/// One event of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EventInfo {
    /// Its number in the run, from 1.
    pub seq: u64,
    /// When it was recorded, in milliseconds since 1970.
    pub at_ms: u64,
    /// What happened: `run_started`, `call_started`, `updated`, `call_failed`, `custom`,
    /// `message`, `reset`, `checkpointed`, `run_ended` or, of a newer engine, `unknown`.
    pub event: &'static str,
    /// The call it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// The name of the task or entrypoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How the run ended, as [`RunInfo::status`] says it, why a call failed, and which attempt
    /// writes anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The input, result or value, if values were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

impl EventInfo {
    /// What is shown of an event; values only if `with_values`, since they are what users sent.
    ///
    /// # Errors
    /// [`ClientError::Payload`](crate::ClientError::Payload) when JSON cannot say a value.
    pub fn new(event: &Event, with_values: bool) -> Result<Self> {
        let mut info = Self {
            seq: event.seq,
            at_ms: event.at.0,
            event: "unknown",
            call: None,
            name: None,
            outcome: None,
            value: None,
        };
        let mut shown: Option<&Payload> = None;
        match &event.kind {
            EventKind::RunStarted { entrypoint, root, .. } => {
                info.event = "run_started";
                (info.call, info.name) = (Some(*root), Some(entrypoint.clone()));
            }
            EventKind::CallStarted { call, name, input, .. } => {
                info.event = "call_started";
                (info.call, info.name) = (Some(*call), Some(name.clone()));
                shown = Some(input);
            }
            EventKind::Updated { call, name, value, is_cached, .. } => {
                info.event = "updated";
                (info.call, info.name) = (Some(*call), Some(name.clone()));
                info.outcome = is_cached.then(|| "cached".to_owned());
                shown = Some(value);
            }
            EventKind::CallFailed { call, name, failure, .. } => {
                info.event = "call_failed";
                (info.call, info.name) = (Some(*call), Some(name.clone()));
                info.outcome = Some(brief(failure, with_values));
            }
            EventKind::Custom { call, value, .. } => {
                (info.event, info.call) = ("custom", *call);
                shown = Some(value);
            }
            EventKind::Message { call, value, .. } => {
                (info.event, info.call) = ("message", *call);
                shown = Some(value);
            }
            EventKind::Reset { call, attempt } => {
                (info.event, info.call) = ("reset", *call);
                info.outcome = Some(format!("attempt {attempt}"));
            }
            EventKind::Checkpointed { .. } => info.event = "checkpointed",
            EventKind::RunEnded(outcome) => {
                info.event = "run_ended";
                let (status, _) = end(outcome);
                info.outcome = Some(status.to_owned());
                if let RunOutcome::Done(value) = outcome {
                    shown = Some(value);
                }
            }
            _ => {}
        }
        if let Some(value) = shown.filter(|_| with_values) {
            info.value = Some(json::from_payload(value, "value of an event")?);
        }
        Ok(info)
    }
}

/// The kind of a failure; its message may hold what users sent.
fn brief(failure: &Failure, with_values: bool) -> String {
    if with_values {
        format!("{}: {}", failure.kind, failure.message)
    } else {
        failure.kind.to_string()
    }
}

/// The word for an end, and more about it.
fn end(outcome: &RunOutcome) -> (&'static str, Option<String>) {
    match outcome {
        RunOutcome::Done(_) => ("done", None),
        RunOutcome::Interrupted(open) => ("interrupted", Some(format!("{} questions", open.len()))),
        RunOutcome::Failed(failure) => {
            ("failed", Some(format!("{}: {}", failure.kind, failure.message)))
        }
        RunOutcome::Parked(mismatch) => ("parked", Some(mismatch.to_string())),
        RunOutcome::Cancelled => ("cancelled", None),
        RunOutcome::Refused(refusal) => ("refused", Some(refusal.to_string())),
        RunOutcome::Joined(run) => ("joined", Some(format!("run {run}"))),
        RunOutcome::Edited(_) => ("edited", None),
        _ => ("unknown", None),
    }
}

impl Admin {
    /// A run of a thread, by default the one in progress or that ended last. None if it has no
    /// events: it waits for its turn, was never accepted, or its events are no longer kept.
    ///
    /// # Errors
    /// As [`Admin::explain`].
    pub async fn run(
        &self,
        thread: impl AsRef<str>,
        run: Option<RunId>,
    ) -> Result<Option<RunInfo>> {
        let thread = ThreadId::new(thread)?;
        let Some(run) = self.run_or_latest(&thread, run).await? else { return Ok(None) };
        let mut info = RunInfo {
            thread: thread.to_string(),
            run,
            entrypoint: None,
            status: "running".to_owned(),
            reason: None,
            started_at_ms: 0,
            ended_at_ms: None,
            calls: 0,
            results: 0,
            failures: 0,
            events: 0,
        };
        loop {
            let events = self.events(&thread, run, info.events).await?;
            let Some(last) = events.last() else { break };
            if info.events == 0 {
                info.started_at_ms = events.first().map_or(0, |event| event.at.0);
            }
            info.events = last.seq;
            for event in events {
                match event.kind {
                    EventKind::RunStarted { entrypoint, .. } => info.entrypoint = Some(entrypoint),
                    EventKind::CallStarted { .. } => info.calls += 1,
                    EventKind::Updated { .. } => info.results += 1,
                    EventKind::CallFailed { .. } => info.failures += 1,
                    EventKind::RunEnded(outcome) => {
                        let (status, reason) = end(&outcome);
                        (info.status, info.reason) = (status.to_owned(), reason);
                        info.ended_at_ms = Some(event.at.0);
                    }
                    _ => {}
                }
            }
        }
        Ok((info.events > 0).then_some(info))
    }

    /// The run that is named, or the one that is in progress or ended last.
    ///
    /// # Errors
    /// As [`Admin::explain`].
    pub async fn run_or_latest(
        &self,
        thread: &ThreadId,
        run: Option<RunId>,
    ) -> Result<Option<RunId>> {
        if run.is_some() {
            return Ok(run);
        }
        let header = self.client.thread_with_id(thread.clone()).header().await?;
        Ok(header.map(|header| header.run))
    }

    /// Events of a run that are recorded by now and have greater numbers than `after`, the first
    /// of them. Does not wait; [`RunHandle::events`](crate::RunHandle::events) does.
    ///
    /// # Errors
    /// As [`Admin::explain`].
    pub async fn events(&self, thread: &ThreadId, run: RunId, after: u64) -> Result<Vec<Event>> {
        let partition = self.client.partition(thread.key());
        let read = self.client.read(|storage| storage.read_events(partition, run, after, PAGE));
        let records = read.await?;
        records.iter().map(|record| decode("event of a run", record)).collect()
    }

    /// One thread; none if it has never run.
    ///
    /// # Errors
    /// As [`Admin::explain`].
    pub async fn thread(&self, thread: impl AsRef<str>) -> Result<Option<super::ThreadInfo>> {
        let header = self.client.thread_with_id(ThreadId::new(thread)?).header().await?;
        Ok(header.map(|header| super::ThreadInfo::new(&header)))
    }
}
