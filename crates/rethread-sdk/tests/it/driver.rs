//! Plays the coordinator and the worker for one body.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rethread_core::failure::Failure;
use rethread_core::graph::StepCount;
use rethread_core::ids::{CallId, ExecutionId, RunId, ThreadId};
use rethread_core::message::Emission;
use rethread_core::payload::Payload;
use rethread_core::replay::{
    Ask, Body, BodyOutput, CallRequest, Program, Rest, Scope, ScopeInfo, SlotIndex, Woken,
};
use rethread_sdk::{Entrypoint, Registry, Task, TaskDef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

pub fn pack(value: impl Serialize) -> Payload {
    Payload::encode(&value, "test value").expect("encodes")
}

pub fn unpack<T: DeserializeOwned>(payload: &Payload) -> T {
    payload.decode("test value").expect("decodes")
}

pub fn info(name: &str) -> ScopeInfo {
    let run = RunId::from_uuid(Uuid::from_u128(1));
    ScopeInfo {
        scope: CallId::root(ExecutionId::from(run)),
        is_root: true,
        calls: CallId::root(ExecutionId::from(run)),
        thread: ThreadId::new("thread-1").expect("valid"),
        run,
        execution: ExecutionId::from(run),
        name: name.to_owned(),
        attempt: 1,
        previous: None,
        goes_on: false,
        carried: None,
        steps: StepCount::default(),
        breakpoints: Arc::default(),
        answers: Vec::new(),
        config: Arc::default(),
        context: None,
        progress: None,
        provided: None,
    }
}

/// An entrypoint body, with the calls it made and nobody answered.
pub struct Driver {
    pub body: Body,
    pub calls: Vec<MadeCall>,
    pub questions: Vec<(SlotIndex, Payload)>,
    pub emitted: Vec<Emission>,
    pub cancelled: Vec<CallId>,
    pub heartbeats: Vec<Option<Payload>>,
    pub withdrawn: usize,
    pub ended: Option<Result<BodyOutput, Failure>>,
}

#[derive(Debug, Clone)]
pub struct MadeCall {
    pub slot: SlotIndex,
    pub id: CallId,
    pub name: String,
    pub request: CallRequest,
}

impl MadeCall {
    pub fn input<T: DeserializeOwned>(&self) -> T {
        match &self.request {
            CallRequest::Task { input, .. } | CallRequest::Entrypoint { input, .. } => {
                unpack(input)
            }
            CallRequest::Timer { duration_ms } => unpack(&pack(duration_ms)),
            CallRequest::Store(request) => unpack(&pack(request)),
        }
    }
}

impl Driver {
    pub fn start<I: Serialize, O>(entrypoint: Entrypoint<I, O>, input: I) -> Self {
        let info = info(entrypoint.name());
        Self::start_with(entrypoint, input, info)
    }

    pub fn start_with<I: Serialize, O>(
        entrypoint: Entrypoint<I, O>,
        input: I,
        info: ScopeInfo,
    ) -> Self {
        let name = entrypoint.name().to_owned();
        let registry = Registry::builder().entrypoint(entrypoint).build().expect("valid");
        let future = registry.start(&name, &pack(input)).expect("starts");
        let mut driver = Self {
            body: Body::new(Scope::gated(info), future, Arc::new(|| {}), &Woken::default()),
            calls: Vec::new(),
            questions: Vec::new(),
            emitted: Vec::new(),
            cancelled: Vec::new(),
            heartbeats: Vec::new(),
            withdrawn: 0,
            ended: None,
        };
        driver.run();
        driver
    }

    fn run(&mut self) {
        match self.body.run() {
            Rest::Ended(result) => self.ended = Some(result),
            Rest::Waiting => {}
            Rest::Yielded => panic!("a test body wakes itself"),
        }
        for ask in self.body.scope().take_asks() {
            match ask {
                Ask::Call { slot, id, request } => {
                    let name = request.name().to_owned();
                    self.calls.push(MadeCall { slot, id, name, request });
                }
                Ask::Interrupt { slot, value, .. } => self.questions.push((slot, value)),
                Ask::Emit(emission) => self.emitted.push(emission),
                Ask::Cancel(call) => self.cancelled.push(call),
                Ask::Heartbeat(progress) => self.heartbeats.push(progress),
                Ask::Withdraw(_) => self.withdrawn += 1,
            }
        }
    }

    /// Gives the n-th call made its result.
    pub fn complete(&mut self, nth: usize, value: impl Serialize) {
        self.body.deliver(self.calls[nth].slot, Ok(pack(value)));
        self.run();
    }

    pub fn fail(&mut self, nth: usize, failure: Failure) {
        self.body.deliver(self.calls[nth].slot, Err(failure));
        self.run();
    }

    pub fn answer(&mut self, nth: usize, value: impl Serialize) {
        self.body.deliver(self.questions[nth].0, Ok(pack(value)));
        self.run();
    }

    /// Polls once more, after something outside woke the body.
    pub fn run_woken(&mut self) {
        self.run();
    }

    pub fn names(&self) -> Vec<&str> {
        self.calls.iter().map(|call| call.name.as_str()).collect()
    }

    pub fn is_waiting(&self) -> bool {
        self.ended.is_none()
    }

    pub fn output(&self) -> &BodyOutput {
        self.ended.as_ref().expect("ended").as_ref().expect("succeeded")
    }

    pub fn value<T: DeserializeOwned>(&self) -> T {
        unpack(&self.output().value)
    }

    pub fn failure(&self) -> &Failure {
        self.ended.as_ref().expect("ended").as_ref().expect_err("failed")
    }
}

/// What one attempt of a task came to, polled once.
pub struct Attempt {
    pub outcome: Poll<Result<Payload, Failure>>,
    pub asks: Vec<Ask>,
}

pub fn attempt<A, T>(task: Task<A, T>, input: &Payload, answers: Vec<Payload>) -> Attempt {
    let info = ScopeInfo { answers, ..info(task.name()) };
    attempt_with(task, input, info)
}

pub fn attempt_with<A, T>(task: Task<A, T>, input: &Payload, info: ScopeInfo) -> Attempt {
    let task = TaskDef::from(task);
    let scope = Scope::ungated(info);
    let mut future = match task.start(input) {
        Ok(future) => future,
        Err(failure) => {
            return Attempt { outcome: Poll::Ready(Err(failure)), asks: Vec::new() };
        }
    };
    let mut context = Context::from_waker(Waker::noop());
    let outcome = scope.enter(|| future.as_mut().poll(&mut context));
    Attempt { outcome, asks: scope.take_asks() }
}

/// Runs the calls of a body with the tasks of a registry, in the order in which they are made,
/// until there are none left; gives their names.
pub fn play(driver: &mut Driver, registry: &Registry) -> Vec<String> {
    let mut order = Vec::new();
    while order.len() < driver.calls.len() {
        let nth = order.len();
        let call = driver.calls[nth].clone();
        order.push(call.name.clone());
        let CallRequest::Task { input, .. } = &call.request else {
            driver.complete(nth, ());
            continue;
        };
        let task = registry.task(&call.name).expect("registered");
        let scope = Scope::ungated(ScopeInfo { scope: call.id, ..info(&call.name) });
        let mut future = task.start(input).expect("decodes");
        let mut context = Context::from_waker(Waker::noop());
        match scope.enter(|| future.as_mut().poll(&mut context)) {
            Poll::Ready(Ok(value)) => {
                driver.body.deliver(call.slot, Ok(value));
                driver.run();
            }
            Poll::Ready(Err(failure)) => driver.fail(nth, failure),
            Poll::Pending => panic!("test tasks do not wait"),
        }
    }
    order
}
