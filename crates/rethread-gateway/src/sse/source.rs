//! The events of one run, with what is known of its calls.

use std::collections::HashMap;

use futures::StreamExt;
use rethread_client::{
    AnyValue, CallId, ClientError, Millis, Mode, RunStream, StreamData, StreamEvent, Thread,
};
use uuid::Uuid;

use super::Position;
use crate::error::{ApiError, ApiResult};
use crate::ids;

/// All modes of the engine.
const ALL: [Mode; 8] = [
    Mode::Lifecycle,
    Mode::Updates,
    Mode::Values,
    Mode::Custom,
    Mode::Messages,
    Mode::Tasks,
    Mode::Checkpoints,
    Mode::Debug,
];

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Happened {
    pub(crate) position: Position,
    pub(crate) at: Millis,
    /// The mode of the engine that shows it.
    pub(crate) mode: Mode,
    /// The calls that lead there, each as `name:UUID`.
    pub(crate) path: Vec<String>,
    /// Whether it tells of a node of a graph.
    pub(crate) is_node: bool,
    pub(crate) data: StreamData,
}

/// A call of a run.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// The path of the entrypoint that it belongs to.
    pub(crate) path: Vec<String>,
    pub(crate) is_entrypoint: bool,
}

/// Reads a run from its start to its end.
#[derive(Debug)]
pub(crate) struct RunEvents {
    stream: RunStream<AnyValue>,
    run: Uuid,
    calls: HashMap<CallId, Call>,
    root: Option<CallId>,
    is_ended: bool,
}

impl RunEvents {
    /// All that happens in a run, children included.
    pub(crate) fn all(thread: &Thread, run: Uuid) -> Self {
        Self::of(thread, run, ALL.to_vec())
    }

    /// The events of some modes.
    pub(crate) fn of(thread: &Thread, run: Uuid, modes: Vec<Mode>) -> Self {
        let stream = thread.run(ids::run(run)).stream(modes).subgraphs(true);
        Self { stream, run, calls: HashMap::new(), root: None, is_ended: false }
    }

    pub(crate) fn run(&self) -> Uuid {
        self.run
    }

    /// What happens next; none behind the end of the run.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> ApiResult<Option<Happened>> {
        if self.is_ended {
            return Ok(None);
        }
        match self.stream.next().await {
            Some(Ok(event)) => Ok(Some(self.note(event))),
            None => {
                self.is_ended = true;
                Ok(None)
            }
            Some(Err(error)) => {
                self.is_ended = true;
                if is_end_of_run(&error) { Ok(None) } else { Err(ApiError::from(error)) }
            }
        }
    }

    /// The call that the body of its entrypoint is, once it began.
    pub(crate) fn root(&self) -> Option<CallId> {
        self.root
    }

    /// What is known of a call, or of the entrypoint of the run.
    pub(crate) fn call(&self, call: Option<CallId>) -> Option<&Call> {
        self.calls.get(&call.or(self.root)?)
    }

    fn note(&mut self, event: StreamEvent) -> Happened {
        let StreamEvent { number, place, at, mode, ns, is_node, data, .. } = event;
        let path: Vec<_> = ns.into_iter().map(segment).collect();
        match &data {
            StreamData::Began { id, name } => {
                if path.is_empty() {
                    self.root.get_or_insert(*id);
                }
                let call = Call { name: name.clone(), path: path.clone(), is_entrypoint: true };
                self.calls.insert(*id, call);
            }
            StreamData::TaskStarted { id, name, .. } => {
                let task = || Call { name: name.clone(), path: path.clone(), is_entrypoint: false };
                self.calls.entry(*id).or_insert_with(task);
            }
            _ => {}
        }
        let position = Position { number, place, part: 0 };
        Happened { position, at, mode, path, is_node, data }
    }
}

/// Whether it says only how the run ended, which was shown already.
fn is_end_of_run(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::RunFailed(_)
            | ClientError::ReplayMismatch(_)
            | ClientError::Cancelled
            | ClientError::Refused(_)
            | ClientError::Edited { .. }
            | ClientError::Unknown { .. }
    )
}

/// A step of a path with the id of its call as clients know it.
fn segment(step: String) -> String {
    let named = step.rsplit_once(':').and_then(|(name, call)| {
        let call: CallId = call.parse().ok()?;
        Some(format!("{name}:{}", ids::task(call)))
    });
    named.unwrap_or(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_paths_are_uuids() {
        let call = CallId::from_bytes([7; 16]);
        let uuid = ids::task(call);
        assert_eq!(segment(format!("a:b:{call}")), format!("a:b:{uuid}"));
        assert_eq!(segment("1".to_owned()), "1");
        assert_eq!(segment("child:x".to_owned()), "child:x");
    }
}
