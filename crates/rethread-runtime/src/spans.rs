//! The coordinator's part of a distributed trace. Without a trace no span is made.

use rethread_core::ids::PartitionId;
use rethread_core::message::Command;
use rethread_sdk::trace;
use tracing::Span;

/// The span of a request: from when it is taken up until what came of it is written.
pub(crate) fn of_request(command: &Command) -> Option<Span> {
    let parent = command.settings.trace.as_ref()?;
    let span = tracing::info_span!(
        "rethread.turn",
        thread_id = %command.thread,
        run_id = %command.run
    );
    trace::follow(&span, Some(parent));
    Some(span)
}

/// One span for each of these requests: that of the commit that writes what came of them.
pub(crate) fn of_commit(requests: &[Span], partition: PartitionId, number: u64) -> Vec<Span> {
    let commit = |request: &Span| {
        let span = tracing::info_span!(parent: request, "rethread.commit", %partition, number);
        // Begins now; it ends when it is dropped.
        span.in_scope(|| {});
        span
    };
    requests.iter().map(commit).collect()
}
