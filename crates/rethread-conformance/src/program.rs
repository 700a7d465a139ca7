//! From a case to an application: each task and entrypoint interprets its body.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use rethread::client::{Payload, PayloadError};
use rethread::{
    App, Args, Cache, Entrypoint, Error, Final, Handler, History, Result, Retry, RetryOn, Task,
    TaskRef,
};
use serde_json::Value;

use crate::body::{self, World};
use crate::case::{CacheSpec, Checkpointer, EntrypointSpec, OneOrMany, RetrySpec};
use crate::data::{Data, text};
use crate::eval::{Eval, Held, ReadCounter, Variables};
use crate::expr::Expr;
use crate::graph::Graphs;

/// The arguments of a task, however many there are.
#[derive(Debug, Clone)]
pub(crate) struct Arguments(pub(crate) Vec<Value>);

impl Args for Arguments {
    fn encode(&self, task: &str) -> Result<Payload, PayloadError> {
        let args: Vec<Data> = self.0.iter().cloned().map(Data).collect();
        Payload::encode(&args, format_args!("arguments of task `{task}`"))
    }

    fn decode(payload: &Payload, task: &str) -> Result<Self, PayloadError> {
        payload.decode(format_args!("arguments of task `{task}`")).map(Self)
    }
}

/// Interprets the body of a task.
struct TaskBody {
    world: World,
    name: String,
}

impl Handler<Arguments> for TaskBody {
    type Future = Pin<Box<dyn Future<Output = Result<Data>> + Send>>;

    fn call(&self, args: Arguments) -> Self::Future {
        let (world, name) = (self.world.clone(), self.name.clone());
        Box::pin(async move { body::task(world, &name, args.0).await })
    }
}

/// The application that a case describes.
pub(crate) fn app(world: &World) -> App {
    let mut app = App::new();
    for name in world.case.program.tasks.keys() {
        let body = TaskBody { world: world.clone(), name: name.clone() };
        app = app.task(Task::<Arguments, Data>::new(name, body));
    }
    for (name, spec) in &world.case.program.entrypoints.0 {
        app = app.entrypoint(entrypoint(world, name, spec));
    }
    for graph in Graphs::of(world).all() {
        app = app.graph(graph);
    }
    app
}

fn entrypoint(world: &World, name: &str, spec: &EntrypointSpec) -> Entrypoint<Data, Data> {
    let (body_world, body_name) = (world.clone(), name.to_owned());
    let mut entrypoint = Entrypoint::new(name, move |input: Data| {
        let (world, name) = (body_world.clone(), body_name.clone());
        async move {
            let returned = body::entrypoint(world, &name, input.0).await?;
            Ok::<_, Error>(Final::new(Data(returned.value), Data(returned.save)))
        }
    });
    entrypoint =
        entrypoint.retry(retries(&spec.retry)).history(history(world.case.checkpointer(name)));
    if let Some(ms) = spec.timeout_ms {
        entrypoint = entrypoint.timeout(Duration::from_millis(ms));
    }
    if let Some(policy) = spec.cache.as_ref().filter(|_| spec.use_cache) {
        entrypoint = entrypoint.cache(cache(policy));
        if let Some(key) = policy.key.clone() {
            let params = [spec.param.clone()];
            entrypoint = entrypoint.cache_key(move |input: &Data| {
                key_of(&key, &params, std::slice::from_ref(&input.0))
            });
        }
    }
    entrypoint
}

/// A task as bodies call it, with its policies; a cache policy only where it has an effect.
pub(crate) fn task_ref(
    world: &World,
    name: &str,
    use_cache: bool,
) -> Option<TaskRef<Arguments, Data>> {
    let spec = world.case.program.tasks.get(name)?;
    let mut task = TaskRef::<Arguments, Data>::named(name).retry(retries(&spec.retry));
    if let Some(ms) = spec.timeout_ms {
        task = task.timeout(Duration::from_millis(ms));
    }
    if let Some(policy) = spec.cache.as_ref().filter(|_| use_cache) {
        task = task.cache(cache(policy));
        if let Some(key) = policy.key.clone() {
            let params = spec.params.clone();
            task = task.cache_key(move |args: &Arguments| key_of(&key, &params, &args.0));
        }
    }
    Some(task)
}

/// What a checkpointer keeps where it is not the session's.
pub(crate) fn history(checkpointer: Checkpointer) -> History {
    match checkpointer {
        Checkpointer::Thread => History::Thread,
        Checkpointer::Off => History::Off,
        Checkpointer::Saver | Checkpointer::Inherit => History::Inherit,
    }
}

pub(crate) fn cache(spec: &CacheSpec) -> Cache {
    spec.ttl_ms.map_or_else(Cache::forever, |ms| Cache::ttl(Duration::from_millis(ms)))
}

/// Counters are no part of keys.
pub(crate) struct NoCounters;

impl ReadCounter for NoCounters {
    fn read(&self, name: &str) -> Result<u64, String> {
        Err(format!("a cache key cannot be made of counter `{name}`"))
    }
}

/// The text of a cache key; what is wrong with it is a key that no other call has.
pub(crate) fn key_of(key: &Expr, params: &[String], args: &[Value]) -> String {
    let variables: Variables =
        params.iter().cloned().zip(args.iter().cloned().map(Held::Value)).collect();
    let eval = Eval { variables: &variables, counters: &NoCounters };
    eval.value(key).map_or_else(|error| error, |key| text(&key))
}

pub(crate) fn retries(specs: &OneOrMany<RetrySpec>) -> Vec<Retry> {
    specs.as_slice().iter().map(retry).collect()
}

fn retry(spec: &RetrySpec) -> Retry {
    let mut retry = Retry::default().jitter(spec.jitter);
    if let Some(attempts) = spec.max_attempts {
        retry = retry.max_attempts(attempts);
    }
    if let Some(ms) = spec.initial_interval_ms {
        retry = retry.initial_interval(Duration::from_millis(ms));
    }
    if let Some(factor) = spec.backoff_factor {
        retry = retry.backoff_factor(factor);
    }
    if let Some(ms) = spec.max_interval_ms {
        retry = retry.max_interval(Duration::from_millis(ms));
    }
    let kinds = spec.retry_on.as_slice();
    retry.on(match kinds {
        [] => RetryOn::Default,
        [one] if one == "default" => RetryOn::Default,
        _ if kinds.iter().any(|kind| kind == "Exception") => RetryOn::Any,
        _ => RetryOn::Kinds(kinds.to_vec()),
    })
}
