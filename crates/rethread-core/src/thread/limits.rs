//! What a thread and its executions may grow to.

use crate::graph::Destination;
use crate::message::{Action, Answers, Command, CommandInput};
use crate::payload::Payload;

/// Limits of one thread and its executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most calls that one execution may make. Default 100,000.
    pub calls_max: usize,
    /// Most events of one run. Default 1,000,000.
    pub events_max: u64,
    /// Most bytes of the values in one execution's journal. Default 64 MiB.
    pub journal_bytes_max: usize,
    /// Most bytes of one value: an input, argument, result, answer or event. Default 4 MiB.
    pub payload_bytes_max: usize,
    /// Most questions that are open at a time. Default 100.
    pub interrupts_max: usize,
    /// Most commands that wait on a thread for the run in progress. Default 100.
    pub waiting_max: usize,
    /// Most orders of one execution that stand in queues or run at a time, so that a large
    /// fan-out does not keep others waiting. A task that waits for calls of its own does not
    /// count. Default 1,000.
    pub orders_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_max: 100_000,
            events_max: 1_000_000,
            journal_bytes_max: 64 * 1024 * 1024,
            payload_bytes_max: 4 * 1024 * 1024,
            interrupts_max: 100,
            waiting_max: 100,
            orders_max: 1_000,
        }
    }
}

/// Which limit a command exceeds, if it does.
pub(super) fn exceeded_by(command: &Command, limits: &Limits) -> Option<String> {
    let context = command.settings.context.iter();
    let configured = command.settings.config.configurable.values();
    let metadata = command.settings.config.metadata.values();
    let settings = context.chain(configured).chain(metadata);
    let values: Vec<&Payload> = match &command.action {
        Action::Start { input, .. } => vec![input],
        Action::Resume(Answers::Only(answer)) => vec![answer],
        Action::Resume(Answers::ById(answers)) => answers.values().collect(),
        Action::Update(update) => {
            let more = update.more.iter().map(|(values, _)| values);
            std::iter::once(&update.values).chain(&update.save).chain(more).collect()
        }
        Action::Command(input) => {
            let CommandInput { command, answers } = &**input;
            let answers = match answers {
                Some(Answers::Only(answer)) => vec![answer],
                Some(Answers::ById(answers)) => answers.values().collect(),
                None => Vec::new(),
            };
            let sent = command.goto.iter().filter_map(|destination| match destination {
                Destination::Send { input, .. } => Some(input),
                Destination::Node(_) => None,
            });
            answers.into_iter().chain(&command.update).chain(sent).collect()
        }
        _ => Vec::new(),
    };
    values.into_iter().chain(settings).find_map(|value| too_large("a value", value, limits))
}

/// Says that a value is larger than it may be, if it is.
pub(super) fn too_large(what: &str, value: &Payload, limits: &Limits) -> Option<String> {
    let (bytes, max) = (value.len(), limits.payload_bytes_max);
    (bytes > max).then(|| {
        format!(
            "{what} has {bytes} bytes, {max} are allowed (setting payload_bytes_max): store large \
             data elsewhere and pass a reference to it"
        )
    })
}
