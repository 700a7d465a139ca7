//! The metrics of a service.

use super::exposition::{Exposition, Kind, number};
use super::gateway;
use super::meters::{BOUNDS_US, Meters, Operation};
use super::sample::Sample;
use super::server::Watched;

/// All metrics at this moment.
pub(super) async fn render(watched: &Watched, is_draining: bool) -> String {
    let mut metrics = Exposition::default();
    let info = &watched.service;
    metrics.family("rethread_info", Kind::Gauge, "Always 1; says what this process is.");
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("role", info.role),
        ("durability", info.durability),
        ("node", info.node.as_str()),
    ];
    metrics.sample("rethread_info", &labels, 1.0);
    node(&mut metrics, watched, is_draining);
    storage(&mut metrics, &watched.meters);
    if let Some(meters) = &info.gateway {
        gateway::render(&mut metrics, &meters.snapshot());
    }
    if info.coordinates {
        let partitions = watched.probe.status().partitions;
        let sample = watched.sampler.sample(&*watched.storage, &partitions, info.dead_after).await;
        let help = "Whether the storage could not be asked for what follows.";
        let failed = f64::from(u8::from(sample.is_err()));
        metrics.single("rethread_sample_failed", Kind::Gauge, help, failed);
        match sample {
            Ok(sample) => sampled(&mut metrics, &sample),
            Err(error) => tracing::warn!(%error, "some metrics are missing"),
        }
    }
    metrics.into_text()
}

fn node(metrics: &mut Exposition, watched: &Watched, is_draining: bool) {
    for (name, help, value) in watched.probe.stats().counters() {
        let name = format!("rethread_{name}_total");
        metrics.single(&name, Kind::Counter, help, number(value));
    }
    let status = watched.probe.status();
    let mut gauge = |name: &str, help: &str, value: f64| {
        metrics.single(name, Kind::Gauge, help, value);
    };
    let count = |count: usize| number(count as u64);
    let flag = |is_so: bool| f64::from(u8::from(is_so));
    gauge(
        "rethread_draining",
        "Whether this process was told to stop.",
        flag(is_draining || status.is_draining),
    );
    gauge(
        "rethread_storage_fault",
        "Whether something was wrong with the storage when it was asked last.",
        flag(status.storage_fault.is_some()),
    );
    if watched.service.coordinates {
        gauge(
            "rethread_partitions_owned",
            "Partitions that this process owns and reads.",
            count(status.partitions.len()),
        );
        gauge("rethread_partitions", "Partitions there are.", watched.storage.partitions().into());
        gauge(
            "rethread_threads_in_memory",
            "Threads in memory, each with a coordinator.",
            number(status.threads),
        );
        gauge(
            "rethread_inbox_ahead",
            "Messages read from inboxes and not consumed yet.",
            count(status.inbox_ahead),
        );
        // Without a partition there is nothing to renew.
        let age = watched.meters.age(Operation::Renew).filter(|_| !status.partitions.is_empty());
        if let Some(age) = age {
            let help = "Time since leases were last renewed.";
            gauge("rethread_lease_renewal_age_seconds", help, age.as_secs_f64());
        }
        let help = "Time after which a lease that is not renewed is lost.";
        gauge("rethread_lease_ttl_seconds", help, watched.service.lease_ttl.as_secs_f64());
    }
    if watched.service.works {
        gauge("rethread_bodies_running", "Bodies of tasks that run.", number(status.bodies));
        if let Some(age) = watched.meters.age(Operation::Heartbeat) {
            let help = "Time since the worker last said that it lives.";
            gauge("rethread_heartbeat_age_seconds", help, age.as_secs_f64());
        }
    }
}

fn storage(metrics: &mut Exposition, meters: &Meters) {
    let used = || meters.all().filter(|(_, meter)| meter.cumulative().last() > Some(&0));
    let name = "rethread_storage_operations_total";
    metrics.family(name, Kind::Counter, "Operations of the storage that succeeded.");
    for (operation, meter) in used() {
        metrics.sample(name, &[("operation", operation.name())], number(meter.succeeded()));
    }
    let name = "rethread_storage_errors_total";
    metrics.family(name, Kind::Counter, "Operations of the storage that failed, by kind.");
    for (operation, meter) in used() {
        for (kind, count) in meter.failed() {
            let labels = [("operation", operation.name()), ("kind", kind)];
            metrics.sample(name, &labels, number(count));
        }
    }
    let name = "rethread_storage_seconds";
    metrics.family(name, Kind::Histogram, "Time that operations of the storage took.");
    for (operation, meter) in used().filter(|(operation, _)| !operation.waits()) {
        let label = ("operation", operation.name());
        let cumulative = meter.cumulative();
        for (bound, count) in BOUNDS_US.iter().zip(&cumulative) {
            let bound = (number(*bound) / 1e6).to_string();
            let labels = [label, ("le", bound.as_str())];
            metrics.sample("rethread_storage_seconds_bucket", &labels, number(*count));
        }
        let all = cumulative.last().copied().unwrap_or_default();
        let labels = [label, ("le", "+Inf")];
        metrics.sample("rethread_storage_seconds_bucket", &labels, number(all));
        metrics.sample("rethread_storage_seconds_sum", &[label], meter.seconds());
        metrics.sample("rethread_storage_seconds_count", &[label], number(all));
    }
    let name = "rethread_cache_lookups_total";
    metrics.family(name, Kind::Counter, "Lookups of cached results, by what was found.");
    for (result, count) in meters.lookups() {
        metrics.sample(name, &[("result", result)], number(count));
    }
}

fn sampled(metrics: &mut Exposition, sample: &Sample) {
    for (name, help, value) in [
        (
            "rethread_inbox_messages",
            "Messages in the inboxes of the partitions owned here.",
            sample.inbox,
        ),
        (
            "rethread_threads_active",
            "Threads of the partitions owned here that have work in progress.",
            sample.active_threads,
        ),
        (
            "rethread_dead_letters",
            "Dead letters kept in the partitions owned here.",
            sample.dead_letters,
        ),
        (
            "rethread_workers_alive",
            "Workers that live, of the whole namespace: the same in every process.",
            sample.workers,
        ),
    ] {
        metrics.single(name, Kind::Gauge, help, number(value));
    }
    let name = "rethread_queue_waiting";
    metrics.family(name, Kind::Gauge, "Orders that no worker has, in the partitions owned here.");
    for (queue, depth) in &sample.queues {
        metrics.sample(name, &[("queue", queue)], number(depth.waiting));
    }
    let name = "rethread_queue_assigned";
    metrics.family(name, Kind::Gauge, "Orders that a worker has, in the partitions owned here.");
    for (queue, depth) in &sample.queues {
        metrics.sample(name, &[("queue", queue)], number(depth.assigned));
    }
    let name = "rethread_queue_oldest_seconds";
    metrics.family(name, Kind::Gauge, "Age of the oldest order of the queue.");
    for (queue, depth) in &sample.queues {
        metrics.sample(name, &[("queue", queue)], number(depth.oldest_ms) / 1e3);
    }
}
