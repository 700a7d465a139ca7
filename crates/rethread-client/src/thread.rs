use rethread_core::checkpoint::Checkpoint;
use rethread_core::event::Refusal;
use rethread_core::header::{ThreadHeader, ThreadStatus};
use rethread_core::ids::{CheckpointId, InterruptId, PartitionId, RunId, ThreadId};
use rethread_core::message::{Action, Answers};
use rethread_core::payload::{Payload, PayloadError};
use rethread_core::record::Record;
use rethread_sdk::{EntrypointRef, Value};
use rethread_storage::{LoadedThread, StorageError};
use serde::Serialize;

use crate::client::Client;
use crate::error::{ClientError, Result};
use crate::request::Request;
use crate::run::RunHandle;
use crate::state::{self, StateQuery, StateSnapshot};
use crate::value::AnyValue;

/// The run whose events were written last, and the number of its last event.
pub(crate) type LastEvent = Option<(RunId, u64)>;

/// One thread: the unit of order. Having one asks nothing of the storage.
///
/// [`Thread::invoke`], [`Thread::resume`] and [`Thread::retry`] make a [`Request`], which does
/// nothing until it is awaited, started or streamed.
#[derive(Debug, Clone)]
pub struct Thread {
    client: Client,
    id: ThreadId,
}

impl Thread {
    pub(crate) fn new(client: Client, id: ThreadId) -> Self {
        Self { client, id }
    }

    /// Its id.
    pub fn id(&self) -> &ThreadId {
        &self.id
    }

    /// The client it belongs to.
    pub fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn partition(&self) -> PartitionId {
        self.client.partition(self.id.key())
    }

    // --- runs --------------------------------------------------------------------------------

