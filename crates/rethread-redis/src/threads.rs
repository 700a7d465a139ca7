//! Reads of threads: headers, journals, checkpoints.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use bytes::Bytes;
use redis::{Value, cmd};
use rethread_core::ids::{CheckpointId, Millis, PartitionId, RunId, ThreadKey};
use rethread_storage::{HeaderRecord, LoadedThread, Result, ThreadPage};

use crate::error::{Effect, malformed};
use crate::{RedisStorage, reply, script, slots};

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
        let names = [keys.thread, keys.checkpoints, keys.waiting];
        let call = script::LOAD_THREAD.call(&names);
        let what = format!("thread {thread} in {partition}");
        let answer = self.link.eval(&script::LOAD_THREAD, &call, Effect::Read).await?;
        let mut answer = reply::array(answer, &what)?.into_iter();
        let mut next = || answer.next().unwrap_or_default();
        let mut thread = reply::all_bytes(next(), &what)?;
        let base = reply::optional_bytes(next(), &what)?;
        let waiting = reply::all_bytes(next(), &what)?;
        if !slots::has_header(&thread) {
            return Ok(None);
        }
        if thread.len() < slots::COUNT {
            return Err(malformed(&what, "it is cut off"));
        }
        let journal = thread.split_off(slots::COUNT);
        if !thread[slots::BASE].is_empty() && base.is_none() {
            return Err(malformed(&what, "its base checkpoint is missing"));
        }
        let last_event = self.last_event(partition, &thread[slots::LAST_EVENT], &what).await?;
        let header = thread.swap_remove(slots::HEADER);
        Ok(Some(LoadedThread { header, journal, base, last_event, waiting }))
    }

    /// The run whose slot this is, and the number of its last event; of one that goes on, its log
    /// is asked.
    async fn last_event(
        &self,
        partition: PartitionId,
        slot: &[u8],
        what: &str,
    ) -> Result<Option<(RunId, u64)>> {
        let Some(last) = slots::read_last_event(slot, what)? else { return Ok(None) };
        let number = match last.is_open {
            true => self.log_end(partition, last.run).await?.max(last.number),
            false => last.number,
        };
        Ok(Some((last.run, number)))
    }

    pub(crate) async fn get_header(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
    ) -> Result<Option<HeaderRecord>> {
        let mut range = cmd("LRANGE");
        range.arg(&self.keys().partition(partition)?.thread(thread).thread);
        range.arg(slots::HEADER).arg(slots::BASE);
        let what = format!("thread {thread} in {partition}");
        let answer = self.link.run(&range, Effect::Read).await?;
        let mut found = reply::all_bytes(answer, &what)?;
        if !slots::has_header(&found) {
            return Ok(None);
        }
        let last_event = self.last_event(partition, &found[slots::LAST_EVENT], &what).await?;
        Ok(Some(HeaderRecord { header: found.swap_remove(slots::HEADER), last_event }))
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
            let mut get = cmd("LRANGE");
            get.arg(&keys.thread(*thread).thread).arg(slots::HEADER).arg(slots::BASE);
            get
        });
        let answers = self.link.run_all(gets.collect(), Effect::Read).await?;
        let mut threads = Vec::with_capacity(found.len());
        for (thread, answer) in found.into_iter().zip(answers) {
            let mut found = reply::all_bytes(self.link.checked(answer)?, &what)?;
            if slots::has_header(&found) {
                threads.push((thread, found.swap_remove(slots::HEADER)));
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
        let mut call = script::READ_CHECKPOINT.call(&[keys.thread, keys.checkpoints]);
        call.arg(&id.as_uuid().as_bytes()[..]);
        let what = format!("checkpoint {id} of thread {thread} in {partition}");
        match self.link.eval(&script::READ_CHECKPOINT, &call, Effect::Read).await? {
            Value::BulkString(packed) => {
                let packed = slots::unpack_checkpoints(packed.into(), &what)?;
                Ok(packed.into_iter().find(|(found, _)| *found == id).map(|(_, record)| record))
            }
            answer => {
                let record = reply::array(answer, &what)?.pop().unwrap_or_default();
                reply::optional_bytes(record, &what)
            }
        }
    }

    pub(crate) async fn newest_checkpoints(
        &self,
        partition: PartitionId,
        thread: ThreadKey,
        before: Option<CheckpointId>,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        let keys = self.keys().partition(partition)?.thread(thread);
        let names = [keys.thread, keys.checkpoint_ids, keys.checkpoints];
        let mut call = script::LIST_CHECKPOINTS.call(&names);
        match &before {
            Some(id) => call.arg(&id.as_uuid().as_bytes()[..]),
            None => call.arg(""),
        };
        call.arg(i64::try_from(max).unwrap_or(i64::MAX));
        let what = format!("checkpoints of thread {thread} in {partition}");
        match self.link.eval(&script::LIST_CHECKPOINTS, &call, Effect::Read).await? {
            Value::BulkString(packed) => {
                let mut packed = slots::unpack_checkpoints(packed.into(), &what)?;
                packed.retain(|(id, _)| before.is_none_or(|before| *id < before));
                packed.sort_unstable_by_key(|(id, _)| Reverse(*id));
                Ok(packed.into_iter().take(max).map(|(_, record)| record).collect())
            }
            records => reply::all_bytes(records, &what),
        }
    }
}
