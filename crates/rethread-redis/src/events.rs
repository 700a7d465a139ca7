//! Reads of event logs: a list for each run, numbered from its offset.

use bytes::Bytes;
use redis::cmd;
use rethread_core::ids::{PartitionId, RunId};
use rethread_storage::Result;

use crate::error::Effect;
use crate::{RedisStorage, reply};

impl RedisStorage {
    pub(crate) async fn events_after(
        &self,
        partition: PartitionId,
        run: RunId,
        after: u64,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let keys = self.keys().partition(partition)?;
        let log = keys.events(run);
        let range = |from: u64| {
            let mut range = cmd("LRANGE");
            let last = from.saturating_add(max as u64 - 1);
            range.arg(&log).arg(index(from)).arg(index(last));
            range
        };
        let mut offset = cmd("GET");
        offset.arg(keys.events_offset(run));
        let what = "event log";
        let mut answers = self.link.run_all(vec![offset, range(after)], Effect::Read).await?;
        let (Some(events), Some(offset)) = (answers.pop(), answers.pop()) else {
            return Ok(Vec::new());
        };
        let events = self.link.checked(events)?;
        let offset = match reply::optional_bytes(self.link.checked(offset)?, what)? {
            None => return reply::all_bytes(events, what),
            Some(offset) => reply::number(redis::Value::BulkString(offset.into()), what)?,
        };
        // Rare: the log does not begin with event 1.
        let events = self.link.run(&range(after.saturating_sub(offset)), Effect::Read).await?;
        reply::all_bytes(events, what)
    }
}

impl RedisStorage {
    pub(crate) async fn newest_events(
        &self,
        partition: PartitionId,
        run: RunId,
        max: usize,
    ) -> Result<Vec<Bytes>> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let mut range = cmd("LRANGE");
        range.arg(self.keys().partition(partition)?.events(run)).arg(-index(max as u64)).arg(-1);
        reply::all_bytes(self.link.run(&range, Effect::Read).await?, "event log")
    }
}

impl RedisStorage {
    /// The number of the last event of a run; zero of one without a log.
    pub(crate) async fn log_end(&self, partition: PartitionId, run: RunId) -> Result<u64> {
        let keys = self.keys().partition(partition)?;
        let (mut length, mut offset) = (cmd("LLEN"), cmd("GET"));
        length.arg(keys.events(run));
        offset.arg(keys.events_offset(run));
        let what = "event log";
        let mut answers = self.link.run_all(vec![length, offset], Effect::Read).await?.into_iter();
        let mut next = || self.link.checked(answers.next().unwrap_or_default());
        let length = reply::number(next()?, what)?;
        let offset = match reply::optional_bytes(next()?, what)? {
            Some(offset) => reply::number(redis::Value::BulkString(offset.into()), what)?,
            None => 0,
        };
        Ok(length + offset)
    }
}

fn index(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}
