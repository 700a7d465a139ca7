//! A world for one machine: storage, queue and workers as plain data, driven step by step.

pub(crate) mod damage;
pub(crate) mod graph;
pub(crate) mod inline;
pub(crate) mod rng;
pub(crate) mod world;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rethread_core::event::Refusal;
use rethread_core::failure::Failure;
use rethread_core::graph::{GraphEdit, GraphEdited};
use rethread_core::message::Emission;
use rethread_core::payload::Payload;
use rethread_core::policy::{EntrypointOptions, TaskOptions};
use rethread_core::replay::{
    BodyFuture, BodyOutput, CallRequest, InlineFuture, Outcome, Program, Scope, SlotIndex,
};
use rethread_core::store::StoreRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;

use graph::Steps;

/// A value as a payload.
pub(crate) fn payload<T: Serialize>(value: T) -> Payload {
    Payload::encode(&value, "test value").expect("test values encode")
}

/// A payload as a value.
pub(crate) fn value<T: DeserializeOwned>(payload: &Payload) -> T {
    payload.decode("test value").expect("test values decode")
}

/// A future for a slot, as an SDK would make one.
#[derive(Debug)]
pub(crate) struct Slot {
    scope: Arc<Scope>,
    slot: SlotIndex,
}

impl Future for Slot {
    type Output = Outcome;
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        self.scope.poll_slot(self.slot, context).map_err(|failure| {
            let cause = self.scope.call_id(self.slot);
            Failure { cause, ..failure }
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.scope.abandon(self.slot);
    }
}

/// Calls a task with options.
pub(crate) fn task_with(name: &str, input: impl Serialize, options: TaskOptions) -> Slot {
    let scope = Scope::current().expect("called in a body");
    let (name, input, options) = (Arc::from(name), payload(input), Arc::new(options));
    let request = CallRequest::Task { name, input, options, cache_key: None, node: None };
    let slot = scope.call(request, None);
    Slot { scope, slot }
}

/// Asks the store.
pub(crate) fn store(request: StoreRequest) -> Slot {
    let scope = Scope::current().expect("called in a body");
    let slot = scope.call(CallRequest::Store(request), None);
    Slot { scope, slot }
}

impl Slot {
    /// Ends the call.
    pub(crate) fn cancel(&self) {
        self.scope.cancel(self.slot);
    }
}

/// Calls a task.
pub(crate) fn task(name: &str, input: impl Serialize) -> Slot {
    task_with(name, input, TaskOptions::default())
}

/// Calls a child entrypoint.
pub(crate) fn child(name: &str, input: impl Serialize) -> Slot {
    let scope = Scope::current().expect("called in a body");
    let (name, input) = (Arc::from(name), payload(input));
    let slot = scope.call(CallRequest::Entrypoint { name, input, node: None }, None);
    Slot { scope, slot }
}

/// Waits durably.
pub(crate) fn sleep(duration_ms: u64) -> Slot {
    let scope = Scope::current().expect("called in a body");
    let slot = scope.call(CallRequest::Timer { duration_ms }, None);
    Slot { scope, slot }
}

/// Asks a person.
pub(crate) fn ask(question: impl Serialize) -> Slot {
    let scope = Scope::current().expect("called in a body");
    let slot = scope.interrupt(payload(question));
    Slot { scope, slot }
}

/// Writes to the custom stream.
pub(crate) fn emit(text: impl Serialize) {
    Scope::current().expect("called in a body").emit(Emission::Custom(payload(text)));
}

type Start = Box<dyn Fn(&Payload) -> BodyFuture + Send + Sync>;

/// Entrypoints of a test, by name.
#[derive(Default)]
pub(crate) struct Code(
    Vec<(String, Start)>,
    BTreeMap<String, EntrypointOptions>,
    BTreeMap<String, Arc<Steps>>,
);

impl Code {
    /// Adds an entrypoint.
    pub(crate) fn with<F>(
        mut self,
        name: &str,
        body: impl Fn(Payload) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Payload, Failure>> + Send + 'static,
    {
        let start: Start = Box::new(move |input| {
            let body = body(input.clone());
            Box::pin(
                async move { body.await.map(|value| BodyOutput { value, save: None, step: None }) },
            )
        });
        self.0.push((name.to_owned(), start));
        self
    }

    /// Adds an entrypoint that saves something else than it gives.
    pub(crate) fn with_save<F>(
        mut self,
        name: &str,
        body: impl Fn(Payload) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<BodyOutput, Failure>> + Send + 'static,
    {
        self.0.push((name.to_owned(), Box::new(move |input| Box::pin(body(input.clone())))));
        self
    }

    /// Adds a graph that runs these nodes, step by step.
    pub(crate) fn graph(mut self, name: &str, steps: &[&[&str]]) -> Self {
        let steps = steps.iter().map(|step| step.iter().map(ToString::to_string).collect());
        let steps: Arc<Steps> = Arc::new(steps.collect());
        self.2.insert(name.to_owned(), Arc::clone(&steps));
        self.with_save(name, move |input| graph::play(Arc::clone(&steps), input))
    }

    /// Says what an entrypoint asks of the engine.
    pub(crate) fn options(mut self, name: &str, options: EntrypointOptions) -> Self {
        self.1.insert(name.to_owned(), options);
        self
    }

    /// The only entrypoint, `main`.
    pub(crate) fn main<F>(body: impl Fn(Payload) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Payload, Failure>> + Send + 'static,
    {
        Self::default().with("main", body)
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Program for Code {
    fn options(&self, entrypoint: &str) -> EntrypointOptions {
        self.1.get(entrypoint).cloned().unwrap_or_default()
    }

    fn is_graph(&self, entrypoint: &str) -> bool {
        self.2.contains_key(entrypoint)
    }

    fn edit(&self, entrypoint: &str, edit: &GraphEdit) -> Result<GraphEdited, Refusal> {
        let reason = format!("no graph {entrypoint}");
        let steps = self.2.get(entrypoint).ok_or(Refusal::InvalidUpdate { reason })?;
        graph::edit(steps, edit)
    }

    fn start_inline(&self, task: &str, _: &Payload) -> Option<Result<InlineFuture, Failure>> {
        inline::start(task)
    }

    fn start(&self, entrypoint: &str, input: &Payload) -> Result<BodyFuture, Refusal> {
        let known = || self.0.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(", ");
        self.0
            .iter()
            .find(|(name, _)| name == entrypoint)
            .map(|(_, start)| start(input))
            .ok_or_else(|| Refusal::UnknownEntrypoint { name: entrypoint.into(), known: known() })
    }
}
