//! From a case to an application: each task and entrypoint interprets its body.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use rethread::client::{Payload, PayloadError};
use rethread::{App, Args, Entrypoint, Error, Final, Handler, Result, Retry, RetryOn, Task, TaskRef};
use serde_json::Value;

use crate::body::{self, World};
use crate::case::{OneOrMany, RetrySpec};
use crate::data::Data;

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
    for (name, _) in &world.case.program.entrypoints.0 {
        let (world, body_name) = (world.clone(), name.clone());
        app = app.entrypoint(Entrypoint::new(name, move |input: Data| {
            let (world, name) = (world.clone(), body_name.clone());
            async move {
                let returned = body::entrypoint(world, &name, input.0).await?;
                let save = returned.save.unwrap_or_else(|| returned.value.clone());
                Ok::<_, Error>(Final::new(Data(returned.value), Data(save)))
            }
        }));
    }
    app
}

/// A task as bodies call it, with its policies.
pub(crate) fn task_ref(
    world: &World,
    name: &str,
    _cache: bool,
) -> Option<TaskRef<Arguments, Data>> {
    let spec = world.case.program.tasks.get(name)?;
    let mut task = TaskRef::named(name).retry(retries(&spec.retry));
    if let Some(ms) = spec.timeout_ms {
        task = task.timeout(Duration::from_millis(ms));
    }
    Some(task)
}

fn retries(specs: &OneOrMany<RetrySpec>) -> Vec<Retry> {
    specs.as_slice().iter().map(retry).collect()
}

fn retry(spec: &RetrySpec) -> Retry {
    let mut retry = Retry::default().jitter(spec.jitter);
    if let Some(attempts) = spec.max_attempts {
        retry.max_attempts = attempts;
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
