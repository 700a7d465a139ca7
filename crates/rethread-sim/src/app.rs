//! The application: an entrypoint that interprets programs, and tasks that tell the witness what
//! they do.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use rethread_core::replay::Scope;
use rethread_sdk::{
    Cache, Entrypoint, EntrypointRef, Error, Final, Registry, RegistryError, Result, Retry, Task,
    TaskRef, dep, emit, interrupt, previous, run_info, sleep, store,
};
use serde::{Deserialize, Serialize};

use crate::graph::graph;
use crate::link::Link;
use crate::program::{Op, Program, conclude, fold, shared_value, value_of};
use crate::random::mix;
use crate::witness::Body;

/// Name of the entrypoint that runs programs.
pub(crate) const ENTRYPOINT: &str = "interpret";
/// How failures are called that programs make.
pub(crate) const BROKEN: &str = "Broken";
const NAMESPACE: &str = "sim";

/// Where a body runs.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) link: Arc<Link>,
}

/// A question.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Question {
    /// The execution that asks.
    pub(crate) execution: u64,
    /// The step that asks.
    pub(crate) id: u32,
}

/// What a body is called with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Step {
    execution: u64,
    id: u32,
    /// What it depends on: a duration, a number of failures, a key.
    n: u64,
    ops: Vec<Op>,
}

impl Step {
    /// One that depends on nothing.
    pub(crate) fn plain(execution: u64, id: u32) -> Self {
        Self { execution, id, n: 0, ops: Vec::new() }
    }
}

/// What a body gives: the value, and a number that no other start of a body has.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Stamped {
    pub(crate) value: u64,
    pub(crate) stamp: u64,
}

/// An item of the store.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Stored {
    value: u64,
}

/// The code of a host.
pub(crate) fn registry(post: Post) -> Result<Registry, RegistryError> {
    let retry = Retry::attempts(50)
        .initial_interval(Duration::from_millis(10))
        .backoff_factor(1.0)
        .jitter(false);
    Registry::builder()
        .entrypoint(Entrypoint::new(ENTRYPOINT, interpret))
        .entrypoint(Entrypoint::new("child", child))
        .task(Task::new("step", step))
        .task(Task::new("flaky", flaky).retry(retry))
        .task(Task::new("broken", broken))
        .task(Task::new("caught", caught))
        .task(Task::new("cached", cached).cache(Cache::forever()).cache_key(cache_key))
        .task(Task::new("nested", nested))
        .graph(&graph().expect("invariant: the graph of programs is well formed"))
        .provide(post)
        .build()
}

fn cache_key((step,): &(Step,)) -> String {
    step.n.to_string()
}

async fn interpret(program: Program) -> Result<Final<u64, u64>> {
    let previous = previous::<u64>()?;
    let result = run(&program.ops, program.execution).await?;
    let (value, saved) = conclude(result, previous);
    Ok(Final::new(value, saved))
}

async fn child(step: Step) -> Result<u64> {
    Ok(mix(value_of(step.execution, step.id), run(&step.ops, step.execution).await?))
}

async fn step(step: Step) -> Result<Stamped> {
    let stamp = begin(&step)?;
    tokio::time::sleep(Duration::from_millis(step.n)).await;
    Ok(Stamped { value: value_of(step.execution, step.id), stamp })
}

async fn flaky(step: Step) -> Result<Stamped> {
    let stamp = begin(&step)?;
    if u64::from(run_info()?.attempt) <= step.n {
        return Err(Error::new("Flaky", "it fails at first"));
    }
    Ok(Stamped { value: value_of(step.execution, step.id), stamp })
}

async fn broken(step: Step) -> Result<Stamped> {
    let stamp = begin(&step)?;
    if post()?.link.witness.breaks(step.execution, step.id, step.n) {
        return Err(Error::new(BROKEN, "it is broken for some time"));
    }
    Ok(Stamped { value: value_of(step.execution, step.id), stamp })
}

async fn caught(step: Step) -> Result<Stamped> {
    begin(&step)?;
    Err(Error::new(BROKEN, "it always fails"))
}

async fn cached(step: Step) -> Result<Stamped> {
    let stamp = begin(&step)?;
    tokio::time::sleep(Duration::from_millis(3)).await;
    Ok(Stamped { value: shared_value(step.n), stamp })
}

