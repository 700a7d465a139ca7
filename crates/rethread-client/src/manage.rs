//! What is done to threads as a whole.

use rethread_core::event::Refusal;
use rethread_core::header::{ThreadHeader, ThreadStatus};
use rethread_core::ids::{CheckpointId, ThreadId};
use rethread_core::message::{Action, Cancel, ThreadCopy};

use crate::draft::Draft;
use crate::error::{ClientError, Result};
use crate::run::RunHandle;
use crate::thread::Thread;

/// Most checkpoints that one read fetches.
const PAGE: usize = 100;
/// How often a copy is begun anew when the thread changes under it.
const COPY_ATTEMPTS: usize = 5;

impl Thread {
    /// Removes the thread with its checkpoints. The store and the cache stay as they are. A
    /// thread that does not exist is no error.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with [`Refusal::Busy`] while a run is in progress;
    /// [`ClientError::Storage`] and [`ClientError::Unconfirmed`] when the storage cannot be
    /// reached.
    pub async fn delete(&self) -> Result<()> {
        self.edit(Action::Delete).await
    }

    /// Stops the run in progress: what it has recorded is kept, and [`Thread::retry`] goes on
    /// with it.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with [`Refusal::NothingToContinue`] when no run is in progress;
    /// else as [`Thread::delete`].
    pub async fn cancel(&self) -> Result<()> {
        self.stop(Cancel::default()).await
    }

    /// Stops the run in progress and puts the thread back to where it was before it.
    ///
    /// # Errors
    /// As [`Thread::cancel`].
    pub async fn roll_back(&self) -> Result<()> {
        self.stop(Cancel { run: None, roll_back: true }).await
    }

    pub(crate) async fn stop(&self, cancel: Cancel) -> Result<()> {
        self.edit(Action::Cancel(cancel)).await
    }

    /// Removes checkpoints but the newest `keep`. What the thread needs to go on stays in any
    /// case.
    ///
    /// # Errors
    /// As [`Thread::delete`], and [`ClientError::Refused`] for a thread that does not exist.
    pub async fn prune(&self, keep: usize) -> Result<()> {
        let (mut before, mut skipped, mut surplus) = (None, 0, Vec::new());
        loop {
            let page = self.read_checkpoints(before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            let kept = (keep - skipped).min(page.len());
            skipped += kept;
            surplus.extend(page.into_iter().skip(kept).map(|checkpoint| checkpoint.id));
        }
        if surplus.is_empty() {
            return Ok(());
        }
        self.edit(Action::Prune(surplus)).await
    }

    /// Copies the thread, which must rest, with all its checkpoints: a run that waits for answers
    /// waits in both. Gives the copy.
    ///
    /// ```no_run
    /// # async fn example(thread: rethread_client::Thread) -> rethread_client::Result<()> {
    /// let what_if = thread.copy_to("essay-1-what-if").await?;
    /// let _outcome = what_if.resume("no").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ClientError::Refused`] with [`Refusal::Busy`] while a run is in progress, with
    /// [`Refusal::ThreadExists`] when the id is taken, and with [`Refusal::NothingToContinue`]
    /// when there is nothing to copy. [`ClientError::Changing`] when runs follow on the thread
    /// faster than it is read. Else as [`Thread::delete`].
    pub async fn copy_to(&self, id: impl AsRef<str>) -> Result<Thread> {
        let copy = self.client().thread_with_id(ThreadId::new(id)?);
        for _ in 0..COPY_ATTEMPTS {
            if let Some(content) = self.read_whole().await? {
                copy.edit(Action::Import(Box::new(content))).await?;
                return Ok(copy);
            }
        }
        Err(ClientError::Changing { thread: self.id().clone() })
    }

    /// Everything of the thread; none if it changed meanwhile.
    async fn read_whole(&self) -> Result<Option<ThreadCopy>> {
        let Some((header, loaded)) = self.load().await? else {
            let status = "it has never run".to_owned();
            return Err(Refusal::NothingToContinue { status }.into());
        };
        if header.status == ThreadStatus::Running {
            return Err(Refusal::Busy { run: header.run }.into());
        }
        let journal = loaded.journal.iter().map(|entry| self.decode(entry));
        let journal = journal.collect::<Result<_>>()?;
        let mut checkpoints = Vec::new();
        let mut before: Option<CheckpointId> = None;
        loop {
            let page = self.read_checkpoints(before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            checkpoints.extend(page);
        }
        checkpoints.reverse();
        let is_same = self.header().await?.is_some_and(|now| is_unchanged(&header, &now));
        Ok(is_same.then_some(ThreadCopy { header, journal, checkpoints }))
    }

    async fn edit(&self, action: Action) -> Result<()> {
        let run = Draft::new().send(self, action).await?;
        RunHandle::untyped(self.clone(), run).edited().await.map(drop)
    }
}

/// Each write of a run or an edit changes one of these.
fn is_unchanged(before: &ThreadHeader, now: &ThreadHeader) -> bool {
    before.run == now.run && before.head == now.head && before.status == now.status
}
