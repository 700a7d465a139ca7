//! The dump: what a client that took no part finds when all is over.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use rethread::client::RunId;
use rethread::{Client, client};
use serde_json::Value as Json;
use tokio::time::{Instant, timeout};

use crate::app::NAMESPACE;
use crate::check::Log;
use crate::cluster::Files;
use crate::drive::Reading;
use crate::history::{Fact, History, Kind, Reader};

/// Threads that are looked at together.
const TOGETHER: usize = 16;
/// How long the events of a run may take to be read: they are all there.
const READ_LIMIT: Duration = Duration::from_secs(20);
/// How long that may take for all runs that have not ended, if there are many.
const DUMP_LIMIT: Duration = Duration::from_secs(120);
/// What is left for each run after that.
const READ_LIMIT_LATE: Duration = Duration::from_millis(200);

/// Reads all threads and runs of the history.
pub(crate) async fn dump(files: &Files, url: &str) -> io::Result<()> {
    let client = Client::connect(url).await.map_err(io::Error::other)?;
    let history = Arc::new(History::open(&files.dump(), "dump")?);
    let threads = runs_by_thread(files)?;
    let begun = Instant::now();
    let mut looks = stream::iter(threads)
        .map(|(thread, runs)| look(&client, &history, begun, thread, runs))
        .buffer_unordered(TOGETHER);
    while let Some(looked) = looks.next().await {
        looked.map_err(io::Error::other)?;
    }
    Ok(())
}

fn runs_by_thread(files: &Files) -> io::Result<BTreeMap<String, BTreeSet<String>>> {
    let mut threads: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut accepted = BTreeSet::new();
    let log = Log::read(&[&files.history()])?;
    for line in log.lines() {
        if let (Kind::Ok, Fact::Submit { run, .. }) = (line.entry.kind, &line.entry.fact) {
            accepted.insert(run.clone());
        }
    }
    for line in log.lines() {
        if let Fact::Start { thread, run, .. }
        | Fact::Resume { thread, run, .. }
        | Fact::Retry { thread, run, .. } = &line.entry.fact
            && accepted.contains(run)
        {
            threads.entry(thread.clone()).or_default().insert(run.clone());
        }
    }
    Ok(threads)
}

async fn look(
    client: &Client,
    history: &History,
    begun: Instant,
    thread: String,
    runs: BTreeSet<String>,
) -> client::Result<()> {
    let handle = client.thread(&thread)?;
    for id in runs {
        let Ok(run) = id.parse::<RunId>() else { continue };
        let mut reading = Reading::default();
        let mut events = handle.run(run).events();
        let is_late = begun.elapsed() > DUMP_LIMIT;
        let read = timeout(if is_late { READ_LIMIT_LATE } else { READ_LIMIT }, async {
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) if reading.take(&event) => break,
                    Ok(_) => {}
                    Err(error) => return error.to_string(),
                }
            }
            "it ends without an end of the run".to_owned()
        });
        let reason = read.await.unwrap_or_else(|_| "it has not ended".to_owned());
        reading.say(history, id, Reader::Late, reason);
    }
    let status = handle.status().await?;
    let status = status.map_or("unknown", |status| status.name()).to_owned();
    let found = client.store().search([NAMESPACE, thread.as_str()]).limit(100);
    let mut items = BTreeMap::new();
    for item in found.items::<Json>().await? {
        items.insert(item.key, item.value["n"].as_u64().unwrap_or_default());
    }
    history.say(Kind::Ok, Fact::Thread { thread, status, items });
    Ok(())
}
