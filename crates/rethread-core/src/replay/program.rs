use std::any::Any;
use std::fmt::Debug;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use crate::event::Refusal;
use crate::failure::Failure;
use crate::graph::{GraphEdit, GraphEdited, StepEnd};
use crate::payload::Payload;
use crate::policy::EntrypointOptions;
use crate::replay::body::panic_failure;

/// The code that an execution runs: entrypoints by name.
pub trait Program: Debug + Send + Sync {
    /// Makes the body of an entrypoint for an input. The body starts when it is first polled,
    /// inside of its scope.
    ///
    /// # Errors
    /// [`Refusal::UnknownEntrypoint`], or [`Refusal::InvalidInput`] when the input is not a
    /// value of the entrypoint's input type.
    fn start(&self, entrypoint: &str, input: &Payload) -> Result<BodyFuture, Refusal>;

    /// What an entrypoint asks of the engine; the defaults for one that is not known.
    fn options(&self, entrypoint: &str) -> EntrypointOptions {
        let _ = entrypoint;
        EntrypointOptions::default()
    }

    /// What the predicate of the n-th retry policy of an entrypoint says of a failure; false
    /// for a policy without one.
    fn retries(&self, entrypoint: &str, policy: usize, failure: &Failure) -> bool {
        let _ = (entrypoint, policy, failure);
        false
    }

    /// The cache key that an entrypoint makes of an input; none: the default key.
    fn cache_key(&self, entrypoint: &str, input: &Payload) -> Option<String> {
        let _ = (entrypoint, input);
        None
    }

    /// Whether an entrypoint is a graph: its body makes steps ([`BodyOutput::step`]). It is begun
    /// with a null input where it goes on from what it saved ([`ScopeInfo::goes_on`]).
    ///
    /// [`ScopeInfo::goes_on`]: crate::replay::ScopeInfo::goes_on
    fn is_graph(&self, entrypoint: &str) -> bool {
        let _ = entrypoint;
        false
    }

    /// What an edit of a graph's state comes to. Pure: the same for the same edit.
    ///
    /// # Errors
    /// [`Refusal::UnknownEntrypoint`], or [`Refusal::InvalidUpdate`] for an edit that cannot be
    /// made or an entrypoint that is no graph.
    fn edit(&self, entrypoint: &str, edit: &GraphEdit) -> Result<GraphEdited, Refusal> {
        let _ = edit;
        let reason = format!("entrypoint `{entrypoint}` is not a graph");
        Err(Refusal::InvalidUpdate { reason })
    }

    /// Begins a task that runs inline: in the coordinator, where its call is made, instead of being
    /// ordered from a worker. None for all other tasks, and those that are not known.
    ///
    /// It must end at once and ask for nothing ([`in_place`](crate::replay::in_place)), and it is
    /// run again if a crash comes before its result is recorded.
    fn start_inline(&self, task: &str, input: &Payload) -> Option<Result<InlineFuture, Failure>> {
        let _ = (task, input);
        None
    }

    /// What bodies may ask for by type; opaque here.
    fn provided(&self) -> Option<Provided> {
        None
    }
}

/// What a program provides to its bodies; who asks knows its type.
pub type Provided = Arc<dyn Any + Send + Sync>;

/// Makes a body; a panic of user code (of a `Deserialize`, for example) refuses the input.
pub(crate) fn start_caught(
    program: &dyn Program,
    entrypoint: &str,
    input: &Payload,
) -> Result<BodyFuture, Refusal> {
    catch_unwind(AssertUnwindSafe(|| program.start(entrypoint, input))).unwrap_or_else(|panic| {
        let reason =
            format!("input of entrypoint `{entrypoint}`: {}", panic_failure(panic.as_ref()));
        Err(Refusal::InvalidInput { reason })
    })
}

/// The body of an entrypoint, running.
pub type BodyFuture = Pin<Box<dyn Future<Output = Result<BodyOutput, Failure>> + Send>>;

/// A task that runs inline, running.
pub type InlineFuture = Pin<Box<dyn Future<Output = Result<Payload, Failure>> + Send>>;

/// What an entrypoint gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyOutput {
    /// The result. Of a step of a graph: what the result would be if nothing came after it.
    pub value: Payload,
    /// What the next execution finds as `previous`, where it differs from the result. Of a step:
    /// what the next step finds.
    pub save: Option<Payload>,
    /// How the step ended, if the body made one. A graph that ends without one leaves no state.
    pub step: Option<Box<StepEnd>>,
}
