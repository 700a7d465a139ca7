//! Tasks that run in the coordinator, without an order: nodes of graphs that only compute.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::failure::{Failure, kind};
use crate::graph::StepCount;
use crate::ids::{CallId, Millis};
use crate::replay::{CallRequest, Outcome, Scope, ScopeInfo, in_place, panic_failure};
use crate::thread::execution::Execution;

impl Execution {
    /// What a task comes to that runs inline; none for one that is ordered. It is recorded as the
    /// result of any task, so no replay runs it again.
    pub(super) fn run_inline(&self, id: CallId, now: Millis) -> Option<Outcome> {
        let call = self.calls.get(id)?;
        let CallRequest::Task { name, input, node, .. } = &call.request else { return None };
        // It is code of the user from here on, the decoding of its input included.
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let started = self.around.program.start_inline(name, input)?;
            let mut future = match started {
                Ok(future) => future,
                Err(failure) => return Some(Err(failure)),
            };
            let scope = Scope::ungated(self.inline_scope(id, name));
            scope.set_now(now);
            Some(in_place(&scope, future.as_mut()).unwrap_or_else(|not| {
                let node = node.as_ref().map_or(&**name, |node| &node.name);
                let message = format!(
                    "node `{node}` runs inline and {not}; an inline node computes its update and \
                     does nothing else: leave `inline` out"
                );
                Err(Failure::new(kind::INVALID_GRAPH, message).final_())
            }))
        }));
        ran.unwrap_or_else(|panic| Some(Err(panic_failure(panic.as_ref()))))
    }

    fn inline_scope(&self, call: CallId, name: &str) -> ScopeInfo {
        ScopeInfo {
            scope: call,
            is_root: false,
            calls: call,
            thread: self.around.thread.clone(),
            run: self.run,
            execution: self.id,
            name: name.to_owned(),
            attempt: 1,
            previous: None,
            goes_on: false,
            carried: None,
            steps: StepCount::default(),
            breakpoints: Arc::default(),
            answers: Vec::new(),
            config: Arc::clone(&self.config),
            context: self.settings.context.clone(),
            progress: None,
            provided: self.around.program.provided(),
        }
    }
}
