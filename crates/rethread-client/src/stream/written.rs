//! What bodies have written and what of it counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use rethread_core::ids::CallId;

use crate::stream::event::Mode;
use crate::stream::scopes::{Ns, Run, Scope};

/// Who has written something that counts.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// By call; none is the body of the run's entrypoint.
    by: BTreeMap<Option<CallId>, Writer>,
}

/// A body that has written.
#[derive(Debug)]
pub(super) struct Writer {
    /// The run that what it writes belongs to.
    pub(super) run: Arc<Run>,
    /// The path of what it writes.
    pub(super) writes_at: Ns,
    /// The modes in which it has written.
    pub(super) modes: Vec<Mode>,
}

impl Written {
    /// Notes that a body has written.
    pub(super) fn note(&mut self, call: Option<CallId>, scope: &Scope, mode: Mode) {
        let writer = self.by.entry(call).or_insert_with(|| Writer {
            run: Arc::clone(&scope.run),
            writes_at: scope.writes_at.clone(),
            modes: Vec::new(),
        });
        if !writer.modes.contains(&mode) {
            writer.modes.push(mode);
        }
    }

    /// Takes out what counts no more when a body is run again: what it has written, and if it is
    /// that of an entrypoint, what its calls have. What a task called stands, as its result does.
    pub(super) fn take(&mut self, call: Option<CallId>) -> Vec<(Option<CallId>, Writer)> {
        let is_void = |writer: &Option<CallId>, found: &mut Writer| match call {
            None => true,
            Some(body) => *writer == call || found.run.is_within(body),
        };
        self.by.extract_if(.., is_void).collect()
    }
}
