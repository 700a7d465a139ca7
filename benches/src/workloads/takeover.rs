//! W8: what it costs to lose a process.

use std::error::Error;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::sleep;

use super::endless::Endless;
use crate::cluster::{Cluster, Role};
use crate::program::Work;
use crate::report::{Report, Sample, spread};

/// How long a load works after something was ended before the next is: everything is taken over
/// and shared out by then.
const CALM: Duration = Duration::from_secs(3);
/// Runs in flight while something is ended.
const IN_FLIGHT: usize = 64;
/// What can be ended, and how.
const ENDS: [(&str, Role, Signal); 4] = [
    ("worker SIGKILL", Role::Worker, Signal::KILL),
    ("worker SIGTERM", Role::Worker, Signal::TERM),
    ("coordinator SIGKILL", Role::Coordinator, Signal::KILL),
    ("coordinator SIGTERM", Role::Coordinator, Signal::TERM),
];

/// Ends workers and coordinators under load, so often each, and measures how long what they had
/// in their hands stood still. Or only kills workers.
pub(crate) async fn takeover(
    report: &mut Report,
    repetitions: usize,
    lease_ms: u64,
    workers_only: bool,
) -> Result<(), Box<dyn Error>> {
    let settings = [
        ("RETHREAD_WORKER_SLOTS", "32".to_owned()),
        ("RETHREAD_LEASE_TTL_MS", lease_ms.to_string()),
    ];
    let ends = if workers_only { &ENDS[..1] } else { &ENDS[..] };
    for &(name, role, signal) in ends {
        let mut cluster = Cluster::new(&settings)?;
        cluster.start(Role::Coordinator, 2).await?;
        cluster.start(Role::Worker, 3).await?;
        let client = cluster.client().await?;
        let work = Work { steps: 1, ms: 20, is_busy: false };
        let load = Endless::start(&client, work, IN_FLIGHT);
        let (mut longest, mut all) = (Vec::new(), Vec::new());
        for _ in 0..repetitions {
            sleep(CALM).await;
            let ended = cluster.end_oldest(role, signal)?;
            let waits = load.waits_since(ended).await?;
            longest.extend(waits.iter().copied().reduce(f64::max));
            all.extend(waits);
            cluster.start(role, 1).await?;
        }
        load.stop().await?;
        let sample = Sample::new("takeover", format!("{name}, lease {lease_ms} ms"));
        report.add("redis", spread(spread(sample, "longest_ms", &longest), "in_flight_ms", &all));
    }
    Ok(())
}
