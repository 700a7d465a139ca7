//! What operators see of a service over HTTP: whether it lives, whether it is ready, and metrics.
//!
//! ```text
//!   GET /livez      the process answers, and its engine does not hang
//!   GET /startupz   it has been ready once
//!   GET /readyz     it can work now; else which check fails, and why
//!   GET /metrics    counters and gauges in the text format of Prometheus
//! ```
//!
//! The listener has an OS thread and a connection to the storage of its own, so that it answers
//! while everything else is busy. It shows neither payloads nor ids of threads and runs.

mod exposition;
mod gateway;
mod health;
mod measured;
mod meters;
mod metrics;
mod sample;
mod server;

#[cfg(test)]
mod tests;

pub(crate) use measured::MeasuredStorage;
pub(crate) use meters::Meters;
pub(crate) use server::{AdminServer, Service};
