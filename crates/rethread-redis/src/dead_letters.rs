//! Dead letters: a stream for each partition, which only commits append to.

use redis::{Value, cmd};
use rethread_core::ids::PartitionId;
use rethread_storage::{DeadLetter, DeadLetterId, Result};

use crate::error::Effect;
use crate::{RedisStorage, reply, script};

const LETTERS: &str = "dead letters";

impl RedisStorage {
    pub(crate) async fn letters_after(
        &self,
        partition: PartitionId,
        after: Option<DeadLetterId>,
        max: usize,
    ) -> Result<Vec<DeadLetter>> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let key = &self.keys().partition(partition)?.dead_letters;
        let mut call = script::LIST_DEAD_LETTERS.call(&[key]);
        call.arg(self.dead_letter_retention_ms());
        match after {
            Some(DeadLetterId(ms, seq)) => call.arg(format!("({ms}-{seq}")),
            None => call.arg("-"),
        };
        call.arg(max);
        let answer = self.link.eval(&script::LIST_DEAD_LETTERS, &call, Effect::Read).await?;
        let mut letters = Vec::new();
        for entry in reply::entries(answer, LETTERS)? {
            let id = DeadLetterId(entry.id.0, entry.id.1);
            // Of a foreign entry, too: its reader finds that it is no letter, and can remove it.
            letters.push(DeadLetter { id, record: entry.first_value() });
        }
        Ok(letters)
    }

    pub(crate) async fn delete_letter(
        &self,
        partition: PartitionId,
        DeadLetterId(ms, seq): DeadLetterId,
    ) -> Result<bool> {
        let mut delete = cmd("XDEL");
        delete.arg(&self.keys().partition(partition)?.dead_letters).arg(format!("{ms}-{seq}"));
        Ok(self.link.run(&delete, Effect::Write).await? == Value::Int(1))
    }
}
