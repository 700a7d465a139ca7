use rethread_core::ids::{CallId, CallKind};
use uuid::{Builder, Uuid};

/// Ids for the messages of one origin (a task of a step, an edit) that bring none.
///
/// They look random and are the same whenever the same updates are put together again: on a
/// replay, in the view of a step in progress and at its end.
#[derive(Debug)]
pub(crate) struct Ids {
    origin: CallId,
    made: u32,
}

impl Ids {
    /// The ids of what a call gave.
    pub(crate) fn of(origin: CallId) -> Self {
        Self { origin, made: 0 }
    }

    /// An origin for what no call gave: the same for the same content.
    pub(crate) fn origin_of(what: &str, content: &[u8]) -> CallId {
        CallId::nth(CallId::content(CallId::ANYWHERE, CallKind::Task, what, content), 0)
    }

    /// The next one.
    pub(crate) fn next(&mut self) -> Uuid {
        self.made += 1;
        let content =
            CallId::content(self.origin, CallKind::Task, "message", &self.made.to_be_bytes());
        Builder::from_random_bytes(content.to_be_bytes()).into_uuid()
    }
}
