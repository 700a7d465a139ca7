//! Readers of the events of one run.

use std::fs::File;
use std::net::SocketAddr;

use futures::future::join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;
use tokio::task::JoinSet;
use xxhash_rust::xxh3::Xxh3;

use super::Sizes;
use super::connection::{Buffers, Coming, Connection, Failure};
use super::served::Served;
use crate::process::{most_resident_mb, resident_mb, shared_clock_us};
use crate::program::{Tick, Writing};
use crate::report::{Sample, spread};

/// Connections that are opened at the same time.
const OPENED_AT_ONCE: usize = 50;

/// What a reader has read.
struct Seen {
    /// Of names, data and ids of all events in their order.
    digest: u64,
    /// Time from the write of each event to this reader, in microseconds.
    times_us: Vec<u32>,
}

/// One run writes events, many read them, and some of those do not read while the others do.
///
/// All are there before the first event is written. In the end each has seen the same list.
pub(super) async fn readers(served: &Served, sizes: Sizes) -> Result<Sample, Failure> {
    let Sizes { readers, stalled, events, per_second, .. } = sizes;
    let gate = served.file("gate");
    let writing = Writing { events, per_second, gate: gate.clone() };
    let path = begin(served, &writing).await?;
    let memory_before = resident_mb(served.gateway()).unwrap_or_default();
    let address = served.address();
    let lively = open(address, &path, readers.saturating_sub(stalled), Buffers::Standard).await?;
    let stalling = open(address, &path, stalled.min(readers), Buffers::Small).await?;
    let memory_joined = resident_mb(served.gateway()).unwrap_or_default();

    let cpu = served.cpu_seconds();
    let mut reading = JoinSet::new();
    for reader in lively {
        reading.spawn(read(reader));
    }
    drop(File::create(gate)?);
    let (mut digests, mut times_ms) = (Vec::new(), Vec::new());
    while let Some(seen) = reading.join_next().await {
        let Seen { digest, times_us } = seen??;
        expect_all(&times_us, events)?;
        digests.push(digest);
        times_ms.extend(times_us.into_iter().map(|time| f64::from(time) / 1_000.0));
    }
    let cpu_seconds = served.cpu_seconds() - cpu;
    let memory_most = most_resident_mb(served.gateway()).unwrap_or_default();
    for seen in join_all(stalling.into_iter().map(read)).await {
        let Seen { digest, times_us } = seen?;
        expect_all(&times_us, events)?;
        digests.push(digest);
    }
    digests.sort_unstable();
    digests.dedup();
    if digests.len() > 1 {
        return Err(format!("readers have seen {} different lists", digests.len()).into());
    }
    let parameters = format!(
        "{readers} readers, {stalled} of them stalled, {events} events at {per_second} a second"
    );
    let sample = Sample::new("http-readers", parameters)
        .with("different_lists", digests.len() as f64)
        .with("gateway_rss_mb_before", memory_before)
        .with("gateway_rss_mb_joined", memory_joined)
        .with("gateway_rss_mb_most", memory_most)
        .with("service_cpu_seconds", cpu_seconds);
    Ok(spread(sample, "write_to_reader_ms", &times_ms))
}

/// Makes the run; gives the path of its events.
async fn begin(served: &Served, writing: &Writing) -> Result<String, Failure> {
    let mut connection = served.connect().await?;
    let thread = connection.post("/threads", &json!({})).await?;
    let thread = thread["thread_id"].as_str().ok_or("a thread has no id")?;
    let run = json!({ "assistant_id": "broadcast", "input": writing });
    let run = connection.post(&format!("/threads/{thread}/runs"), &run).await?;
    let run = run["run_id"].as_str().ok_or("a run has no id")?;
    Ok(format!("/threads/{thread}/runs/{run}/stream?stream_mode=custom"))
}

async fn open(
    address: SocketAddr,
    path: &str,
    count: usize,
    buffers: Buffers,
) -> Result<Vec<Coming>, Failure> {
    stream::iter(0..count)
        .map(|_| async move { Connection::open(address, buffers).await?.events(path).await })
        .buffer_unordered(OPENED_AT_ONCE)
        .try_collect()
        .await
}

/// Reads to the end.
async fn read(mut coming: Coming) -> Result<Seen, Failure> {
    let (mut digest, mut times_us) = (Xxh3::new(), Vec::new());
    let mut rest = String::new();
    while let Some(bytes) = coming.next().await? {
        let now = shared_clock_us();
        // Events are ASCII here.
        rest.push_str(std::str::from_utf8(&bytes)?);
        let mut read = 0;
        while let Some(length) = rest[read..].find("\r\n\r\n") {
            let event = &rest[read..read + length];
            read += length + 4;
            if event.starts_with(':') {
                // A sign of life.
                continue;
            }
            digest.update(event.as_bytes());
            if let Some(tick) = tick(event)? {
                let time = now.saturating_sub(tick.at_us);
                times_us.push(u32::try_from(time).unwrap_or(u32::MAX));
            }
        }
        rest.drain(..read);
    }
    Ok(Seen { digest: digest.digest(), times_us })
}

/// What was written, if the event shows that.
fn tick(event: &str) -> Result<Option<Tick>, serde_json::Error> {
    if !event.starts_with("event: custom\r\n") {
        return Ok(None);
    }
    let data = event.lines().find_map(|line| line.strip_prefix("data: "));
    data.map(serde_json::from_str).transpose()
}

fn expect_all(times: &[u32], events: u64) -> Result<(), Failure> {
    match times.len() as u64 == events {
        true => Ok(()),
        false => Err(format!("a reader has seen {} of {events} events", times.len()).into()),
    }
}
