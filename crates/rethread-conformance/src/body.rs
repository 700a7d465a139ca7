//! Bodies: interprets the statements of a task or entrypoint inside a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use rethread::client::Failure;
use rethread::{Call, EntrypointRef, Error, Result, emit, interrupt, run_info, sleep};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::case::Case;
use crate::counters::Counters;
use crate::data::{Data, is_true, text};
use crate::errors;
use crate::eval::{Eval, Held, ReadCounter, Variables};
use crate::expr::Expr;
use crate::program::{self, Arguments};
use crate::statement::{Block, Statement};
use crate::store;

/// What the bodies of a case share.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) case: Arc<Case>,
    /// The text that the case was read from.
    pub(crate) source: Arc<str>,
    pub(crate) counters: Counters,
    /// Whether entrypoints may be replayed within a run: then each of their effects on counters
    /// is had once a run.
    pub(crate) is_evicting: bool,
    /// Whether nodes of graphs that only compute run in the coordinator.
    pub(crate) is_inline: bool,
}

/// What ends a body.
#[derive(Debug)]
pub(crate) enum Returned {
    Value(Value),
    /// Of an entrypoint: its value, and what the next run finds as `previous`.
    Final {
        value: Value,
        save: Value,
    },
    /// Of a node: a command or a list of them.
    Command(Value),
}

/// What an entrypoint gives, and what the next run finds as `previous`.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) value: Value,
    pub(crate) save: Value,
}

/// One execution of a body.
pub(crate) struct Body {
    world: World,
    variables: Variables,
    calls: Vec<Handle>,
    is_entrypoint: bool,
    /// Whether cache policies of tasks have an effect.
    cache: bool,
    counting: Counting,
}

/// A call that a body has made. It can be waited for any number of times.
enum Handle {
    Made(Call<Data>),
    Ended(Result<Value, Failure>),
}

/// Counts in the name of a body.
struct Counting {
    counters: Counters,
    /// Prefix of the keys of effects that are had once; empty if each is to be had.
    scope: String,
    effects: AtomicU64,
}

impl Counting {
    fn key(&self) -> String {
        if self.scope.is_empty() {
            return String::new();
        }
        format!("{}/{}", self.scope, self.effects.fetch_add(1, Ordering::Relaxed))
    }

    fn add(&self, name: &str) -> Result<()> {
        self.counters.add(name, &self.key()).map_err(trouble)
    }
}

impl ReadCounter for Counting {
    fn read(&self, name: &str) -> Result<u64, String> {
        self.counters.read(name, &self.key())
    }
}

/// The error of a program that the language does not define, or of the test itself.
pub(crate) fn trouble(message: String) -> Error {
    Error::new("BrokenTest", message).retryable(false)
}

/// Runs the body of a task.
pub(crate) async fn task(world: World, name: &str, args: Vec<Value>) -> Result<Data> {
    let case = Arc::clone(&world.case);
    let Some(spec) = case.program.tasks.get(name) else {
        return Err(trouble(format!("no task `{name}`")));
    };
    let mut body = Body::begin(world, name, None)?;
    for (param, value) in spec.params.iter().zip(args) {
        body.set(param, value);
    }
    let returned = body.block(&spec.body).await?;
    Ok(Data(ended(returned)?.value))
}

/// Runs the body of an entrypoint.
pub(crate) async fn entrypoint(world: World, name: &str, input: Value) -> Result<Ended> {
    let case = Arc::clone(&world.case);
    let Some(spec) = case.entrypoint(name) else {
        return Err(trouble(format!("no entrypoint `{name}`")));
    };
    let mut body = Body::begin(world, name, Some(spec.use_cache))?;
    body.set(&spec.param, input);
    body.set("previous", rethread::previous::<Value>()?.unwrap_or_default());
    ended(body.block(&spec.body).await?)
}

fn ended(returned: Option<Returned>) -> Result<Ended> {
    match returned {
        None => Ok(Ended::default()),
        Some(Returned::Value(value)) => Ok(Ended { save: value.clone(), value }),
        Some(Returned::Final { value, save }) => Ok(Ended { value, save }),
        Some(Returned::Command(_)) => Err(trouble("only nodes give commands".into())),
    }
}

