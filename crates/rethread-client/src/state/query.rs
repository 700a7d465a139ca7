use std::fmt;
use std::future::IntoFuture;

use futures::future::BoxFuture;
use rethread_core::checkpoint::Checkpoint;
use rethread_core::event::Interrupt;
use rethread_core::header::{ThreadHeader, ThreadStatus};

use crate::error::Result;
use crate::state::{self, Look, StateSnapshot, find_child};
use crate::thread::Thread;

/// Asks for the state of a thread as it is now; awaiting it gives the state.
///
/// ```no_run
/// # async fn example(thread: rethread_client::Thread) -> rethread_client::Result<()> {
/// if let Some(state) = thread.state().subgraphs(true).await? {
///     for task in &state.tasks {
///         println!("{} waits for {} answers", task.name, task.interrupts.len());
///     }
/// }
/// // Only the graph that the node `research` is, which waits for an answer.
/// let _inner = thread.state().within(["research"]).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is asked for until it is awaited"]
#[derive(Clone)]
pub struct StateQuery {
    thread: Thread,
    subgraphs: bool,
    path: Vec<String>,
}

impl StateQuery {
    pub(crate) fn new(thread: Thread) -> Self {
        Self { thread, subgraphs: false, path: Vec::new() }
    }

    /// Shows the states of tasks that are graphs ([`TaskState::state`](crate::TaskState::state)),
    /// and of the tasks of those, as far as they have begun. What is called in the body of a node is
    /// none of them.
    pub fn subgraphs(mut self, subgraphs: bool) -> Self {
        self.subgraphs = subgraphs;
        self
    }

    /// Asks for the state of the graph that a task of the step in progress is; further names lead
    /// into graphs within that one. None is found if no such task has begun.
    pub fn within(mut self, path: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.path = path.into_iter().map(Into::into).collect();
        self
    }

    async fn read(self) -> Result<Option<StateSnapshot>> {
        let Self { thread, subgraphs, path } = self;
        let Some((header, _, head)) = thread.header_and_head().await? else { return Ok(None) };
        if path.is_empty() {
            return Ok(Some(state::live(header, head, subgraphs)));
        }
        Ok(inner(&header, &head, &path, subgraphs))
    }
}

fn inner(
    header: &ThreadHeader,
    head: &Checkpoint,
    path: &[String],
    subgraphs: bool,
) -> Option<StateSnapshot> {
    let progress = head.progress.graph.as_deref()?;
    let child = find_child(progress, path)?;
    let look = Look { is_live: true, has_added: true, subgraphs, asked: open(header) };
    look.child(child, &progress.children)
}

/// The questions that are open now.
fn open(header: &ThreadHeader) -> &[Interrupt] {
    match &header.status {
        ThreadStatus::Interrupted(open) => open,
        ThreadStatus::Running => &header.asking,
        _ => &[],
    }
}

impl IntoFuture for StateQuery {
    type Output = Result<Option<StateSnapshot>>;
    type IntoFuture = BoxFuture<'static, Result<Option<StateSnapshot>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.read())
    }
}

impl fmt::Debug for StateQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateQuery")
            .field("thread", self.thread.id())
            .field("subgraphs", &self.subgraphs)
            .field("path", &self.path)
            .finish()
    }
}
