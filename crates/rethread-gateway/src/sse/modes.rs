use std::borrow::Cow;

use rethread_client::Mode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// Which events of a run are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub(crate) enum StreamMode {
    Values,
    Updates,
    Custom,
    /// Messages of models as they grow.
    Messages,
    /// Chunks of messages of models, each with facts about it.
    MessagesTuple,
    Tasks,
    Checkpoints,
    Debug,
    /// Of LangChain's models: there are none.
    Events,
    /// That what a body wrote counts no more, since it is run again.
    Reset,
}

impl StreamMode {
    /// The mode of the engine that has the events.
    fn source(self) -> Option<Mode> {
        Some(match self {
            Self::Values => Mode::Values,
            Self::Updates => Mode::Updates,
            Self::Custom => Mode::Custom,
            Self::Messages | Self::MessagesTuple => Mode::Messages,
            Self::Tasks => Mode::Tasks,
            Self::Checkpoints => Mode::Checkpoints,
            Self::Debug => Mode::Debug,
            Self::Events | Self::Reset => return None,
        })
    }
}

/// The events that a client asks for: one mode, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrMany", into = "Vec<StreamMode>")]
pub(crate) struct StreamModes(Vec<StreamMode>);

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a stream mode, or a list of stream modes")]
#[schemars(inline)]
enum OneOrMany {
    One(StreamMode),
    Many(Vec<StreamMode>),
}

impl From<OneOrMany> for StreamModes {
    fn from(given: OneOrMany) -> Self {
        match given {
            OneOrMany::One(mode) => Self(vec![mode]),
            OneOrMany::Many(modes) if modes.is_empty() => Self::default(),
            OneOrMany::Many(modes) => Self(modes),
        }
    }
}

impl From<StreamModes> for Vec<StreamMode> {
    fn from(StreamModes(modes): StreamModes) -> Self {
        modes
    }
}

impl Default for StreamModes {
    fn default() -> Self {
        Self(vec![StreamMode::Values])
    }
}

impl StreamModes {
    pub(crate) fn of(modes: Vec<StreamMode>) -> Self {
        OneOrMany::Many(modes).into()
    }

    pub(crate) fn has(&self, mode: StreamMode) -> bool {
        self.0.contains(&mode)
    }

    /// Whether what a mode of the engine shows is sent as it is.
    pub(super) fn want(&self, source: Mode) -> bool {
        self.0.iter().any(|mode| mode.source() == Some(source))
    }

    /// What is to be read of the run for them.
    pub(super) fn sources(&self) -> Vec<Mode> {
        let mut sources = vec![Mode::Lifecycle];
        sources.extend(self.0.iter().filter_map(|mode| mode.source()));
        if sources.contains(&Mode::Messages) {
            // Tells the names of the tasks that write them.
            sources.push(Mode::Tasks);
        }
        sources
    }
}

impl JsonSchema for StreamModes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "StreamModes".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        OneOrMany::json_schema(generator)
    }
}