impl Body {
    /// Counts the start of a body and gives it the variables that each body has. The last
    /// argument is told for entrypoints only: whether cache policies have an effect.
    ///
    /// # Errors
    /// Outside of a run.
    pub(crate) fn begin(world: World, name: &str, entrypoint: Option<bool>) -> Result<Self> {
        let info = run_info()?;
        let scope = match entrypoint {
            Some(_) if world.is_evicting => {
                let key = rethread::idempotency_key()?;
                format!("{}/{key}/{}", info.run, info.attempt)
            }
            _ => String::new(),
        };
        let counters = world.counters.clone();
        let counting = Counting { counters, scope, effects: AtomicU64::default() };
        counting.add(name)?;
        let program = &world.case.program;
        let any = program.entrypoints.0.iter().any(|(_, spec)| spec.use_cache);
        let cache = entrypoint.unwrap_or(any || !program.graphs.0.is_empty());
        let mut body =
            Self { is_entrypoint: entrypoint.is_some(), cache, ..Self::new(world, counting) };
        body.set("attempt", Value::from(info.attempt));
        body.set("thread", Value::from(info.thread.as_str()));
        body.set("context", rethread::context::<Value>()?.unwrap_or_default());
        Ok(body)
    }

    /// The body of a path: it counts for nothing, and may be asked for outside of runs.
    pub(crate) fn of_path(world: World) -> Self {
        let (counters, effects) = (world.counters.clone(), AtomicU64::default());
        let mut body = Self::new(world, Counting { counters, scope: String::new(), effects });
        let info = run_info().ok();
        body.set("attempt", Value::from(1));
        body.set("thread", info.map(|info| Value::from(info.thread.as_str())).unwrap_or_default());
        let context = rethread::context::<Value>();
        body.set("context", context.ok().flatten().unwrap_or_default());
        body
    }

    fn new(world: World, counting: Counting) -> Self {
        let (variables, calls) = (Variables::new(), Vec::new());
        Self { world, variables, calls, is_entrypoint: false, cache: false, counting }
    }

    pub(crate) fn set(&mut self, name: &str, value: Value) {
        self.variables.insert(name.to_owned(), Held::Value(value));
    }

    fn put(&mut self, to: Option<&String>, value: Value) {
        if let Some(name) = to {
            self.set(name, value);
        }
    }

    pub(crate) fn eval(&self, expr: &Expr) -> Result<Value> {
        let eval = Eval { variables: &self.variables, counters: &self.counting };
        eval.value(expr).map_err(trouble)
    }

    fn call(&mut self, task: &str, args: &[Expr]) -> Result<usize> {
        let eval = Eval { variables: &self.variables, counters: &self.counting };
        let args = eval.all(args).map_err(trouble)?;
        let Some(task) = program::task_ref(&self.world, task, self.cache) else {
            return Err(trouble(format!("no task `{task}`")));
        };
        self.calls.push(Handle::Made(task.call(Arguments(args))));
        Ok(self.calls.len() - 1)
    }

    async fn wait(&mut self, call: usize) -> Result<Value> {
        let Some(handle) = self.calls.get_mut(call) else {
            return Err(trouble("no such call".into()));
        };
        if let Handle::Made(call) = handle {
            let ended = call.await.map(|data| data.0).map_err(Error::into_failure);
            *handle = Handle::Ended(ended);
        }
        match handle {
            Handle::Ended(Ok(value)) => Ok(value.clone()),
            Handle::Ended(Err(failure)) => Err(Error::from_failure(failure.clone())),
            Handle::Made(_) => Err(trouble("a call did not end".into())),
        }
    }

