//! Carrying a distributed trace from the client of a run through its coordinator to its workers.
//!
//! The engine makes spans of `tracing` and knows no tracing system. What turns spans into a trace
//! is installed once per process; the facade does it for OpenTelemetry (setting `otlp_endpoint`).

use std::fmt;
use std::sync::OnceLock;

pub use rethread_core::settings::TraceContext;
use tracing::Span;

/// Knows the place of spans in a distributed trace.
pub trait Propagation: Send + Sync + 'static {
    /// The place of a span; none if it is not recorded.
    fn context(&self, span: &Span) -> Option<TraceContext>;

    /// Makes a span that was not entered yet a child of a place in a trace.
    fn follow(&self, span: &Span, parent: &TraceContext);
}

static INSTALLED: OnceLock<Box<dyn Propagation>> = OnceLock::new();

/// Has runs carry their traces for the whole process. False if one is installed already, which
/// then stays.
pub fn install(propagation: impl Propagation) -> bool {
    INSTALLED.set(Box::new(propagation)).is_ok()
}

/// The place of a span in its trace; none if nothing is installed or the span is not recorded.
pub fn context_of(span: &Span) -> Option<TraceContext> {
    INSTALLED.get()?.context(span)
}

/// Makes a span that was not entered yet a child of a place in a trace. No effect if nothing is
/// installed.
pub fn follow(span: &Span, parent: Option<&TraceContext>) {
    if let (Some(propagation), Some(parent)) = (INSTALLED.get(), parent) {
        propagation.follow(span, parent);
    }
}

impl fmt::Debug for dyn Propagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Propagation")
    }
}
