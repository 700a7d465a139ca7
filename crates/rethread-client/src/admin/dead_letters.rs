//! What was given up.

use std::fmt;
use std::str::FromStr;

use rethread_core::dead_letter::{DeadItem, DeadLetter};
use rethread_core::header::ThreadStatus;
use rethread_core::ids::{PartitionId, ThreadId};
use rethread_storage::DeadLetterId;
use serde::{Serialize, Serializer};

use crate::admin::{Admin, decode};
use crate::error::{ClientError, Result};
use crate::run::RunHandle;
use crate::value::AnyValue;

/// Dead letters that one read fetches.
const PAGE: usize = 200;

/// Something that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeadLetterInfo {
    /// Names it.
    pub name: DeadLetterName,
    /// When, in milliseconds since 1970; zero if its record cannot be read.
    pub at_ms: u64,
    /// What was given up.
    pub kind: DeadLetterKind,
    /// Why, for people.
    pub reason: String,
    /// The thread, of a task.
    pub thread: Option<String>,
    /// The run, of a task.
    pub run: Option<String>,
    /// The call, of a task.
    pub call: Option<String>,
    /// The name of the task.
    pub task: Option<String>,
    /// Its size in bytes, of what cannot be read.
    pub bytes: Option<usize>,
}

/// What was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeadLetterKind {
    /// A task that no worker survived.
    Task,
    /// A message of an inbox that cannot be read.
    Message,
    /// An order of a queue that cannot be read.
    Order,
    /// Something that this client does not know, or that cannot be read itself.
    Unknown,
}

/// Names a dead letter. Its text form is opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeadLetterName {
    partition: PartitionId,
    id: DeadLetterId,
}

impl fmt::Display for DeadLetterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.partition.0, self.id.0, self.id.1)
    }
}

impl FromStr for DeadLetterName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |_| format!("`{text}` names no dead letter: use a name from the list of them");
        let mut parts = text.splitn(3, '-').map(str::parse::<u64>);
        let mut part = || parts.next().unwrap_or_else(|| "".parse::<u64>()).map_err(wrong);
        let (partition, id) = (part()?, DeadLetterId(part()?, part()?));
        let partition = PartitionId(u16::try_from(partition).unwrap_or(u16::MAX));
        Ok(Self { partition, id })
    }
}

impl Serialize for DeadLetterName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl DeadLetterInfo {
    fn new(name: DeadLetterName, record: &[u8]) -> Self {
        let mut info = Self {
            name,
            at_ms: 0,
            kind: DeadLetterKind::Unknown,
            reason: "the record of this dead letter cannot be read".to_owned(),
            thread: None,
            run: None,
            call: None,
            task: None,
            bytes: None,
        };
        let Ok(letter) = decode::<DeadLetter>("dead letter", record) else { return info };
        info.at_ms = letter.at.0;
        info.reason = letter.reason;
        match letter.what {
            DeadItem::Task { thread, run, call, name } => {
                info.kind = DeadLetterKind::Task;
                info.thread = Some(thread.to_string());
                info.run = Some(run.to_string());
                info.call = Some(call.to_string());
                info.task = Some(name);
            }
            DeadItem::Message(found) => {
                info.kind = DeadLetterKind::Message;
                info.bytes = Some(found.len());
            }
            DeadItem::Order(found) => {
                info.kind = DeadLetterKind::Order;
                info.bytes = Some(found.len());
            }
            _ => {}
        }
        info
    }
}

impl Admin {
    /// Dead letters, the oldest of each partition first; at most `max`.
    ///
    /// # Errors
    /// As [`Admin::partitions`].
    pub async fn dead_letters(&self, max: usize) -> Result<Vec<DeadLetterInfo>> {
        let mut found = Vec::new();
        for partition in self.client.partitions() {
            let mut after = None;
            while found.len() < max {
                let wanted = PAGE.min(max - found.len());
                let read =
                    self.client.read(|storage| storage.list_dead_letters(partition, after, wanted));
                let page = read.await?;
                let Some(last) = page.last() else { break };
                after = Some(last.id);
                found.extend(page.iter().map(|letter| {
                    let name = DeadLetterName { partition, id: letter.id };
                    DeadLetterInfo::new(name, &letter.record)
                }));
            }
        }
        Ok(found)
    }

