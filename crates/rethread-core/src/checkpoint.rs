//! Checkpoints: what a thread looked like at the boundaries of its runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::Interrupt;
use crate::failure::Failure;
use crate::graph::{GraphProgress, StepTask};
use crate::ids::{CheckpointId, Millis, RunId};
use crate::payload::Payload;
use crate::record::{Record, kind};

/// Why a checkpoint was made, as in LangGraph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Source {
    /// A new input arrived.
    Input,
    /// The execution completed, or a graph made a step.
    Loop,
    /// The state was edited.
    Update,
    /// A continuation from an older checkpoint.
    Fork,
}

/// One saved state of a thread, with its parent link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Its id; ids of a thread sort by time.
    pub id: CheckpointId,
    /// The checkpoint it was made from.
    pub parent: Option<CheckpointId>,
    /// When it was made.
    pub created_at: Millis,
    /// Why it was made.
    pub source: Source,
    /// -1 for the first input of a thread, and the parent's plus one otherwise.
    pub step: i64,
    /// The run that made it.
    pub run: RunId,
    /// Name of the thread's entrypoint.
    pub entrypoint: String,
    /// The value of the last completed execution; null if there is none.
    pub values: Payload,
    /// What the next execution finds as `previous`, where it differs from `values`.
    pub saved: Option<Payload>,
    /// The input, in a checkpoint from which an execution starts.
    pub input: Option<Payload>,
    /// Whether the body that starts here goes on from what is saved, as the next step of a graph
    /// does; its input is null then.
    pub goes_on: bool,
    /// What the step runs that starts here; empty for what is no graph, and where one has ended.
    pub tasks: Vec<StepTask>,
    /// What the execution that started here came to, as far as it got.
    pub progress: Progress,
    /// Scalars that the caller attached to the run.
    pub metadata: BTreeMap<String, Payload>,
    /// What child entrypoints with a history of their own ([`crate::policy::History::Thread`])
    /// have saved, by the place from which they are called and their name.
    pub children: BTreeMap<String, ChildState>,
}

/// What a child entrypoint with a history of its own came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildState {
    /// Its last result.
    pub values: Payload,
    /// What its next execution finds as `previous`, where it differs.
    pub saved: Option<Payload>,
    /// Its newest checkpoint.
    pub head: CheckpointId,
    /// The step of that checkpoint.
    pub step: i64,
}

impl ChildState {
    /// What its next execution finds as `previous`.
    pub fn previous(&self) -> &Payload {
        self.saved.as_ref().unwrap_or(&self.values)
    }
}

impl Record for Checkpoint {
    const KIND: u8 = kind::CHECKPOINT;
}

impl Checkpoint {
    /// What the next execution finds as `previous`.
    pub fn previous(&self) -> Option<&Payload> {
        match self.input {
            Some(_) => self.saved.as_ref(),
            None => Some(self.saved.as_ref().unwrap_or(&self.values)),
        }
    }
}

/// What the execution that started at a checkpoint came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Questions it asked last, answered or not.
    pub interrupts: Vec<Interrupt>,
    /// The failure that ended its last run.
    pub failure: Option<Failure>,
    /// Its result, once it completed.
    pub result: Option<Payload>,
    /// What its step came to, if it is a graph.
    pub graph: Option<Box<GraphProgress>>,
}

impl Progress {
    /// What readers of a run show of it: of a step, its tasks.
    pub(crate) fn into_shown(self) -> Self {
        let tasks = |graph: Box<GraphProgress>| Box::new(GraphProgress::of_tasks(graph.view.tasks));
        Self { graph: self.graph.map(tasks), ..self }
    }

    /// Bytes of the values in it.
    pub(crate) fn weight(&self) -> usize {
        let asked: usize = self.interrupts.iter().map(|asked| asked.value.len()).sum();
        let result = self.result.as_ref().map_or(0, Payload::len);
        asked + result + self.graph.as_ref().map_or(0, |graph| graph.weight())
    }
}
