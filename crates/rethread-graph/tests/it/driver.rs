//! A body of a graph that is played step by step, with its calls answered in place.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rethread_core::failure::Failure;
use rethread_core::graph::{GraphChange, GraphEdit, GraphEdited, StepCount, StepView, TaskResult};
use rethread_core::ids::{CallId, ExecutionId, RunId, ThreadId};
use rethread_core::payload::Payload;
use rethread_core::replay::{
    Ask, Body, BodyOutput, CallRequest, Program, Rest, Scope, ScopeInfo, Woken,
};
use rethread_graph::{Graph, Values};
use rethread_sdk::Registry;
use serde_json::Value;
use uuid::Uuid;

/// A thread with a graph: what was saved last, and what all steps ran.
pub(crate) struct Thread {
    registry: Registry,
    graph: String,
    previous: Option<Payload>,
    carried: Option<Payload>,
    steps: u128,
    /// The names of the nodes that ran, step by step.
    pub(crate) ran: Vec<Vec<String>>,
    /// What the last step that did not end looked like.
    pub(crate) view: Option<StepView>,
    /// What the last edit left to be shown.
    pub(crate) shown: Option<Value>,
}

pub(crate) fn pack(value: &Value) -> Payload {
    Payload::encode(value, "test value").expect("encodes")
}

pub(crate) fn unpack(payload: &Payload) -> Value {
    payload.decode("test value").expect("is JSON")
}

impl Thread {
    pub(crate) fn new<I, O>(graph: &Graph<I, O>) -> Self {
        let registry = Registry::builder().graph(graph).build().expect("valid");
        Self {
            registry,
            graph: graph.name().to_owned(),
            previous: None,
            carried: None,
            steps: 0,
            ran: Vec::new(),
            view: None,
            shown: None,
        }
    }

    /// Has the thread go on with other code.
    pub(crate) fn deploy(&mut self, graph: &Graph<Values, Values>) {
        self.registry = Registry::builder().graph(graph).build().expect("valid");
    }

    /// Runs the graph with an input to its end or to a breakpoint.
    pub(crate) fn run(&mut self, input: Value) -> Result<Value, Failure> {
        self.carried = None;
        let output = self.step(Some(pack(&input)))?;
        self.go_on_from(output)
    }

    /// Goes on with what is left.
    pub(crate) fn go_on(&mut self) -> Result<Value, Failure> {
        self.carried = None;
        let output = self.step(None)?;
        self.go_on_from(output)
    }

    fn go_on_from(&mut self, mut output: BodyOutput) -> Result<Value, Failure> {
        while output.step.as_ref().is_some_and(|step| !step.tasks.is_empty() && !step.pause) {
            output = self.step(None)?;
        }
        Ok(unpack(&output.value))
    }

    /// Why an input is refused before anything begins.
    pub(crate) fn refuses(&self, input: &Value) -> Option<String> {
        let started = self.registry.start(&self.graph, &pack(input));
        started.err().map(|refusal| refusal.to_string())
    }

    fn step(&mut self, input: Option<Payload>) -> Result<BodyOutput, Failure> {
        let graph = self.graph.clone();
        let goes_on = input.is_none();
        let input = input.unwrap_or(Payload::NULL);
        let mut ran = Vec::new();
        let info = self.info(true, self.previous.clone(), goes_on);
        let info = ScopeInfo { carried: self.carried.take(), ..info };
        let mut view = None;
        let output = self.play(&graph, &input, info, &mut ran, &mut view);
        self.ran.push(ran);
        let output = output.inspect_err(|_| self.view = view)?;
        self.previous.clone_from(&output.save);
        self.carried = output.step.as_ref().and_then(|step| step.carried.clone());
        Ok(output)
    }

