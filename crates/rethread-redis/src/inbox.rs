//! Inboxes: a stream for each partition, which the owner trims.

use std::time::Duration;

use bytes::Bytes;
use redis::{Value, cmd};
use rethread_core::ids::{OpId, PartitionId};
use rethread_storage::{InboxCursor, InboxItem, Result, StorageError};
use tokio::time::Instant;

use crate::error::{Effect, malformed};
use crate::lease::millis;
use crate::link::After;
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
        let after = After::ringing(self.keys().inbox_bell());
        let written = self.link.write(&script::SUBMIT, &call, after).await?;
        let Value::Array(mut refusal) = written.value else {
            return written.kept;
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
        if self.link.is_cluster() {
            return self.read_spread(after, max, wait).await;
        }
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(max);
        if !wait.is_zero() {
            // Zero would mean for ever.
            read.arg("BLOCK").arg(millis(wait).max(1));
        }
        read.arg("STREAMS");
        for (partition, _) in after {
            read.arg(&self.keys().partition(*partition)?.inbox);
        }
        for (_, cursor) in after {
            read.arg(id_text(*cursor));
        }
        let answer = if wait.is_zero() {
            self.link.run(&read, Effect::Read).await?
        } else {
            self.link.checked(self.link.wait(read, wait).await?)?
        };
        let mut items = Vec::new();
        self.read_answer(answer, after, &mut items)?;
        Ok(items)
    }

    /// On a cluster each inbox is read by itself, and a bell is waited for.
    async fn read_spread(
        &self,
        after: &[(PartitionId, InboxCursor)],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<InboxItem>> {
        let deadline = Instant::now() + wait;
        let mut bell = self.inbox_bell.listen(&self.watches, self.keys().inbox_bell()).await?;
        loop {
            let mut reads = Vec::with_capacity(after.len());
            for (partition, cursor) in after {
                let mut read = cmd("XREAD");
                read.arg("COUNT").arg(max).arg("STREAMS");
                read.arg(&self.keys().partition(*partition)?.inbox).arg(id_text(*cursor));
                reads.push(read);
            }
            let answers = self.link.run_all(reads, Effect::Read).await?;
            let mut items = Vec::new();
            for (asked, answer) in after.chunks(1).zip(answers) {
                self.read_answer(self.link.checked(answer)?, asked, &mut items)?;
            }
            if !items.is_empty() || !bell.wait(deadline).await {
                return Ok(items);
            }
        }
    }

    fn read_answer(
        &self,
        answer: Value,
        asked: &[(PartitionId, InboxCursor)],
        items: &mut Vec<InboxItem>,
    ) -> Result<()> {
        let what = "inbox of a partition";
        let mut answer = reply::array(answer, what)?.into_iter();
        let mut asked = asked.iter();
        while let (Some(key), Some(entries)) = (answer.next(), answer.next()) {
            let key = reply::bytes(key, what)?;
            // Answered in the order in which they were asked for.
            let is_inbox = |partition: PartitionId| {
                self.keys().partition(partition).is_ok_and(|keys| keys.inbox.as_bytes() == key)
            };
            let partition = asked
                .find(|(partition, _)| is_inbox(*partition))
                .ok_or_else(|| malformed(what, "an inbox that was not asked for"))?
                .0;
            for entry in reply::entries(entries, what)? {
                // Of a foreign entry, too: its reader finds that it is no message, and passes on.
                let message = entry.first_value();
                let cursor = InboxCursor(entry.id.0, entry.id.1);
                items.push(InboxItem { partition, cursor, message });
            }
        }
        Ok(())
    }
}

fn id_text(InboxCursor(ms, seq): InboxCursor) -> String {
    format!("{ms}-{seq}")
}
