use std::collections::BTreeMap;

use rethread_core::checkpoint::{Checkpoint, Source};
use rethread_core::ids::CheckpointId;

use crate::error::Result;
use crate::scalar::Scalar;
use crate::state::{self, StateSnapshot, find_child};
use crate::thread::Thread;

/// Most checkpoints that one read fetches.
const PAGE: usize = 100;

/// Which records of a thread's steps are wanted; see [`Thread::history`].
///
/// ```
/// use rethread_client::HistoryQuery;
///
/// let inputs = HistoryQuery::new().filter("source", "input").filter("user_id", "ada").limit(10);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryQuery {
    limit: Option<usize>,
    before: Option<CheckpointId>,
    at: Option<CheckpointId>,
    filter: BTreeMap<String, Scalar>,
    path: Vec<String>,
}

impl HistoryQuery {
    /// All of them.
    pub fn new() -> Self {
        Self::default()
    }

    /// At most this many, the newest.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Only those made before a checkpoint.
    #[must_use]
    pub fn before(mut self, checkpoint: CheckpointId) -> Self {
        self.before = Some(checkpoint);
        self
    }

    /// Only the one of this checkpoint.
    #[must_use]
    pub fn at(mut self, checkpoint: CheckpointId) -> Self {
        self.at = Some(checkpoint);
        self
    }

    /// Only those whose metadata has this value, among it `source` (`input`, `loop`, `update`,
    /// `fork`) and `step`.
    #[must_use]
    pub fn filter(mut self, key: impl Into<String>, value: impl Into<Scalar>) -> Self {
        self.filter.insert(key.into(), value.into());
        self
    }

    /// Of the graph that a task of the step in progress is, instead of the thread's own; further
    /// names lead into graphs within that one. There are none if no such task has begun.
    #[must_use]
    pub fn within(mut self, path: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.path = path.into_iter().map(Into::into).collect();
        self
    }

    fn takes(&self, checkpoint: &Checkpoint) -> bool {
        let is_before = self.before.is_none_or(|before| checkpoint.id < before);
        let is_it = self.at.is_none_or(|at| checkpoint.id == at);
        is_before && is_it && self.filter.iter().all(|(key, wanted)| has(checkpoint, key, wanted))
    }
}

fn has(checkpoint: &Checkpoint, key: &str, wanted: &Scalar) -> bool {
    match key {
        "source" => *wanted == Scalar::Text(source_name(checkpoint.source).to_owned()),
        "step" => wanted.is_equal(&Scalar::Int(checkpoint.step)),
        _ => checkpoint.metadata.get(key).is_some_and(|value| {
            let value = value.decode::<Scalar>(format_args!("metadata `{key}`"));
            value.is_ok_and(|value| wanted.is_equal(&value))
        }),
    }
}

/// The name that LangGraph gives to a source.
pub(crate) fn source_name(source: Source) -> &'static str {
    match source {
        Source::Input => "input",
        Source::Loop => "loop",
        Source::Update => "update",
        Source::Fork => "fork",
        _ => "other",
    }
}

impl Thread {
    /// The records of the steps of the thread that a query asks for, newest first, of all
    /// branches.
    ///
    /// ```no_run
    /// # async fn example(thread: rethread_client::Thread) -> rethread_client::Result<()> {
    /// use rethread_client::HistoryQuery;
    ///
    /// for state in thread.history(HistoryQuery::new().limit(20)).await? {
    ///     println!("{} step {}: {}", state.checkpoint, state.step, state.values.to_json()?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Thread::status`].
    pub async fn history(&self, query: HistoryQuery) -> Result<Vec<StateSnapshot>> {
        if !query.path.is_empty() {
            return self.inner_history(&query).await;
        }
        if let Some(at) = query.at {
            let one = self.read_checkpoint(at).await?.filter(|one| query.takes(one));
            return Ok(one
                .filter(|_| query.limit != Some(0))
                .map(state::recorded)
                .into_iter()
                .collect());
        }
        let limit = query.limit.unwrap_or(usize::MAX);
        let mut found = Vec::new();
        let mut before = query.before;
        while found.len() < limit {
            let max = if query.filter.is_empty() { PAGE.min(limit - found.len()) } else { PAGE };
            let page = self.read_checkpoints(before, max).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            let taken = page.into_iter().filter(|one| query.takes(one)).map(state::recorded);
            found.extend(taken.take(limit - found.len()));
        }
        Ok(found)
    }

    /// The same for a graph that runs as a task: what it has done since it was begun.
    async fn inner_history(&self, query: &HistoryQuery) -> Result<Vec<StateSnapshot>> {
        let Some((_, _, head)) = self.header_and_head().await? else { return Ok(Vec::new()) };
        let progress = head.progress;
        let Some(graph) = progress.graph.as_deref() else { return Ok(Vec::new()) };
        let Some(child) = find_child(graph, &query.path) else { return Ok(Vec::new()) };
        let asked = &progress.interrupts;
        let wanted = child.checkpoints.iter().rev().filter(|one| query.takes(one));
        Ok(wanted
            .take(query.limit.unwrap_or(usize::MAX))
            .map(|one| state::recorded_within(child, one, asked))
            .collect())
    }
}
