//! The dump: what a client that took no part finds when all is over.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use rethread::client::admin::DeadLetterKind;
use rethread::client::{Cached, RunId};
use rethread::{Client, client};
use serde_json::Value as Json;
use tokio::time::{Instant, timeout};

use crate::app::{NAMESPACE, PLANNED_PANIC};
use crate::check::Log;
use crate::cluster::{Files, ROLLED_BACK, Server};
use crate::drive::Reading;
use crate::history::{Fact, History, Kind, Reader};
use crate::records;

/// Threads that are looked at together.
const TOGETHER: usize = 16;
/// How long the events of a run may take to be read: they are all there.
const READ_LIMIT: Duration = Duration::from_secs(20);
/// How long that may take for all runs that have not ended, if there are many.
const DUMP_LIMIT: Duration = Duration::from_secs(120);
/// Most dead letters that are read.
const LETTERS_MAX: usize = 10_000;
/// What is left for each run after that.
const READ_LIMIT_LATE: Duration = Duration::from_millis(200);
/// Where coordinators say which entrypoints they have.
const PUBLISHED: [&str; 2] = ["@rethread", "entrypoints"];

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
    drop(looks);
    let mut server = Server::connect(url).await?;
    let letters = client.admin().dead_letters(LETTERS_MAX).await.map_err(io::Error::other)?;
    let tasks = letters.iter().filter(|letter| letter.kind == DeadLetterKind::Task);
    let runs = tasks.filter_map(|letter| letter.run.clone()).collect();
    history.say(Kind::Ok, Fact::DeadLetters { count: letters.len(), runs });
    let (count, unreadable) = records::read_all(&mut server).await?;
    history.say(Kind::Ok, Fact::Records { count, unreadable });
    say_logged(files, &history)
}

/// Notes how often what matters stands in the logs.
fn say_logged(files: &Files, history: &History) -> io::Result<()> {
    for log in std::fs::read_dir(files.log(""))? {
        let log = log?;
        let bytes = std::fs::read(log.path())?;
        let text = String::from_utf8_lossy(&bytes);
        let mut logged = (0, 0, 0);
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            // The message of a panic stands on the line behind its place.
            let is_planned = lines.peek().is_some_and(|message| message.contains(PLANNED_PANIC));
            logged.0 += u64::from(line.contains("panicked at") && !is_planned);
            logged.1 += u64::from(line.contains(ROLLED_BACK));
            logged.2 += u64::from(line.contains(" is damaged: "));
        }
        let name = log.file_name().to_string_lossy().into_owned();
        let (panics, rollbacks, corrupt) = logged;
        history.say(Kind::Info, Fact::Logged { name, panics, rollbacks, corrupt });
    }
    Ok(())
}

/// Deletes all threads, items and cached results, and notes which keys are left that should not
/// be: what is left for good has a fixed number of keys.
pub(crate) async fn delete_all(files: &Files, url: &str) -> io::Result<()> {
    let client = Client::connect(url).await.map_err(io::Error::other)?;
    let history = History::open(&files.dump(), "dump")?;
    let threads = stream::iter(runs_by_thread(files)?.into_keys());
    let deleted = threads.map(|name| delete(&client, name)).buffer_unordered(TOGETHER);
    let mut failed: Vec<String> = deleted
        .filter_map(|deleted| async { deleted.err().map(|error| error.to_string()) })
        .collect()
        .await;
    if let Err(error) = client.clear_cache(Cached::All).await {
        failed.push(error.to_string());
    }
    // What coordinators say of their entrypoints is no thread's, and made anew each hour.
    if let Err(error) = delete_items(&client, &PUBLISHED).await {
        failed.push(error.to_string());
    }
    let mut server = Server::connect(url).await?;
    let mut keys = records::left(&mut server).await?;
    keys.extend(failed);
    history.say(Kind::Ok, Fact::Left { keys });
    Ok(())
}

async fn delete(client: &Client, name: String) -> client::Result<()> {
    client.thread(&name)?.delete().await?;
    delete_items(client, &[NAMESPACE, name.as_str()]).await
}

async fn delete_items(client: &Client, namespace: &[&str]) -> client::Result<()> {
    let store = client.store();
    let namespace = || namespace.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
    for item in store.search(namespace()).limit(100).items::<Json>().await? {
        store.delete(namespace(), item.key).await?;
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
