//! Finding threads.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use rethread_core::header::{ThreadHeader, ThreadStatus};
use rethread_core::ids::PartitionId;
use serde::{Serialize, Serializer};

use crate::admin::{Admin, decode};
use crate::error::{ClientError, Result};

/// Threads that one read fetches.
const PAGE: usize = 200;

/// A thread as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ThreadInfo {
    /// Its id.
    pub thread: String,
    /// What it is doing: `idle`, `running`, `interrupted`, `failed`, `parked`, `cancelled` or
    /// `pending`.
    pub status: String,
    /// The entrypoint that ran last.
    pub entrypoint: String,
    /// The run that is in progress or ended last.
    pub run: String,
    /// How many questions are open.
    pub questions: usize,
    /// The kind of the failure that ended the last run, if one did.
    pub failure: Option<String>,
    /// When it was last written, in milliseconds since 1970.
    pub updated_at_ms: u64,
}

impl ThreadInfo {
    pub(crate) fn new(header: &ThreadHeader) -> Self {
        let (questions, failure) = match &header.status {
            ThreadStatus::Interrupted(open) => (open.len(), None),
            ThreadStatus::Running => (header.asking.len(), None),
            ThreadStatus::Failed(failure) => (0, Some(failure.kind.to_string())),
            _ => (0, None),
        };
        Self {
            thread: header.thread.to_string(),
            status: header.status.name().to_owned(),
            entrypoint: header.entrypoint.clone(),
            run: header.run.to_string(),
            questions,
            failure,
            updated_at_ms: header.updated_at.0,
        }
    }
}

/// Which threads are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThreadQuery {
    status: Option<String>,
    entrypoint: Option<String>,
    from: Option<ThreadCursor>,
    limit: Option<usize>,
}

impl ThreadQuery {
    /// All of them, a hundred at a time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those of a status, by its word; see [`ThreadInfo::status`].
    #[must_use]
    pub fn status(mut self, status: impl Into<String>) -> Self {
        self.status = Some(status.into());
        self
    }

    /// Only those whose last run was of this entrypoint.
    #[must_use]
    pub fn entrypoint(mut self, name: impl Into<String>) -> Self {
        self.entrypoint = Some(name.into());
        self
    }

    /// Goes on behind an earlier list.
    #[must_use]
    pub fn from(mut self, cursor: ThreadCursor) -> Self {
        self.from = Some(cursor);
        self
    }

    /// Ends the list when it has this many, or somewhat more. Default 100.
    #[must_use]
    pub fn limit(mut self, threads: usize) -> Self {
        self.limit = Some(threads);
        self
    }

    fn admits(&self, header: &ThreadHeader) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        is(&self.status, header.status.name()) && is(&self.entrypoint, &header.entrypoint)
    }
}

/// Threads that were found, in no order that means anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ThreadList {
    /// The threads.
    pub threads: Vec<ThreadInfo>,
    /// Keys of threads whose header cannot be read.
    pub damaged: Vec<String>,
    /// Where the next list begins; none: this was all.
    pub next: Option<ThreadCursor>,
}

/// A place among all threads. Its text form is opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadCursor {
    partition: u16,
    place: Option<u64>,
}

impl fmt::Display for ThreadCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(place) => write!(f, "{}.{place}", self.partition),
            None => write!(f, "{}", self.partition),
        }
    }
}

impl FromStr for ThreadCursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no place in a list: use the `next` of an earlier list");
        let (partition, place) = match text.split_once('.') {
            Some((partition, place)) => (partition, Some(place)),
            None => (text, None),
        };
        let place = place.map(u64::from_str).transpose().map_err(|_| wrong())?;
        Ok(Self { partition: partition.parse().map_err(|_| wrong())?, place })
    }
}

impl Serialize for ThreadCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Admin {
    /// Threads. One that is there all the time is listed once; one that comes or goes meanwhile
    /// may be.
    ///
    /// Without an index: a list by status reads the header of every thread.
    ///
    /// # Errors
    /// As [`Admin::partitions`].
    pub async fn threads(&self, query: ThreadQuery) -> Result<ThreadList> {
        let limit = query.limit.unwrap_or(100).max(1);
        let start = query.from.unwrap_or(ThreadCursor { partition: 0, place: None });
        let mut place = start.place;
        let (mut threads, mut damaged, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for partition in self.client.partitions().filter(|id| id.0 >= start.partition) {
            loop {
                let from = place;
                let read = self.client.read(|storage| storage.list_threads(partition, from, PAGE));
                let page = read.await?;
                for (key, header) in page.threads.into_iter().filter(|(key, _)| seen.insert(*key)) {
                    match decode::<ThreadHeader>("header of a thread", &header) {
                        Ok(header) if query.admits(&header) => {
                            threads.push(ThreadInfo::new(&header));
                        }
                        Ok(_) => {}
                        Err(ClientError::Storage(_)) => damaged.push(key.to_string()),
                        Err(error) => return Err(error),
                    }
                }
                place = page.next;
                if threads.len() >= limit {
                    let next = self.next(partition, place);
                    return Ok(ThreadList { threads, damaged, next });
                }
                if place.is_none() {
                    break;
                }
            }
        }
        Ok(ThreadList { threads, damaged, next: None })
    }

    fn next(&self, partition: PartitionId, place: Option<u64>) -> Option<ThreadCursor> {
        let PartitionId(number) = partition;
        match place {
            Some(_) => Some(ThreadCursor { partition: number, place }),
            None => self
                .client
                .partitions()
                .find(|id| id.0 > number)
                .map(|id| ThreadCursor { partition: id.0, place: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_as_text() {
        for (partition, place) in [(0, None), (7, None), (1_023, Some(u64::MAX)), (3, Some(0))] {
            let cursor = ThreadCursor { partition, place };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for text in ["", "x", "1.", "1.2.3", "-1", "99999"] {
            assert!(text.parse::<ThreadCursor>().is_err(), "{text}");
        }
    }
}
