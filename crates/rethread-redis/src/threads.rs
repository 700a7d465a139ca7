//! Reads of threads: headers, journals, checkpoints.

use bytes::Bytes;
use redis::{Value, cmd};
use rethread_core::ids::{CheckpointId, Millis, PartitionId, RunId, ThreadKey};
use rethread_storage::{LoadedThread, Result};
use uuid::Uuid;

use crate::error::{Effect, malformed};
use crate::{RedisStorage, reply, script};

impl RedisStorage {
    pub(crate) async fn load(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<LoadedThread>> {
        let keys = self.keys().partition(partition)?.thread(thread);
        let call = script::LOAD_THREAD.call(&[keys.thread, keys.journal, keys.checkpoints]);
        let what = format!("thread {thread} in {partition}");
        let answer = self.link.eval(&script::LOAD_THREAD, &call, Effect::Read).await?;
        let mut answer = reply::array(answer, &what)?.into_iter();
        let mut next = || answer.next().unwrap_or_default();
        let header = reply::optional_bytes(next(), &what)?;
        let journal = reply::all_bytes(next(), &what)?;
        let last_event = reply::optional_bytes(next(), &what)?;
        let base_id = reply::optional_bytes(next(), &what)?;
        let base = reply::optional_bytes(next(), &what)?;
        let Some(header) = header else {
            return Ok(None);
        };
        if base_id.is_some() && base.is_none() {
            return Err(malformed(&what, "its base checkpoint is missing"));
        }
        let last_event = match last_event {
            None => None,
            Some(text) => Some(
                parse_last_event(&text)
                    .ok_or_else(|| malformed(&what, "its last event is not `run:number`"))?,
            ),
        };
        Ok(Some(LoadedThread { header, journal, base, last_event, waiting: Vec::new() }))
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

fn parse_last_event(text: &[u8]) -> Option<(RunId, u64)> {
    let (run, seq) = std::str::from_utf8(text).ok()?.split_once(':')?;
    Some((RunId::from_uuid(Uuid::parse_str(run).ok()?), seq.parse().ok()?))
}
