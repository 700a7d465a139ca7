//! The application: an entrypoint that interprets programs, and tasks that note what they do.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use rethread::App;
use rethread::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::clock;
use crate::ledger::{Effect, Lines, Phase};
use crate::program::{Op, Program, conclude, fold, shared_value, value_of};
use crate::random::mix;

/// Names the file of the ledger to the services.
pub(crate) const LEDGER_ENV: &str = "CHAOS_LEDGER";
/// First label of the namespaces in the store.
pub(crate) const NAMESPACE: &str = "chaos";

/// Stands in the message of a panic that a program asks for.
pub(crate) const PLANNED_PANIC: &str = "planned panic";
/// How often a body ends its process: after that it is given up, and works when it is retried.
const ABORTS: u32 = 3;

/// A step, as the body of its task gets it.
#[derive(Debug, Serialize, Deserialize)]
struct Step {
    execution: u64,
    id: u32,
    ms: u64,
}

/// A step whose first attempts fail.
#[derive(Debug, Serialize, Deserialize)]
struct FlakyStep {
    execution: u64,
    id: u32,
    fails: u32,
}

/// A step without anything else to say.
#[derive(Debug, Serialize, Deserialize)]
struct PlainStep {
    execution: u64,
    id: u32,
}

/// A step whose result other programs share.
#[derive(Debug, Serialize, Deserialize)]
struct CachedStep {
    execution: u64,
    id: u32,
    key: u64,
}

/// Steps for another body.
#[derive(Debug, Serialize, Deserialize)]
struct Steps {
    execution: u64,
    id: u32,
    ops: Vec<Op>,
}

/// A question.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    /// The execution that asks.
    pub(crate) execution: u64,
    /// The step that asks.
    pub(crate) id: u32,
}

/// The code of all services.
pub(crate) fn app() -> App {
    App::new()
        .entrypoint(interpret::def())
        .entrypoint(child::def())
        .task(step::def())
        .task(flaky::def())
        .task(panicking::def())
        .task(aborting::def())
        .task(cached::def())
        .task(nested::def())
}

/// The definition by which the driver starts programs.
pub(crate) fn entrypoint() -> Entrypoint<Program, u64> {
    interpret::def()
}

#[entrypoint]
async fn interpret(program: Program, previous: Previous<u64>) -> Result<Final<u64, u64>> {
    let result = run(&program.ops, program.execution).await?;
    let (value, saved) = conclude(result, previous.into_inner());
    Ok(Final::new(value, saved))
}

#[entrypoint]
async fn child(steps: Steps) -> Result<u64> {
    Ok(mix(value_of(steps.execution, steps.id), run(&steps.ops, steps.execution).await?))
}

#[task]
async fn step(step: Step) -> Result<u64> {
    note(Phase::Start, step.execution, step.id)?;
    tokio::time::sleep(Duration::from_millis(step.ms)).await;
    note(Phase::End, step.execution, step.id)?;
    Ok(value_of(step.execution, step.id))
}

fn flaky_retry() -> Retry {
    Retry::attempts(50)
        .initial_interval(Duration::from_millis(10))
        .backoff_factor(1.0)
        .jitter(false)
}

#[task(retry = flaky_retry())]
async fn flaky(step: FlakyStep) -> Result<u64> {
    note(Phase::Start, step.execution, step.id)?;
    if run_info()?.attempt <= step.fails {
        note(Phase::Fail, step.execution, step.id)?;
        return Err(Error::new("Flaky", "it fails at first"));
    }
    note(Phase::End, step.execution, step.id)?;
    Ok(value_of(step.execution, step.id))
}

#[task]
async fn panicking(step: PlainStep) -> Result<u64> {
    note(Phase::Start, step.execution, step.id)?;
    note(Phase::End, step.execution, step.id)?;
    panic!("{PLANNED_PANIC}: step {} of execution {}", step.id, step.execution)
}

#[task]
async fn aborting(step: PlainStep) -> Result<u64> {
    note(Phase::Start, step.execution, step.id)?;
    if is_to_abort(step.execution, step.id)? {
        note(Phase::Abort, step.execution, step.id)?;
        std::process::abort();
    }
    note(Phase::End, step.execution, step.id)?;
    Ok(value_of(step.execution, step.id))
}