    /// A scope of its own for each step.
    fn info(&mut self, is_root: bool, previous: Option<Payload>, goes_on: bool) -> ScopeInfo {
        self.steps += 1;
        let execution = ExecutionId::from_uuid(Uuid::from_u128(self.steps));
        ScopeInfo {
            scope: CallId::root(execution),
            is_root,
            calls: CallId::root(execution),
            thread: ThreadId::new("thread-1").expect("valid"),
            run: RunId::from_uuid(Uuid::from_u128(1)),
            execution,
            name: "graph".to_owned(),
            attempt: 1,
            previous,
            goes_on,
            carried: None,
            steps: StepCount { limit: 25, made: 0, took_input: true },
            breakpoints: Arc::default(),
            answers: Vec::new(),
            config: Arc::default(),
            context: None,
            progress: None,
            provided: None,
        }
    }

    /// Plays a body until it ends. Calls are answered one by one, in the order they were made.
    fn play(
        &mut self,
        graph: &str,
        input: &Payload,
        info: ScopeInfo,
        ran: &mut Vec<String>,
        view: &mut Option<StepView>,
    ) -> Result<BodyOutput, Failure> {
        let future = self.registry.start(graph, input).expect("starts");
        let scope = Scope::gated(info);
        let mut body = Body::new(Arc::clone(&scope), future, Arc::new(|| {}), &Woken::default());
        let mut calls = Vec::new();
        let mut outcomes = BTreeMap::new();
        loop {
            let rest = body.run();
            for ask in scope.take_asks() {
                let Ask::Call { slot, id, request } = ask else { panic!("asked for {ask:?}") };
                calls.push((slot, id, request));
            }
            if let Some(now) = scope.view() {
                *view = Some(now(&outcomes));
            }
            if let Rest::Ended(ended) = rest {
                return ended;
            }
            assert!(!calls.is_empty(), "the body waits for nothing that is known");
            let (slot, id, request) = calls.remove(0);
            let node = request.node().map(|node| node.name.clone());
            ran.extend(node);
            let outcome = self.call(request, ran);
            if let Ok(result) = &outcome {
                outcomes.insert(id, result.clone());
            }
            body.deliver(slot, outcome);
        }
    }

    fn call(&mut self, request: CallRequest, ran: &mut Vec<String>) -> Result<Payload, Failure> {
        match request {
            CallRequest::Task { name, input, .. } => {
                let task = self.registry.task(&name).expect("is registered").clone();
                let info = self.info(false, None, false);
                let scope = Scope::ungated(info);
                let mut future = task.start(&input)?;
                let mut context = Context::from_waker(Waker::noop());
                match scope.enter(|| future.as_mut().poll(&mut context)) {
                    Poll::Ready(result) => result,
                    Poll::Pending => panic!("task `{name}` waits"),
                }
            }
            CallRequest::Entrypoint { name, mut input, .. } => {
                let (mut previous, mut goes_on) = (None, false);
                loop {
                    let info = self.info(false, previous, goes_on);
                    let output = self.play(&name, &input, info, ran, &mut None)?;
                    match &output.step {
                        Some(step) if !step.tasks.is_empty() => {
                            (previous, goes_on, input) = (output.save, true, Payload::NULL);
                        }
                        _ => return Ok(output.value),
                    }
                }
            }
            other => panic!("asked for {other:?}"),
        }
    }

    /// Edits the state; says what is left to be run then.
    pub(crate) fn edit(&mut self, change: GraphChange) -> Result<Vec<String>, String> {
        self.steps += 1;
        let run = RunId::from_uuid(Uuid::from_u128(self.steps));
        self.edit_in(run, Vec::new(), change)
    }

    /// The same in a run, with what is recorded of the step that is edited.
    pub(crate) fn edit_in(
        &mut self,
        run: RunId,
        results: Vec<TaskResult>,
        change: GraphChange,
    ) -> Result<Vec<String>, String> {
        let edit = GraphEdit {
            run: Some(run),
            previous: self.previous.clone(),
            values: Payload::NULL,
            results,
            change,
        };
        let edited = self.registry.edit(&self.graph, &edit).map_err(|refusal| refusal.to_string());
        let GraphEdited { output, .. } = edited?;
        self.previous = output.save;
        let step = output.step.expect("edits give steps");
        self.shown = Some(unpack(&step.values));
        Ok(step.tasks.into_iter().map(|task| task.name).collect())
    }
}
