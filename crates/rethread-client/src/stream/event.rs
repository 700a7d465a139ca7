use rethread_core::event::RunOutcome;
use rethread_core::failure::Failure;
use rethread_core::ids::{CallId, Millis};

use crate::outcome::OpenInterrupt;
use crate::state::StateSnapshot;
use crate::stream::cursor::Cursor;
use crate::value::AnyValue;

/// Which events a stream shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// The result of each task and entrypoint when it ends well, and questions. Results that
    /// are replayed are not shown. Of a graph: the update of each node when it has ended, also
    /// that of an earlier run of the step, which counts as cached.
    Updates,
    /// The result of the run, or its questions; a resume and a retry begin with the value that
    /// the thread has. Of a graph: all fields after the input and after each step that changed
    /// some; of one within another its output fields.
    Values,
    /// What bodies write, and that it counts no more when they are run again.
    Custom,
    /// Tokens and messages of models, and that they count no more.
    Messages,
    /// The start and the end of each task and entrypoint. A replayed or cached call shows its
    /// start only. Of a graph: its nodes, with what they see and what they wrote.
    Tasks,
    /// The checkpoint that the run works on, and the one it makes; of a graph those of all steps.
    Checkpoints,
    /// [`Mode::Tasks`] and [`Mode::Checkpoints`] with step and time.
    Debug,
    /// The start and the end of the run and of each child entrypoint.
    Lifecycle,
}

impl Mode {
    /// LangGraph's name of the mode, as far as it has one.
    pub fn name(self) -> &'static str {
        match self {
            Self::Updates => "updates",
            Self::Values => "values",
            Self::Custom => "custom",
            Self::Messages => "messages",
            Self::Tasks => "tasks",
            Self::Checkpoints => "checkpoints",
            Self::Debug => "debug",
            Self::Lifecycle => "lifecycle",
        }
    }
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StreamEvent {
    /// Where a new stream goes on behind it.
    pub cursor: Cursor,
    /// The number of the event of the log that it shows. An answer that was given to a run in
    /// progress shows the events of that run.
    pub number: u64,
    /// Its place among all that this event of the log shows in any mode, from 0: with the number
    /// it names what is shown, whatever modes were chosen.
    pub place: u32,
    /// When it happened.
    pub at: Millis,
    /// The mode that shows it.
    pub mode: Mode,
    /// The calls that lead to the run it belongs to, each as `name:call`: empty for the run
    /// itself. A body's second and further child entrypoints have the number of the child, from
    /// 1, behind their caller. What a body writes has the caller of that body too.
    ///
    /// Always empty without [`RunStream::subgraphs`](crate::RunStream::subgraphs).
    pub ns: Vec<String>,
    /// Whether it tells of a node of a graph: of its start, its update or its end.
    pub is_node: bool,
    /// What happened.
    pub data: StreamData,
}

/// What an event of a stream tells.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum StreamData {
    /// A task or entrypoint gave its result ([`Mode::Updates`]).
    Update {
        /// The call.
        id: CallId,
        /// Name of the task or entrypoint, or of the node.
        name: String,
        /// The result. Of a node: the fields that it wrote, null if none, or a list of single
        /// writes if it wrote one twice.
        value: AnyValue,
        /// Whether it came from the cache, without running the body.
        cached: bool,
    },
    /// The run waits for answers ([`Mode::Updates`], [`Mode::Values`]). Of a graph: the questions
    /// of one of its nodes, or none where it came to a breakpoint ([`Mode::Updates`]).
    Interrupts(Vec<OpenInterrupt>),
    /// A graph waits for answers: its value at the beginning of the step, and the questions of one
    /// of its nodes ([`Mode::Values`]).
    Paused {
        /// The value.
        value: AnyValue,
        /// The questions.
        interrupts: Vec<OpenInterrupt>,
    },
    /// The value of the thread, or of a child entrypoint ([`Mode::Values`]).
    Value(AnyValue),
    /// A body wrote to the custom stream ([`Mode::Custom`]).
    Custom {
        /// The call that wrote, or none for the body of the run's entrypoint.
        call: Option<CallId>,
        /// The attempt of that call.
        attempt: u32,
        /// What it wrote.
        value: AnyValue,
    },
    /// A body wrote a token or message of a model ([`Mode::Messages`]).
    Message {
        /// The call that wrote, or none for the body of the run's entrypoint.
        call: Option<CallId>,
        /// The attempt of that call.
        attempt: u32,
        /// The token or message.
        value: AnyValue,
        /// Facts about it.
        metadata: AnyValue,
    },
    /// What a call has written so far counts no more, since it is run again; shown in each of the
    /// modes in which it has written ([`Mode::Custom`], [`Mode::Messages`]). Drop what you show of
    /// it: a later attempt writes it anew.
    Reset {
        /// The call that wrote, or none for the body of the run's entrypoint.
        call: Option<CallId>,
        /// The attempt that writes from here on; none if the entrypoint that made the call is run
        /// again, and makes its calls anew, under other ids.
        attempt: Option<u32>,
    },
    /// A call was made ([`Mode::Tasks`]).
    TaskStarted {
        /// The call.
        id: CallId,
        /// Name of the task or entrypoint, or of the node.
        name: String,
        /// The input: an array of the arguments for a task, what it sees for a node.
        input: AnyValue,
    },
    /// A call came to its end ([`Mode::Tasks`]).
    TaskFinished {
        /// The call.
        id: CallId,
        /// Name of the task or entrypoint.
        name: String,
        /// How it ended.
        end: TaskEnd,
    },
    /// A checkpoint as it stands at this moment ([`Mode::Checkpoints`]).
    Checkpoint(Box<StateSnapshot>),
    /// An event of another mode with its circumstances ([`Mode::Debug`]).
    Debug {
        /// The step of the checkpoint, or the step that the run of the call makes.
        step: i64,
        /// When it happened.
        timestamp: Millis,
        /// What kind of event it is.
        kind: DebugKind,
        /// The event as the other mode shows it.
        payload: Box<StreamData>,
    },
    /// The run or a child entrypoint began ([`Mode::Lifecycle`]).
    Began {
        /// The call that the body of the entrypoint is.
        id: CallId,
        /// Name of the entrypoint.
        name: String,
    },
    /// A child entrypoint came to its end ([`Mode::Lifecycle`]).
    Ended {
        /// Its call.
        id: CallId,
        /// Its name.
        name: String,
        /// How it ended.
        end: TaskEnd,
    },
    /// The run came to its end, which is shown last of all ([`Mode::Lifecycle`]). Of a run that
    /// never began, it is all that is shown.
    RunEnded(Box<RunOutcome>),
}

/// What an event of [`Mode::Debug`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DebugKind {
    /// A checkpoint.
    Checkpoint,
    /// The start of a call.
    Task,
    /// The end of a call.
    TaskResult,
}

impl DebugKind {
    /// LangGraph's name of the kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Task => "task",
            Self::TaskResult => "task_result",
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TaskEnd {
    /// With a result.
    Result(AnyValue),
    /// With a failure.
    Failed(Failure),
    /// With questions; only entrypoints.
    Interrupted(Vec<OpenInterrupt>),
}
