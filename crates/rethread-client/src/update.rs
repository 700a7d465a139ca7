use std::fmt;
use std::future::IntoFuture;

use futures::future::BoxFuture;
use rethread_core::event::Refusal;
use rethread_core::ids::CheckpointId;
use rethread_core::message::{Action, Update, UpdateAs};
use rethread_core::payload::{Payload, PayloadError};
use serde::Serialize;

use crate::draft::{Draft, describes_itself, names_a_checkpoint};
use crate::error::{ClientError, Result};
use crate::run::RunHandle;
use crate::thread::Thread;

/// An edit of the state of a thread; awaiting it gives the checkpoint that it made.
///
/// In whose name it is made decides what is left to do: as the entrypoint (the default) and as
/// the end nothing is, what an interrupted or failed run had left is given up; as an input the
/// value stands ready, and [`Thread::retry`] runs it.
///
/// Of a graph the value is an update, as if a node had returned it: its fields are put into the
/// state by their reducers, and [`Thread::retry`] goes on along the edges of that node. All other
/// tasks that were pending are given up.
///
/// ```no_run
/// # async fn example(thread: rethread_client::Thread) -> rethread_client::Result<()> {
/// use serde_json::json;
///
/// // The node `draft` is skipped, and what follows it runs.
/// thread.update_state(json!({"text": "better"})).as_node("draft").await?;
/// let _outcome = thread.retry().await?;
/// # Ok(())
/// # }
/// ```
///
/// Cancel safety: an edit that was sent is made, also when the future is dropped.
#[must_use = "an edit does nothing until it is awaited"]
pub struct UpdateRequest {
    thread: Thread,
    draft: Draft,
    values: Result<Payload, PayloadError>,
    save: Option<Result<Payload, PayloadError>>,
    kind: UpdateAs,
    entrypoint: Option<String>,
    more: Vec<(Result<Payload, PayloadError>, Option<String>)>,
    path: Vec<String>,
}

impl UpdateRequest {
    pub(crate) fn new(
        thread: Thread,
        values: Result<Payload, PayloadError>,
        kind: UpdateAs,
    ) -> Self {
        Self {
            thread,
            draft: Draft::new(),
            values,
            save: None,
            kind,
            entrypoint: None,
            more: Vec::new(),
            path: Vec::new(),
        }
    }

    describes_itself!();
    names_a_checkpoint!();

    /// In the name of the entrypoint, which must be the thread's, or of a node of the graph;
    /// without it, in the name of the node that wrote last. LangGraph's `__input__`, `__end__` and
    /// `__copy__` are the other ways, and in a graph `__start__`: as if the input had been that.
    pub fn as_node(mut self, name: impl AsRef<str>) -> Self {
        self.kind = match name.as_ref() {
            "__input__" => UpdateAs::Input,
            "__end__" => UpdateAs::End,
            "__copy__" => UpdateAs::Copy,
            name => UpdateAs::Node(Some(name.to_owned())),
        };
        self
    }

    /// As a new input: [`Thread::retry`] runs it.
    pub fn as_input(mut self) -> Self {
        self.kind = UpdateAs::Input;
        self
    }

    /// As the end: nothing remains to be done, and the value stays what it was. The value of the
    /// edit must be null.
    pub fn as_end(mut self) -> Self {
        self.kind = UpdateAs::End;
        self
    }

    /// As a copy of the checkpoint: a sibling of it, with nothing of what was recorded there. The
    /// value of the edit is not used.
    pub fn copy(mut self) -> Self {
        self.kind = UpdateAs::Copy;
        self
    }

    /// Adds an update of another node, or of the same once more, in the same step: they are put
    /// into the state together, as those of nodes that ran beside each other. Of a graph only;
    /// updates in several steps are several edits, one after the other.
    pub fn and(mut self, values: impl Serialize, node: impl Into<String>) -> Self {
        let values = Payload::encode(&values, "value of an edit");
        self.more.push((values, Some(node.into())));
        self
    }

    /// Edits the graph that a pending task is, instead of the thread's own; further names lead
    /// into graphs within that one. When the thread goes on, that graph goes on from there.
    pub fn within(mut self, path: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.path = path.into_iter().map(Into::into).collect();
        self
    }

    /// What the next execution finds as `previous`, where that differs from the value.
    pub fn save(mut self, save: impl Serialize) -> Self {
        self.save = Some(Payload::encode(&save, "value saved by an edit"));
        self
    }

    /// Names the entrypoint of a thread that has never run; it is needed for an input.
    pub fn entrypoint(mut self, name: impl Into<String>) -> Self {
        self.entrypoint = Some(name.into());
        self
    }

    async fn send(self) -> Result<CheckpointId> {
        let Self { thread, mut draft, values, save, kind, entrypoint, more, path } = self;
        if kind == UpdateAs::Copy && draft.at.is_none() && path.is_empty() {
            let nothing = || Refusal::InvalidUpdate {
                reason: "the thread has no checkpoint to copy".to_owned(),
            };
            draft.at = Some(thread.header().await?.ok_or_else(nothing)?.head);
        }
        let more = more.into_iter().map(|(values, node)| Ok((values?, node)));
        let more = more.collect::<Result<_, PayloadError>>()?;
        let (values, save) = (values?, save.transpose()?);
        let update = Update { kind, values, save, entrypoint, more, path };
        let run = draft.send(&thread, Action::Update(Box::new(update))).await?;
        let made = RunHandle::untyped(thread, run).edited().await?;
        made.ok_or(ClientError::Unknown { what: "the end of the edit" })
    }
}

impl IntoFuture for UpdateRequest {
    type Output = Result<CheckpointId>;
    type IntoFuture = BoxFuture<'static, Result<CheckpointId>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for UpdateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateRequest")
            .field("thread", self.thread.id())
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Thread {
    /// Edits the state: the thread's value and what the next execution finds as `previous` become
    /// `values`; in a graph they are put into the state as an update. [`UpdateRequest`] has more.
    ///
    /// ```no_run
    /// # async fn example(thread: rethread_client::Thread) -> rethread_client::Result<()> {
    /// thread.update_state("corrected").await?;
    /// // Another input for what waits there, and go.
    /// thread.update_state("dog").as_input().await?;
    /// let _outcome = thread.retry().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When awaited: [`ClientError::Refused`] for an edit that the thread cannot take, such as
    /// one in the name of another entrypoint or while a run is in progress;
    /// [`ClientError::CheckpointNotFound`] for [`UpdateRequest::at`]; and as [`Thread::status`].
    pub fn update_state(&self, values: impl Serialize) -> UpdateRequest {
        let values = Payload::encode(&values, "value of an edit");
        UpdateRequest::new(self.clone(), values, UpdateAs::Node(None))
    }

    /// Makes a checkpoint the newest again, as a copy of itself without what was recorded of it.
    /// [`Thread::retry`] then runs the step that starts there once more.
    ///
    /// # Errors
    /// As [`Thread::update_state`].
    pub async fn fork(&self, checkpoint: CheckpointId) -> Result<CheckpointId> {
        self.update_state(()).copy().at(checkpoint).await
    }
}
