//! Inboxes: a stream for each partition, which the owner trims.

use std::time::Duration;

use bytes::Bytes;
use redis::{Value, cmd};
use rethread_core::ids::{OpId, PartitionId};
use rethread_storage::{InboxCursor, InboxItem, Result, StorageError};

use crate::error::{Effect, malformed};
use crate::lease::millis;
use crate::{RedisStorage, reply, script};

impl RedisStorage {
    pub(crate) async fn append(
        &self,
        partition: PartitionId,
        op: OpId,
        message: Bytes,
    ) -> Result<()> {
        let keys = self.keys().partition(partition)?;
        let mut call =
            script::SUBMIT.call_with_capacity(&[&keys.op(op), &keys.inbox], 2, message.len() + 16);
        call.arg(&message[..]).arg(self.op_retention_ms()).arg(self.shared.options.inbox_max);
        let answer = self.link.eval(&script::SUBMIT, &call, Effect::Write).await?;
        let Value::Array(mut refusal) = answer else {
            return Ok(());
        };
        let waiting = reply::number(refusal.pop().unwrap_or_default(), "answer to a submission")?;
        Err(StorageError::Overloaded { partition, waiting })
    }

    pub(crate) async fn read_behind(
        &self,
        after: &[(PartitionId, InboxCursor)],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<InboxItem>> {
        if after.is_empty() || max == 0 {
            tokio::time::sleep(wait).await;
            return Ok(Vec::new());
        }
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(max);
        if !wait.is_zero() {
            // Zero would mean for ever.
            read.arg("BLOCK").arg(millis(wait).max(1));
        }
        read.arg("STREAMS");
        let mut inboxes = Vec::with_capacity(after.len());
        for (partition, _) in after {
            let inbox = &self.keys().partition(*partition)?.inbox;
            inboxes.push((inbox.as_str(), *partition));
            read.arg(inbox);
        }
        for (_, InboxCursor(ms, seq)) in after {
            read.arg(format!("{ms}-{seq}"));
        }
        let answer = if wait.is_zero() {
            self.link.run(&read, Effect::Read).await?
        } else {
            self.link.checked(self.link.wait(&read, wait).await?)?
        };
        let mut items = Vec::new();
        let what = "inbox of a partition";
        let mut answer = reply::array(answer, what)?.into_iter();
        let mut inboxes = inboxes.into_iter();
        while let (Some(key), Some(entries)) = (answer.next(), answer.next()) {
            let key = reply::bytes(key, what)?;
            // Answered in the order in which they were asked for.
            let partition = inboxes
                .find(|(inbox, _)| inbox.as_bytes() == key)
                .ok_or_else(|| malformed(what, "an inbox that was not asked for"))?
                .1;
            for mut entry in reply::entries(entries, what)? {
                let message = entry.take(0, "m", what)?;
                let cursor = InboxCursor(entry.id.0, entry.id.1);
                items.push(InboxItem { partition, cursor, message });
            }
        }
        Ok(items)
    }
}
