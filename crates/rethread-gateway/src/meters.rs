//! What the gateway has answered, for the metrics of the service.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;

use crate::limits::InFlight;

/// Upper bounds of the buckets of a latency, in microseconds.
const BOUNDS_US: [u64; 12] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
    30_000_000,
];

/// Counts and times what a gateway answers.
#[derive(Debug, Clone)]
pub struct GatewayMeters {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    operations: BTreeMap<&'static str, Meter>,
    in_flight: Arc<InFlight>,
    connections: Arc<AtomicUsize>,
}

/// Of one operation.
#[derive(Debug, Default)]
struct Meter {
    answers: Mutex<BTreeMap<u16, u64>>,
    /// How many took at most as long as each bound, and longer than the one before.
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    micros: AtomicU64,
}

/// What a gateway has answered so far, and has in progress.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct GatewaySnapshot {
    /// The operations that were asked for.
    pub operations: Vec<OperationSnapshot>,
    /// Requests in progress, without streams.
    pub requests: usize,
    /// Streams that are open.
    pub streams: usize,
    /// Connections that are open.
    pub connections: usize,
}

/// What one operation has answered.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OperationSnapshot {
    /// Its name in the OpenAPI document.
    pub operation: &'static str,
    /// Answers by status.
    pub answers: BTreeMap<u16, u64>,
    /// For each bound in seconds, how many answers began within it; at the end all of them,
    /// without a bound.
    pub within: Vec<(Option<f64>, u64)>,
    /// The time that all of them took to begin, in seconds.
    pub seconds: f64,
}

impl GatewayMeters {
    pub(crate) fn new(
        operations: impl Iterator<Item = &'static str>,
        in_flight: Arc<InFlight>,
    ) -> Self {
        let operations = operations.map(|operation| (operation, Meter::default())).collect();
        Self { inner: Arc::new(Inner { operations, in_flight, connections: Arc::default() }) }
    }

    /// The number of connections that are open, to be kept by who accepts them.
    pub(crate) fn connections(&self) -> &Arc<AtomicUsize> {
        &self.inner.connections
    }

    /// An operation has begun to answer.
    pub(crate) fn answered(&self, operation: &str, status: StatusCode, took: Duration) {
        let Some(meter) = self.inner.operations.get(operation) else { return };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS_US.iter().position(|bound| micros <= *bound);
        meter.buckets[place.unwrap_or(BOUNDS_US.len())].fetch_add(1, Ordering::Relaxed);
        meter.micros.fetch_add(micros, Ordering::Relaxed);
        let mut answers = meter.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry(status.as_u16()).or_default() += 1;
    }

    /// How things are now.
    pub fn snapshot(&self) -> GatewaySnapshot {
        let operations = self.inner.operations.iter().filter_map(|(operation, meter)| {
            let snapshot = meter.snapshot(operation);
            (!snapshot.answers.is_empty()).then_some(snapshot)
        });
        let counts = self.inner.in_flight.counts();
        GatewaySnapshot {
            operations: operations.collect(),
            requests: counts.requests,
            streams: counts.streams,
            connections: self.inner.connections.load(Ordering::Relaxed),
        }
    }
}

impl Meter {
    fn snapshot(&self, operation: &'static str) -> OperationSnapshot {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bounds = BOUNDS_US.iter().map(|us| Some(Duration::from_micros(*us).as_secs_f64()));
        let mut sum = 0;
        let within = bounds.chain([None]).zip(&self.buckets).map(|(bound, count)| {
            sum += count.load(Ordering::Relaxed);
            (bound, sum)
        });
        let within = within.collect();
        let seconds = Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64();
        OperationSnapshot { operation, answers, within, seconds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Most;

    #[test]
    fn answers_are_counted_by_operation_and_status() {
        let in_flight = Arc::new(InFlight::new(Most { requests: 1, streams: 1, token_streams: 1 }));
        let meters = GatewayMeters::new(["a", "b"].into_iter(), in_flight);
        for (status, ms) in [(StatusCode::OK, 1), (StatusCode::OK, 40), (StatusCode::NOT_FOUND, 0)]
        {
            meters.answered("a", status, Duration::from_millis(ms));
        }
        meters.answered("unknown", StatusCode::OK, Duration::ZERO);
        let snapshot = meters.snapshot();
        let [a] = &snapshot.operations[..] else { panic!("{snapshot:?}") };
        assert_eq!(a.answers, BTreeMap::from([(200, 2), (404, 1)]));
        assert_eq!(a.within.first(), Some(&(Some(0.0005), 1)));
        assert_eq!(a.within.last(), Some(&(None, 3)));
        assert!((a.seconds - 0.041).abs() < 1e-9, "{}", a.seconds);
    }
}