    /// One dead letter; none if it is not kept (any more).
    ///
    /// # Errors
    /// As [`Admin::partitions`].
    pub async fn dead_letter(&self, name: DeadLetterName) -> Result<Option<DeadLetterInfo>> {
        let DeadLetterName { partition, id } = name;
        let before = before(id);
        let read = self.client.read(|storage| storage.list_dead_letters(partition, before, 1));
        let found = read.await?.into_iter().find(|letter| letter.id == id);
        Ok(found.map(|letter| DeadLetterInfo::new(name, &letter.record)))
    }

    /// Removes a dead letter, and says whether it was there. What it tells of stays as it is.
    ///
    /// # Errors
    /// As [`Admin::partitions`].
    pub async fn remove_dead_letter(&self, name: DeadLetterName) -> Result<bool> {
        let DeadLetterName { partition, id } = name;
        self.client.read(|storage| storage.remove_dead_letter(partition, id)).await
    }

    /// Tries a task again that was given up: its thread is retried, if it still stands at the
    /// failure of that run, and the dead letter is removed. Gives the run.
    ///
    /// # Errors
    /// [`ClientError::NotRetryable`] for what is no task, or if its thread has gone on or is
    /// gone; the dead letter then stays. Else as [`Request::start`](crate::Request::start).
    pub async fn retry_dead_letter(&self, name: DeadLetterName) -> Result<RunHandle<AnyValue>> {
        let refuse = |reason: String| ClientError::NotRetryable { reason };
        let Some(letter) = self.dead_letter(name).await? else {
            return Err(refuse(format!("there is no dead letter {name}")));
        };
        let (Some(thread), Some(run)) = (&letter.thread, &letter.run) else {
            return Err(refuse("only a task can be tried again".to_owned()));
        };
        let thread = self.client.thread_with_id(ThreadId::new(thread)?);
        let header = thread.header().await?;
        let stands = header.as_ref().is_some_and(|header| {
            header.run.to_string() == *run && matches!(header.status, ThreadStatus::Failed(_))
        });
        if !stands {
            let now = header.map_or("gone", |header| header.status.name());
            let reason = format!(
                "thread {} has gone on since (it is {now}); remove the dead letter",
                thread.id()
            );
            return Err(refuse(reason));
        }
        // Accepted when this returns; whoever does not get so far finds the letter again.
        let run = thread.retry().start().await?;
        if let Err(error) = self.remove_dead_letter(name).await {
            tracing::warn!(dead_letter = %name, %error, "the task is tried again, and its dead letter stays: remove it");
        }
        Ok(run)
    }
}

/// The greatest id before this one; none if there is none.
fn before(id: DeadLetterId) -> Option<DeadLetterId> {
    match id {
        DeadLetterId(0, 0) => None,
        DeadLetterId(first, 0) => Some(DeadLetterId(first - 1, u64::MAX)),
        DeadLetterId(first, second) => Some(DeadLetterId(first, second - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_as_text() {
        let name = DeadLetterName { partition: PartitionId(7), id: DeadLetterId(1_700, 3) };
        assert_eq!(name.to_string(), "7-1700-3");
        assert_eq!("7-1700-3".parse(), Ok(name));
        for text in ["", "7", "7-1", "7-1-", "a-1-2", "7-1-2-3"] {
            assert!(text.parse::<DeadLetterName>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_id_before_is_next_to_it() {
        assert_eq!(before(DeadLetterId(5, 2)), Some(DeadLetterId(5, 1)));
        assert_eq!(before(DeadLetterId(5, 0)), Some(DeadLetterId(4, u64::MAX)));
        assert_eq!(before(DeadLetterId(0, 0)), None);
    }
}
