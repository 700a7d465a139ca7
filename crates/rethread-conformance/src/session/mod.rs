//! Sessions: does the operations of a case in order and notes what is observed.

mod drawing;
mod run;
mod state;
mod store;
mod trace;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rethread::client::{ClientError, InterruptId, OpenInterrupt};
use rethread::{Client, Thread};
use serde_json::{Value, json};

use crate::body::World;
use crate::case::{Checkpointer, Object};
use crate::counters::Totals;
use crate::errors;
use crate::graph::{BuiltGraph, Graphs};
use crate::operation::{Action, Common, Operation};

/// Longest time that one operation may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why an operation gave no observation.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It gave this error.
    Error(Value),
    /// The case uses what is not implemented.
    NotImplemented(String),
    /// The engine under test, or the case, is in trouble.
    Trouble(String),
}

/// What came of an operation.
type Observed = Result<Object, Stop>;

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        errors::of_client(&error).map_or_else(Self::Trouble, Self::Error)
    }
}

impl Stop {
    /// An error of the engine, told by the session itself.
    fn engine(kind: &str) -> Self {
        Self::Error(errors::engine(kind))
    }
}

/// A question that was reported.
#[derive(Debug, Clone)]
struct Reported {
    id: InterruptId,
    value: Value,
}

/// A session on an engine that is running.
pub(crate) struct Session<'a> {
    world: &'a World,
    client: Client,
    graphs: Graphs,
    /// The questions that were reported last, by thread.
    last: HashMap<String, Vec<Reported>>,
    /// All that were ever reported, by thread.
    seen: HashMap<String, Vec<Reported>>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(world: &'a World, client: Client) -> Self {
        let graphs = Graphs::of(world);
        Self { world, client, graphs, last: HashMap::new(), seen: HashMap::new() }
    }

    /// Does all operations; gives the trace.
    ///
    /// # Errors
    /// The first operation that is in trouble or not implemented.
    pub(crate) async fn run(mut self) -> Result<Value, Stop> {
        let case = &self.world.case;
        let mut ops = Vec::with_capacity(case.session.len());
        for (place, operation) in case.session.iter().enumerate() {
            let named = |text: String| format!("op {place} ({}): {text}", operation.action.name());
            ops.push(match self.operation(operation).await {
                Ok(observed) => Value::Object(observed),
                Err(Stop::Trouble(text)) => return Err(Stop::Trouble(named(text))),
                Err(stop) => return Err(stop),
            });
        }
        Ok(json!({ "dsl": 1, "name": case.name, "ops": ops }))
    }

    async fn operation(&mut self, operation: &Operation) -> Observed {
        let counts = self.world.counters.totals();
        let began = Instant::now();
        let done = tokio::time::timeout(PATIENCE, self.act(operation)).await;
        let spent = began.elapsed();
        let waited = || Stop::Trouble(format!("did not end within {} s", PATIENCE.as_secs()));
        let mut observed = match done.map_err(|_| waited())? {
            Ok(observed) => observed,
            Err(Stop::Error(error)) => object(json!({ "error": error })),
            Err(stop) => return Err(stop),
        };
        observed.insert("op".into(), operation.action.name().into());
        if let Some([least, most]) = operation.common.between_ms {
            let spent = spent.as_millis();
            let in_time = (u128::from(least)..=u128::from(most)).contains(&spent);
            observed.insert("in_time".into(), in_time.into());
        }
        let counts = growth(&counts, &self.world.counters.totals());
        if !counts.is_empty() {
            observed.insert("counts".into(), Value::Object(counts));
        }
        if let Some(loose) = &operation.common.loose {
            observed.insert("loose".into(), json!(loose));
        }
        Ok(observed)
    }

    async fn act(&mut self, operation: &Operation) -> Observed {
        let common = &operation.common;
        if let Some(Err(_)) = self.graphs.get(self.entry(common)) {
            return Err(Stop::engine("InvalidGraph"));
        }
        match &operation.action {
            Action::Invoke(input) => self.invoke(common, input).await,
            Action::Stream { input, modes, subgraphs } => {
                self.stream(common, input, modes, *subgraphs).await
            }
            Action::State { subgraphs } => self.state(common, *subgraphs).await,
            Action::History { limit, filter, before } => {
                self.history(common, *limit, filter.as_ref(), before.as_ref()).await
            }
            Action::Update { values, node, steps: None } => {
                self.update(common, values, node.as_deref()).await
            }
            Action::Update { steps: Some(steps), .. } => self.update_steps(common, steps).await,
            Action::Compile => Ok(Object::new()),
            Action::Draw { form, xray } => self.draw(common, *form, *xray),
            Action::Store(action) => self.store(action).await,
            Action::ClearCache { task } => self.clear_cache(common, task.as_deref()).await,
            Action::DeleteThread => self.delete_thread(common).await,
            Action::CallTask { task, args } => self.call_task(task, args).await,
            Action::Wait { ms } => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                Ok(Object::new())
            }
        }
    }

    /// The entrypoint that an operation works on.
    fn entry<'b>(&'b self, common: &'b Common) -> &'b str {
        common.entry.as_deref().unwrap_or(self.world.case.main())
    }

    /// The graph that an operation works on, if it is one.
    fn graph(&self, common: &Common) -> Option<&BuiltGraph> {
        self.graphs.get(self.entry(common))?.ok()
    }

    /// Whether the runs of an operation are kept.
    fn is_kept(&self, common: &Common) -> bool {
        self.world.case.checkpointer(self.entry(common)) == Checkpointer::Saver
    }

    /// The thread of an operation.
    fn thread(&self, common: &Common) -> Result<Thread, Stop> {
        Ok(self.client.thread(common.thread.as_deref().unwrap_or_default())?)
    }

    /// The same, for what is only to be had of runs that are kept.
    fn kept_thread(&self, common: &Common) -> Result<Thread, Stop> {
        if self.is_kept(common) { self.thread(common) } else { Err(Stop::engine("NoCheckpointer")) }
    }

    /// Remembers questions, so that later operations can name them.
    fn report(&mut self, common: &Common, open: &[OpenInterrupt]) -> Result<(), Stop> {
        if open.is_empty() {
            return Ok(());
        }
        let thread = common.thread.clone().unwrap_or_default();
        let reported = open.iter().map(|open| {
            let value = open.value.to_json()?;
            Ok(Reported { id: open.id, value })
        });
        let reported = reported.collect::<Result<Vec<_>, ClientError>>()?;
        self.seen.entry(thread.clone()).or_default().extend(reported.clone());
        self.last.insert(thread, reported);
        Ok(())
    }

    async fn call_task(&self, task: &str, args: &[Value]) -> Observed {
        let Some(task) = crate::program::task_ref(self.world, task, false) else {
            return Err(Stop::Trouble(format!("no task `{task}`")));
        };
        match task.call(crate::program::Arguments(args.to_vec())).await {
            Ok(result) => Ok(object(json!({ "result": result.0 }))),
            Err(error) => Err(Stop::Error(errors::raised(error.kind(), error.message()))),
        }
    }
}

fn growth(before: &Totals, after: &Totals) -> Object {
    let grown = after.iter().filter_map(|(name, total)| {
        let grown = total - before.get(name).copied().unwrap_or_default();
        (grown > 0).then(|| (name.clone(), Value::from(grown)))
    });
    grown.collect()
}

/// The entries of an object.
fn object(value: Value) -> Object {
    match value {
        Value::Object(entries) => entries,
        _ => Object::new(),
    }
}