async fn nested(step: Step) -> Result<Stamped> {
    let stamp = begin(&step)?;
    let inner = run(&step.ops, step.execution).await?;
    Ok(Stamped { value: mix(value_of(step.execution, step.id), inner), stamp })
}

/// Does steps one after the other, in the body that calls it.
async fn run(ops: &[Op], execution: u64) -> Result<u64> {
    let mut results = Vec::with_capacity(ops.len());
    for op in ops {
        results.push(run_op(op, execution).await?);
    }
    Ok(fold(results))
}

/// Does one step, in the body that calls it.
pub(crate) fn run_op(op: &Op, execution: u64) -> BoxFuture<'_, Result<u64>> {
    Box::pin(async move {
        let call = |name: &str, id: u32, n: u64, ops: &[Op]| {
            let step = Step { execution, id, n, ops: ops.to_vec() };
            TaskRef::<(Step,), Stamped>::named(name).call((step,))
        };
        match *op {
            Op::Task { id, ms } => got(execution, id, call("step", id, ms, &[]).await?),
            Op::Flaky { id, fails } => {
                let retry = Retry::attempts(50)
                    .initial_interval(Duration::from_millis(10))
                    .backoff_factor(1.0)
                    .jitter(false);
                let task = TaskRef::<(Step,), Stamped>::named("flaky").retry(retry);
                let step = Step { execution, id, n: u64::from(fails), ops: Vec::new() };
                got(execution, id, task.call((step,)).await?)
            }
            Op::Broken { id, fails } => {
                got(execution, id, call("broken", id, u64::from(fails), &[]).await?)
            }
            Op::Caught { id } => match call("caught", id, 0, &[]).await {
                Err(error) if error.kind() == BROKEN => Ok(value_of(execution, id)),
                Err(error) => Err(error),
                Ok(_) => Err(Error::new("Sim", "a task that fails gave a result")),
            },
            Op::Cached { id, key } => {
                let task = TaskRef::<(Step,), Stamped>::named("cached")
                    .cache(Cache::forever())
                    .cache_key(cache_key);
                let step = Step { execution, id, n: key, ops: Vec::new() };
                got(execution, id, task.call((step,)).await?)
            }
            Op::Detached { id, ms } => {
                drop(call("step", id, ms, &[]));
                Ok(value_of(execution, id))
            }
            Op::Parallel { ref ops } => {
                let results = join_all(ops.iter().map(|op| run_op(op, execution))).await;
                Ok(fold(results.into_iter().collect::<Result<Vec<_>>>()?))
            }
            Op::Nested { id, ref ops } => got(execution, id, call("nested", id, 0, ops).await?),
            Op::Child { id, ref ops } => {
                let step = Step { execution, id, n: 0, ops: ops.clone() };
                EntrypointRef::<Step, u64>::named("child").call(step).await
            }
            Op::Ask { id } => interrupt(Question { execution, id }).await,
            Op::Put { id, key } => {
                let item = Stored { value: value_of(execution, id) };
                store()?.put([NAMESPACE, &execution.to_string()], key.to_string(), &item).await?;
                Ok(item.value)
            }
            Op::Get { key } => {
                let place = [NAMESPACE, &execution.to_string()];
                let item = store()?.get::<Stored>(place, key.to_string()).await?;
                Ok(item.map_or(0, |item| item.value.value))
            }
            Op::Emit { id } => {
                emit(value_of(execution, id))?;
                Ok(value_of(execution, id))
            }
            Op::Sleep { ms } => {
                sleep(Duration::from_millis(ms)).await?;
                Ok(ms)
            }
        }
    })
}

/// A body got the result of a call.
fn got(execution: u64, id: u32, result: Stamped) -> Result<u64> {
    post()?.link.witness.got(execution, id, result.stamp);
    Ok(result.value)
}

/// The body of a task starts.
pub(crate) fn begin(step: &Step) -> Result<u64> {
    let scope = Scope::current().map_err(|_| Error::new("Sim", "outside of a run"))?;
    let info = scope.info();
    let post = post()?;
    if post.link.is_dead() {
        return Err(Error::new("Sim", "the host is gone"));
    }
    Ok(post.link.witness.body_started(Body {
        host: post.link.host,
        program: step.execution,
        step: step.id,
        run: info.run,
        call: info.scope,
        attempt: info.attempt,
    }))
}

/// Where the body runs.
pub(crate) fn post() -> Result<Arc<Post>> {
    dep::<Post>()
}
