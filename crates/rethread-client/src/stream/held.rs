//! Events that come before the call they belong to.

use std::collections::BTreeMap;

use rethread_core::event::EventKind;
use rethread_core::ids::CallId;

use crate::stream::scopes::Scopes;

/// Keeps events of calls whose start is not shown yet.
///
/// A run that goes on runs what its tasks had called as soon as it can, without waiting until
/// those tasks make the calls again; LangGraph shows the start of a call first.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Whether there can be such calls in this run.
    pub(super) is_expected: bool,
    early: BTreeMap<CallId, Vec<EventKind>>,
}

impl Held {
    /// Keeps an event that comes too early; gives back one that does not.
    pub(super) fn take_early(&mut self, kind: EventKind, scopes: &Scopes) -> Option<EventKind> {
        let body = match &kind {
            EventKind::CallStarted { scope, .. } => *scope,
            EventKind::Updated { call, .. } | EventKind::CallFailed { call, .. } => *call,
            EventKind::Stepped { body: Some(body), .. } => *body,
            EventKind::Custom { call: Some(call), .. }
            | EventKind::Message { call: Some(call), .. }
            | EventKind::Reset { call: Some(call), .. } => *call,
            _ => return Some(kind),
        };
        if !self.is_expected || scopes.get(Some(body)).is_some() {
            return Some(kind);
        }
        self.early.entry(body).or_default().push(kind);
        None
    }

    /// What was kept of a call that is shown now.
    pub(super) fn release(&mut self, call: CallId) -> Vec<EventKind> {
        self.early.remove(&call).unwrap_or_default()
    }
}
