//! The metrics of the HTTP API.

use rethread_gateway::GatewaySnapshot;

use super::exposition::{Exposition, Kind, number};

pub(super) fn render(metrics: &mut Exposition, snapshot: &GatewaySnapshot) {
    let name = "rethread_http_requests_total";
    metrics.family(name, Kind::Counter, "Requests over HTTP by operation and status.");
    for operation in &snapshot.operations {
        for (status, count) in &operation.answers {
            let status = status.to_string();
            let labels = [("operation", operation.operation), ("status", status.as_str())];
            metrics.sample(name, &labels, number(*count));
        }
    }
    let name = "rethread_http_seconds";
    metrics.family(name, Kind::Histogram, "Time until an answer over HTTP began.");
    for operation in &snapshot.operations {
        let label = ("operation", operation.operation);
        for (bound, count) in &operation.within {
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
            let labels = [label, ("le", bound.as_str())];
            metrics.sample("rethread_http_seconds_bucket", &labels, number(*count));
        }
        let all = operation.within.last().map_or(0, |(_, count)| *count);
        metrics.sample("rethread_http_seconds_sum", &[label], operation.seconds);
        metrics.sample("rethread_http_seconds_count", &[label], number(all));
    }
    for (name, help, count) in [
        (
            "rethread_http_requests",
            "Requests over HTTP in progress, without streams.",
            snapshot.requests,
        ),
        ("rethread_http_streams", "Streams over HTTP that are open.", snapshot.streams),
        ("rethread_http_connections", "Connections of HTTP that are open.", snapshot.connections),
    ] {
        metrics.single(name, Kind::Gauge, help, number(count as u64));
    }
}