    /// Runs an entrypoint with an input. What an interrupted or failed execution of the thread
    /// has left to do is given up.
    ///
    /// ```no_run
    /// # async fn example(client: rethread_client::Client) -> Result<(), rethread_client::ClientError> {
    /// use rethread_client::{EntrypointRef, Outcome};
    ///
    /// let greet = EntrypointRef::<String, String>::named("greet");
    /// let thread = client.thread("greetings")?;
    /// if let Outcome::Done(text) = thread.invoke(&greet, "Ada".into()).metadata("user", 7).await? {
    ///     println!("{text}");
    /// }
    /// let run = thread.invoke(&greet, "Grace".into()).start().await?;
    /// println!("{} goes on by itself", run.run_id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn invoke<I: Value, O: Value>(
        &self,
        entrypoint: impl Into<EntrypointRef<I, O>>,
        input: I,
    ) -> Request<O> {
        let entrypoint = entrypoint.into();
        let name = entrypoint.name();
        let action = Payload::encode(&input, format_args!("input of entrypoint `{name}`"))
            .map(|input| Action::Start { entrypoint: name.to_owned(), input });
        Request::typed_as(self.clone(), action)
    }

    /// Answers the only open question of the thread and goes on. While the run that asked is in
    /// progress, since something else in it goes on, the answer is given to that run, and the
    /// outcome is that run's.
    ///
    /// The result is an [`AnyValue`]; [`Request::typed`] gives it its type.
    pub fn resume(&self, answer: impl Serialize) -> Request<AnyValue> {
        let answer = Payload::encode(&answer, "answer to an interrupt");
        self.untyped(answer.map(|answer| Action::Resume(Answers::Only(answer))))
    }

    /// Answers open questions by their ids and goes on. Questions that are not answered stay
    /// open; an id that names no open question refuses the request.
    pub fn resume_by_id<V: Serialize>(
        &self,
        answers: impl IntoIterator<Item = (InterruptId, V)>,
    ) -> Request<AnyValue> {
        let answers = answers
            .into_iter()
            .map(|(id, answer)| {
                let what = format_args!("answer to interrupt {id}");
                Ok((id, Payload::encode(&answer, what)?))
            })
            .collect::<Result<_, _>>();
        self.untyped(answers.map(|answers| Action::Resume(Answers::ById(answers))))
    }

    /// Goes on with what the thread has left to do: after a failure, trying again what ended the
    /// run; after questions, asking them again; with an input that stands ready; and after a run
    /// was cancelled, or parked once the code fits. A thread that has completed gives its value.
    ///
    /// The result is an [`AnyValue`]; [`Request::typed`] gives it its type.
    pub fn retry(&self) -> Request<AnyValue> {
        self.untyped(Ok(Action::Retry))
    }

    /// A run of the thread that was asked for before, here or elsewhere.
    ///
    /// Nothing is asked of the storage. Waiting for a run whose events are no longer stored ends
    /// with [`ClientError::EventsGone`]; so does waiting for one that nobody ever asked for, after
    /// a minute, unless its id has no date (it is no UUID of version 7) and the thread has never
    /// run: then it does not end.
    pub fn run(&self, run: RunId) -> RunHandle<AnyValue> {
        RunHandle::untyped(self.clone(), run)
    }

    /// The run that is in progress or ended last; none if the thread has never run.
    ///
    /// # Errors
    /// [`ClientError::Storage`] when the storage cannot be reached or its data cannot be read.
    pub async fn latest_run(&self) -> Result<Option<RunHandle<AnyValue>>> {
        Ok(self.header().await?.map(|header| self.run(header.run)))
    }

    fn untyped(&self, action: Result<Action, PayloadError>) -> Request<AnyValue> {
        Request::untyped(self.clone(), action)
    }

    // --- state -------------------------------------------------------------------------------

    /// What the thread is doing; none if it has never run.
    ///
    /// # Errors
    /// [`ClientError::Storage`] when the storage cannot be reached or its data cannot be read.
    pub async fn status(&self) -> Result<Option<ThreadStatus>> {
        Ok(self.header().await?.map(|header| header.status))
    }

    /// The state of the thread as it is now; none if it has never run. [`StateQuery`] has what
    /// can be chosen.
    ///
    /// # Errors
    /// When awaited: as [`Thread::status`].
    pub fn state(&self) -> StateQuery {
        StateQuery::new(self.clone())
    }

    /// The record of the step that started at a checkpoint; none if the thread
    /// has no such checkpoint.
    ///
    /// # Errors
    /// As [`Thread::status`].
    pub async fn state_at(&self, checkpoint: CheckpointId) -> Result<Option<StateSnapshot>> {
        Ok(self.read_checkpoint(checkpoint).await?.map(state::recorded))
    }

    // --- reading -----------------------------------------------------------------------------

    /// The header with the checkpoint that it names.
    pub(crate) async fn header_and_head(
        &self,
    ) -> Result<Option<(ThreadHeader, LastEvent, Checkpoint)>> {
        let mut missing = None;
        loop {
            let Some((header, last_event)) = self.header_record().await? else { return Ok(None) };
            if let Some(head) = self.read_checkpoint(header.head).await? {
                return Ok(Some((header, last_event, head)));
            }
            // Between the two reads a run may have replaced the checkpoint by a newer one.
            if missing == Some(header.head) {
                let what = format!("thread `{}`", self.id);
                let reason = format!("its newest checkpoint {} is missing", header.head);
                return Err(StorageError::Corrupt { what, reason }.into());
            }
            missing = Some(header.head);
        }
    }

    /// The header alone, which is all that most questions need.
    pub(crate) async fn header(&self) -> Result<Option<ThreadHeader>> {
        Ok(self.header_record().await?.map(|(header, _)| header))
    }

    pub(crate) async fn header_record(&self) -> Result<Option<(ThreadHeader, LastEvent)>> {
        let (partition, key) = (self.partition(), self.id.key());
        let read = self.client.read(|storage| storage.read_header(partition, key)).await?;
        read.map(|found| Ok((self.decode_header(&found.header)?, found.last_event))).transpose()
    }

    pub(crate) async fn load(&self) -> Result<Option<(ThreadHeader, LoadedThread)>> {
        let (partition, key) = (self.partition(), self.id.key());
        let loaded = self.client.read(|storage| storage.load_thread(partition, key)).await?;
        let Some(loaded) = loaded else { return Ok(None) };
        Ok(Some((self.decode_header(&loaded.header)?, loaded)))
    }

    /// Reads a header, which must be that of this thread: keys hold only a hash of the id.
    fn decode_header(&self, record: &[u8]) -> Result<ThreadHeader> {
        let header: ThreadHeader = self.decode(record)?;
        if header.thread != self.id {
            return Err(Refusal::IdCollision { other: header.thread.to_string() }.into());
        }
        Ok(header)
    }

    pub(crate) async fn read_checkpoint(&self, id: CheckpointId) -> Result<Option<Checkpoint>> {
        let (partition, key) = (self.partition(), self.id.key());
        let read = self.client.read(|storage| storage.read_checkpoint(partition, key, id));
        read.await?.map(|record| self.decode(&record)).transpose()
    }

    pub(crate) async fn require_checkpoint(&self, id: CheckpointId) -> Result<Checkpoint> {
        let missing =
            || ClientError::CheckpointNotFound { thread: self.id.clone(), checkpoint: id };
        self.read_checkpoint(id).await?.ok_or_else(missing)
    }

    /// Checkpoints before `before`, newest first.
    pub(crate) async fn read_checkpoints(
        &self,
        before: Option<CheckpointId>,
        max: usize,
    ) -> Result<Vec<Checkpoint>> {
        let (partition, key) = (self.partition(), self.id.key());
        let list =
            self.client.read(|storage| storage.list_checkpoints(partition, key, before, max));
        list.await?.iter().map(|record| self.decode(record)).collect()
    }

    pub(crate) fn decode<T: Record>(&self, record: &[u8]) -> Result<T> {
        T::from_record(record)
            .map_err(|error| ClientError::corrupt(format!("thread `{}`", self.id), &error))
    }
}
