//! Reads the events of a run while it goes on, over any number of interruptions.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use rethread::client::{AnyValue, Event, EventKind, RunHandle, RunOutcome};
use rethread_core::record::Record;
use tokio::sync::Notify;
use tokio::time::sleep;
use xxhash_rust::xxh3::xxh3_64;

use super::Driver;
use super::conversation::may_pass;
use crate::app::Question;
use crate::history::{End, Fact, History, Kind, Reader};

/// After so many events a reader of some runs begins a new stream where it is.
const RECONNECT_AFTER: usize = 7;

/// What was read of a run.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    events: Vec<(u64, u64)>,
    emitted: Vec<u64>,
    end: Option<End>,
}

impl Reading {
    /// Number of the last event.
    pub(crate) fn after(&self) -> u64 {
        self.events.last().map_or(0, |(seq, _)| *seq)
    }

    /// Takes an event; true if it was the last.
    pub(crate) fn take(&mut self, event: &Event) -> bool {
        self.events.push((event.seq, xxh3_64(&event.to_record())));
        match &event.kind {
            EventKind::Custom { call: None, value, .. } => {
                self.emitted.extend(value.decode::<u64>("an emission").ok());
            }
            EventKind::RunEnded(outcome) => self.end = Some(end_of(outcome)),
            _ => {}
        }
        self.end.is_some()
    }

    /// Notes what was read. `reason` says why there may be no end.
    pub(crate) fn say(self, history: &History, run: String, reader: Reader, reason: String) -> End {
        let end = self.end.unwrap_or(End::Unread { reason });
        let kind = if matches!(end, End::Unread { .. }) { Kind::Fail } else { Kind::Ok };
        let (events, emitted) = (self.events, self.emitted);
        history.say(kind, Fact::Read { run, reader, events, emitted, end: end.clone() });
        end
    }
}

/// Reads a run to its end and notes each result as soon as it is seen.
pub(super) async fn watch(
    driver: &Driver,
    run: &RunHandle<AnyValue>,
    begun: Option<&Notify>,
) -> End {
    let id = run.run_id().to_string();
    let reconnects = run.run_id().as_uuid().as_u128().is_multiple_of(4);
    let mut reading = Reading::default();
    let mut reason = String::new();
    'streams: loop {
        let mut events = run.events_from(reading.after());
        let mut read = 0;
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    if let EventKind::Updated { call, .. } = &event.kind {
                        let (run, call) = (id.clone(), call.to_string());
                        driver.history.say(Kind::Info, Fact::Seen { run, seq: event.seq, call });
                        driver.counts.tasks.fetch_add(1, Ordering::Relaxed);
                    }
                    if let Some(begun) = begun {
                        begun.notify_one();
                    }
                    if reading.take(&event) {
                        break 'streams;
                    }
                }
                Err(error) if may_pass(&error) => {
                    sleep(Duration::from_millis(100)).await;
                    continue 'streams;
                }
                Err(error) => {
                    reason = error.to_string();
                    break 'streams;
                }
            }
            read += 1;
            if reconnects && read == RECONNECT_AFTER {
                continue 'streams;
            }
        }
        if read == 0 {
            reason = "the stream ended without an end of the run".to_owned();
            break;
        }
    }
    if let Some(begun) = begun {
        begun.notify_one();
    }
    reading.say(&driver.history, id, Reader::Live, reason)
}

fn end_of(outcome: &RunOutcome) -> End {
    match outcome {
        RunOutcome::Done(value) => match value.decode::<u64>("the result of a program") {
            Ok(value) => End::Done { value },
            Err(error) => End::Other { what: error.to_string() },
        },
        RunOutcome::Interrupted(open) => {
            let asks = open.iter().map(|interrupt| {
                let question = interrupt.value.decode::<Question>("a question");
                (interrupt.id.to_string(), question.map_or(0, |question| question.id))
            });
            End::Interrupted { asks: asks.collect() }
        }
        RunOutcome::Failed(failure) => {
            End::Failed { kind: failure.kind.clone(), message: failure.message.clone() }
        }
        RunOutcome::Refused(refusal) => End::Refused { reason: refusal.to_string() },
        RunOutcome::Cancelled => End::Cancelled,
        RunOutcome::Joined(run) => End::Joined { run: run.to_string() },
        other => End::Other { what: format!("{other:?}") },
    }
}
