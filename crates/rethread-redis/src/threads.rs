//! Reads of threads: headers, journals, checkpoints.

use std::collections::BTreeSet;

use bytes::Bytes;
use redis::{Value, cmd};
use rethread_core::ids::{CheckpointId, Millis, PartitionId, RunId, ThreadKey};
use rethread_storage::{HeaderRecord, LoadedThread, Result, ThreadPage};
use uuid::Uuid;

use crate::error::{Effect, malformed};
use crate::{RedisStorage, reply, script};

/// How many keys the server looks at before it serves others.
const SCAN_COUNT_MAX: usize = 1000;
/// How often it does so for one page.
const SCANS_MAX: usize = 200;

impl RedisStorage {
    pub(crate) async fn load(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<LoadedThread>> {
        let keys = self.keys().partition(partition)?.thread(thread);
        let names = [keys.thread, keys.journal, keys.checkpoints, keys.waiting];
        let call = script::LOAD_THREAD.call(&names);
        let what = format!("thread {thread} in {partition}");
        let answer = self.link.eval(&script::LOAD_THREAD, &call, Effect::Read).await?;
        let mut answer = reply::array(answer, &what)?.into_iter();
        let mut next = || answer.next().unwrap_or_default();
        let header = reply::optional_bytes(next(), &what)?;
        let journal = reply::all_bytes(next(), &what)?;
        let last_event = reply::optional_bytes(next(), &what)?;
        let base_id = reply::optional_bytes(next(), &what)?;
        let base = reply::optional_bytes(next(), &what)?;
        let waiting = reply::all_bytes(next(), &what)?;
        let Some(header) = header else {
            return Ok(None);
        };
        if base_id.is_some() && base.is_none() {
            return Err(malformed(&what, "its base checkpoint is missing"));
        }
        let last_event = read_last_event(last_event, &what)?;
        Ok(Some(LoadedThread { header, journal, base, last_event, waiting }))
    }

    pub(crate) async fn get_header(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<HeaderRecord>> {
        let mut get = cmd("HMGET");
        get.arg(&self.keys().partition(partition)?.thread(thread).thread).arg("h").arg("l");
        let what = format!("thread {thread} in {partition}");
        let answer = self.link.run(&get, Effect::Read).await?;
        let mut fields = reply::array(answer, &what)?.into_iter();
        let mut next = || reply::optional_bytes(fields.next().unwrap_or_default(), &what);
        let (header, last_event) = (next()?, next()?);
        let Some(header) = header else {
            return Ok(None);
        };
        Ok(Some(HeaderRecord { header, last_event: read_last_event(last_event, &what)? }))
    }

    /// Walks over the keys of the server, so it costs as much as all namespaces hold together:
    /// only operators ask, and a list of all threads would cost a key at each new one.
    pub(crate) async fn page_of_threads(
        &self,
        partition: PartitionId,
        from: Option<u64>,
        max: usize,
    ) -> Result<ThreadPage> {
        let keys = self.keys().partition(partition)?;
        let what = format!("threads of {partition}");
        let count = max.clamp(10, SCAN_COUNT_MAX);
        let mut cursor = from.unwrap_or(0);
        let mut found = BTreeSet::new();
        for _ in 0..SCANS_MAX {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&keys.any_thread).arg("COUNT").arg(count);
            let answer = self.link.run_near(&keys.lease, &scan, Effect::Read).await?;
            let mut answer = reply::array(answer, &what)?.into_iter();
            cursor = reply::number(answer.next().unwrap_or_default(), &what)?;
            for key in reply::all_bytes(answer.next().unwrap_or_default(), &what)? {
                found.extend(keys.thread_of(&key));
            }
            if cursor == 0 || found.len() >= max {
                break;
            }
        }
        let gets = found.iter().map(|thread| {
            let mut get = cmd("HGET");
            get.arg(&keys.thread(*thread).thread).arg("h");
            get
        });
        let answers = self.link.run_all(gets.collect(), Effect::Read).await?;
        let mut threads = Vec::with_capacity(found.len());
        for (thread, answer) in found.into_iter().zip(answers) {
            if let Some(header) = reply::optional_bytes(self.link.checked(answer)?, &what)? {
                threads.push((thread, header));
            }
        }
        Ok(ThreadPage { threads, next: (cursor != 0).then_some(cursor) })
    }

    pub(crate) async fn list_active(
        &self,
        partition: PartitionId,
    ) -> Result<Vec<(ThreadKey, Millis)>> {
        let mut range = cmd("ZRANGE");
        range.arg(&self.keys().partition(partition)?.active).arg(0).arg(-1).arg("WITHSCORES");
        let what = format!("active threads of {partition}");
        let answer = self.link.run(&range, Effect::Read).await?;
        let mut flat = Vec::new();
        for value in reply::array(answer, &what)? {
            match value {
                Value::Array(pair) => flat.extend(pair),
                single => flat.push(single),
            }
        }
        let mut threads = Vec::with_capacity(flat.len() / 2);
        let mut flat = flat.into_iter();
        while let (Some(member), Some(score)) = (flat.next(), flat.next()) {
            let member = reply::bytes(member, &what)?;
            let key = <[u8; 16]>::try_from(&member[..])
                .map_err(|_| malformed(&what, "a member is not a thread key"))?;
            threads.push((ThreadKey::from_bytes(key), Millis(reply::number(score, &what)?)));
        }
        Ok(threads)
    }

    pub(crate) async fn get_checkpoint(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        id: CheckpointId,
    ) -> Result<Option<Bytes>> {
        let keys = self.keys().partition(partition)?.thread(thread);
        let mut get = cmd("HGET");
        get.arg(&keys.checkpoints).arg(&id.as_uuid().as_bytes()[..]);
        let answer = self.link.run(&get, Effect::Read).await?;
        reply::optional_bytes(answer, "checkpoint")
    }

    pub(crate) async fn newest_checkpoints(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        before: Option<CheckpointId>,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        let keys = self.keys().partition(partition)?.thread(thread);
        let mut call = script::LIST_CHECKPOINTS.call(&[keys.checkpoint_ids, keys.checkpoints]);
        match &before {
            Some(id) => call.arg(&id.as_uuid().as_bytes()[..]),
            None => call.arg(""),
        };
        call.arg(i64::try_from(max).unwrap_or(i64::MAX));
        let answer = self.link.eval(&script::LIST_CHECKPOINTS, &call, Effect::Read).await?;
        reply::all_bytes(answer, &format!("checkpoints of thread {thread} in {partition}"))
    }
}

fn read_last_event(text: Option<Bytes>, what: &str) -> Result<Option<(RunId, u64)>> {
    let Some(text) = text else {
        return Ok(None);
    };
    let last = parse_last_event(&text);
    last.map(Some).ok_or_else(|| malformed(what, "its last event is not `run:number`"))
}

fn parse_last_event(text: &[u8]) -> Option<(RunId, u64)> {
    let (run, seq) = std::str::from_utf8(text).ok()?.split_once(':')?;
    Some((RunId::from_uuid(Uuid::parse_str(run).ok()?), seq.parse().ok()?))
}