    /// Runs statements; gives what ended the body, if one of them did.
    pub(crate) fn block<'a>(
        &'a mut self,
        block: &'a Block,
    ) -> BoxFuture<'a, Result<Option<Returned>>> {
        Box::pin(async move {
            for statement in block {
                if let Some(returned) = self.statement(statement).await? {
                    return Ok(Some(returned));
                }
            }
            Ok(None)
        })
    }

    async fn statement(&mut self, statement: &Statement) -> Result<Option<Returned>> {
        match statement {
            Statement::Let(s) => {
                let value = self.eval(&s.be)?;
                self.set(&s.name, value);
            }
            Statement::Do(s) => {
                let call = self.call(&s.task, &s.args)?;
                let value = self.wait(call).await?;
                self.put(s.to.as_ref(), value);
            }
            Statement::Spawn(s) => {
                let call = self.call(&s.task, &s.args)?;
                if let Some(name) = &s.push {
                    self.push(name, call);
                }
                if let Some(name) = &s.to {
                    self.variables.insert(name.clone(), Held::Call(call));
                }
            }
            Statement::Await(s) => {
                let value = match self.variables.get(&s.future).cloned() {
                    Some(Held::Call(call)) => self.wait(call).await?,
                    Some(Held::Calls(calls)) => {
                        let mut values = Vec::with_capacity(calls.len());
                        for call in calls {
                            values.push(self.wait(call).await?);
                        }
                        Value::Array(values)
                    }
                    Some(Held::Value(Value::Array(items))) if items.is_empty() => json!([]),
                    // The recorded traces have this error for a list that nothing was pushed to.
                    None => return Err(Error::new("KeyError", &s.future)),
                    Some(_) => return Err(trouble(format!("`{}` is no future", s.future))),
                };
                self.put(s.to.as_ref(), value);
            }
            Statement::Sub(s) => {
                let input = Data(self.eval(&s.input)?);
                let child = EntrypointRef::<Data, Data>::named(&s.entrypoint);
                let value = child.call(input).await?.0;
                self.put(s.to.as_ref(), value);
            }
            Statement::Interrupt(s) => {
                let answer: Data = interrupt(Data(self.eval(&s.value)?)).await?;
                self.put(s.to.as_ref(), answer.0);
            }
            Statement::Write(s) => emit(Data(self.eval(&s.value)?))?,
            Statement::If(s) => {
                let is_met = is_true(&self.eval(&s.condition)?);
                return self.block(if is_met { &s.then } else { &s.otherwise }).await;
            }
            Statement::For(s) => {
                let Value::Array(items) = self.eval(&s.items)? else {
                    return Err(trouble("`for` needs a list".into()));
                };
                for item in items {
                    self.set(&s.name, item);
                    if let Some(returned) = self.block(&s.body).await? {
                        return Ok(Some(returned));
                    }
                }
            }
            Statement::While(s) => {
                while is_true(&self.eval(&s.condition)?) {
                    if let Some(returned) = self.block(&s.body).await? {
                        return Ok(Some(returned));
                    }
                }
            }
            Statement::Raise(s) => {
                let message = s.message.as_ref().map(|message| self.eval(message)).transpose()?;
                let message = message.as_ref().map(text).unwrap_or_default();
                return Err(Error::new(&s.kind, message));
            }
            Statement::Try(s) => match self.block(&s.block).await {
                Err(error) => {
                    if let Some(name) = &s.error {
                        self.set(name, errors::raised(error.kind(), error.message()));
                    }
                    return self.block(&s.catch).await;
                }
                returned => return returned,
            },
            Statement::SleepMs(s) => self.sleep(Duration::from_millis(s.ms)).await?,
            Statement::Count(s) => self.counting.add(&s.counter)?,
            Statement::Return(s) => {
                return Ok(Some(Returned::Value(self.eval(&s.value)?)));
            }
            Statement::Final(s) => {
                let [value, save] = &s.parts;
                let (value, save) = (self.eval(value)?, self.eval(save)?);
                return Ok(Some(Returned::Final { value, save }));
            }
            Statement::Command(s) => {
                return Ok(Some(Returned::Command(self.eval(&s.command)?)));
            }
            Statement::Put(s) => {
                let (namespace, key, value) = read(self.eval(&s.put)?)?;
                store::put(&rethread::store()?, namespace, key, &value).await?;
            }
            Statement::Delete(s) => {
                let (namespace, key) = read::<(Vec<String>, String)>(self.eval(&s.delete)?)?;
                rethread::store()?.delete(namespace, key).await?;
            }
            Statement::Get(s) => {
                let (namespace, key) = read(self.eval(&s.get)?)?;
                let value = store::get(&rethread::store()?, namespace, key).await?;
                self.put(s.to.as_ref(), value);
            }
            Statement::Search(s) => {
                let prefix = read(self.eval(&s.search)?)?;
                let filter = s.filter.as_ref().map(|filter| self.eval(filter)).transpose()?;
                let found = store::search(&rethread::store()?, prefix, filter.as_ref()).await?;
                self.put(s.to.as_ref(), found);
            }
            Statement::Namespaces(s) => {
                let query = read(self.eval(&s.namespaces)?)?;
                let found = store::namespaces(&rethread::store()?, query).await?;
                self.put(s.to.as_ref(), found);
            }
        }
        Ok(None)
    }

    fn push(&mut self, name: &str, call: usize) {
        let mut calls = match self.variables.remove(name) {
            Some(Held::Calls(calls)) => calls,
            _ => Vec::new(),
        };
        calls.push(call);
        self.variables.insert(name.to_owned(), Held::Calls(calls));
    }

    /// An entrypoint has the engine wait; a task holds its place while it does.
    async fn sleep(&self, duration: Duration) -> Result<()> {
        if self.is_entrypoint {
            return sleep(duration).await;
        }
        tokio::time::sleep(duration).await;
        Ok(())
    }
}

/// What a statement of the store was given, in its form.
fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| trouble(error.to_string()))
}