/// Counts the aborts of a step, in files that survive them.
fn is_to_abort(execution: u64, step: u32) -> Result<bool> {
    let directory = ledger_path()?.with_extension("aborts");
    std::fs::create_dir_all(&directory)?;
    for time in 1..=ABORTS {
        let file = directory.join(format!("{execution}-{step}-{time}"));
        match std::fs::File::create_new(file) {
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

fn shared_key((step,): &(CachedStep,)) -> String {
    step.key.to_string()
}

#[task(cache = Cache::forever(), cache_key = shared_key)]
async fn cached(step: CachedStep) -> Result<u64> {
    note(Phase::Start, step.execution, step.id)?;
    tokio::time::sleep(Duration::from_millis(2)).await;
    note(Phase::End, step.execution, step.id)?;
    Ok(shared_value(step.key))
}

#[task]
async fn nested(steps: Steps) -> Result<u64> {
    note(Phase::Start, steps.execution, steps.id)?;
    let inner = run(&steps.ops, steps.execution).await?;
    note(Phase::End, steps.execution, steps.id)?;
    Ok(mix(value_of(steps.execution, steps.id), inner))
}

/// Does steps one after the other, in the body that calls it.
async fn run(ops: &[Op], execution: u64) -> Result<u64> {
    let mut results = Vec::with_capacity(ops.len());
    for op in ops {
        results.push(interpret_op(op, execution).await?);
    }
    Ok(fold(results))
}

fn interpret_op(op: &Op, execution: u64) -> BoxFuture<'_, Result<u64>> {
    Box::pin(async move {
        match *op {
            Op::Task { id, ms } => step(Step { execution, id, ms }).await,
            Op::Flaky { id, fails } => flaky(FlakyStep { execution, id, fails }).await,
            Op::Panic { id } => match panicking(PlainStep { execution, id }).await {
                Err(error) if error.is_panic() => Ok(value_of(execution, id)),
                other => other,
            },
            Op::Abort { id } => aborting(PlainStep { execution, id }).await,
            Op::Cached { id, key } => cached(CachedStep { execution, id, key }).await,
            Op::Parallel { ref ops } => {
                let results = join_all(ops.iter().map(|op| interpret_op(op, execution))).await;
                Ok(fold(results.into_iter().collect::<Result<Vec<_>>>()?))
            }
            Op::Nested { id, ref ops } => nested(Steps { execution, id, ops: ops.clone() }).await,
            Op::Child { id, ref ops } => child(Steps { execution, id, ops: ops.clone() }).await,
            Op::Ask { id } => interrupt(Question { execution, id }).await,
            Op::Put { id, key } => put(execution, id, key).await,
            Op::Get { key } => get(key).await,
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

async fn put(execution: u64, id: u32, key: u8) -> Result<u64> {
    let (thread, value) = (run_info()?.thread, value_of(execution, id));
    let item = json!({ "n": value });
    store()?.put([NAMESPACE, thread.as_str()], key.to_string(), &item).await?;
    Ok(value)
}

async fn get(key: u8) -> Result<u64> {
    let thread = run_info()?.thread;
    let item = store()?.get::<Json>([NAMESPACE, thread.as_str()], key.to_string()).await?;
    Ok(item.and_then(|item| item.value["n"].as_u64()).unwrap_or_default())
}

fn note(phase: Phase, execution: u64, step: u32) -> Result<()> {
    let info = run_info()?;
    let effect = Effect {
        at: clock::now(),
        pid: std::process::id(),
        phase,
        execution,
        step,
        run: info.run.to_string(),
        call: idempotency_key()?,
        attempt: info.attempt,
    };
    Ok(ledger()?.append(&effect)?)
}

/// The ledger of this process, opened once.
fn ledger() -> Result<&'static Lines> {
    static LEDGER: OnceLock<Lines> = OnceLock::new();
    if let Some(lines) = LEDGER.get() {
        return Ok(lines);
    }
    let lines = Lines::open(&ledger_path()?)?;
    Ok(LEDGER.get_or_init(|| lines))
}

fn ledger_path() -> Result<PathBuf> {
    let path = std::env::var_os(LEDGER_ENV);
    Ok(path.ok_or_else(|| Error::msg(format_args!("{LEDGER_ENV} is not set")))?.into())
}
