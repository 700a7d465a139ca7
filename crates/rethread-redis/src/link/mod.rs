//! The way to the server, or to the servers of a cluster.
//!
//! ```text
//!   Link ─┬─ Node                     one server
//!         └─ Cluster ─┬─ Node         by the slot of a command's first key
//!                     └─ Node …
//! ```
//!
//! Nothing is sent twice, except reads, scripts that a server did not know, and commands that a
//! node of a cluster sent elsewhere: in none of these cases did anything happen before.

mod address;
mod cluster;
mod map;
mod node;
mod slot;
mod tail;

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, PushInfo, ServerError, Value};
use rethread_storage::{Result, StorageError};

use self::address::{Entrance, Settings};
use self::cluster::Cluster;
use self::node::Node;
pub(crate) use self::tail::{After, Written};
use crate::error::{Effect, refused};
use crate::options::RedisOptions;
use crate::script::Script;

/// A way to the data.
#[derive(Debug, Clone)]
pub(crate) struct Link(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    way: Way,
    settings: Settings,
    // How many replicas must have a write before it is acknowledged.
    replicas: u16,
}

#[derive(Debug)]
enum Way {
    Single(Box<Node>),
    Cluster(Box<Cluster>),
}

impl Link {
    /// Prepares a way to the servers; connects with the first command.
    pub(crate) fn new(options: &RedisOptions) -> Result<Self> {
        let settings = Settings::new(options)?;
        let way = match address::read(&options.url)? {
            Entrance::Single(info) => Way::Single(Box::new(Node::new(*info, &settings)?)),
            Entrance::Cluster(seeds) => Way::Cluster(Box::new(Cluster::new(seeds, &settings)?)),
        };
        Ok(Self(Arc::new(Inner { way, settings, replicas: options.replicas })))
    }

    /// A way to the same servers whose connections are its own.
    pub(crate) fn another(&self) -> Self {
        let settings = self.0.settings.clone();
        let way = match &self.0.way {
            Way::Single(node) => Way::Single(Box::new(node.another(&settings))),
            Way::Cluster(cluster) => Way::Cluster(Box::new(cluster.another(&settings))),
        };
        Self(Arc::new(Inner { way, settings, replicas: self.0.replicas }))
    }

    /// Where the servers are, without user and password.
    pub(crate) fn address(&self) -> &str {
        match &self.0.way {
            Way::Single(node) => node.address(),
            Way::Cluster(cluster) => cluster.address(),
        }
    }

    pub(crate) fn response_timeout(&self) -> Duration {
        self.0.settings.response_timeout
    }

    /// Whether keys are spread over servers, so that one command reaches those of one slot only.
    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.0.way, Way::Cluster(_))
    }

    /// Runs one command.
    pub(crate) async fn run(&self, cmd: &Cmd, effect: Effect) -> Result<Value> {
        let value = match &self.0.way {
            Way::Single(node) => node.send(cmd, effect).await?,
            Way::Cluster(cluster) => cluster.run(slot::key_of(cmd), cmd, effect).await?,
        };
        self.checked(value)
    }

    /// Runs one command that names no key where this key is.
    pub(crate) async fn run_near(&self, key: &str, cmd: &Cmd, effect: Effect) -> Result<Value> {
        let value = match &self.0.way {
            Way::Single(node) => node.send(cmd, effect).await?,
            Way::Cluster(cluster) => cluster.run(Some(key.as_bytes()), cmd, effect).await?,
        };
        self.checked(value)
    }

    /// Runs commands in one round trip, each on its own.
    ///
    /// The answers may be errors of the server; the caller looks at them.
    pub(crate) async fn run_all(&self, cmds: Vec<Cmd>, effect: Effect) -> Result<Vec<Value>> {
        let answers = self.batch(None, cmds, effect, After::NOTHING).await?;
        answers.into_iter().map(|answer| Ok(answer?.value)).collect()
    }

    /// Runs the same reads on every server that has keys; the answers of each server.
    pub(crate) async fn read_everywhere(&self, cmds: Vec<Cmd>) -> Result<Vec<Vec<Value>>> {
        let cmds = pipeline(cmds);
        match &self.0.way {
            Way::Single(node) => Ok(vec![node.send_all(&cmds, Effect::Read).await?]),
            Way::Cluster(cluster) => {
                let mut answers = Vec::new();
                for node in cluster.nodes().await? {
                    answers.push(node.send_all(&cmds, Effect::Read).await?);
                }
                Ok(answers)
            }
        }
    }

    /// Runs one script.
    pub(crate) async fn eval(&self, script: &Script, call: &Cmd, effect: Effect) -> Result<Value> {
        if let Way::Single(node) = &self.0.way {
            let value = node.send(call, effect).await?;
            if !is_unknown_script(&value) {
                return self.checked(value);
            }
        }
        let calls = vec![call.clone()];
        let mut answers = self.batch(Some(script), calls, effect, After::NOTHING).await?;
        self.checked(answers.pop().ok_or_else(no_answer)??.value)
    }

    /// Runs one script that writes, and what follows it.
    pub(crate) async fn write(
        &self,
        script: &Script,
        call: &Cmd,
        after: After<'_>,
    ) -> Result<Written> {
        if !after.is_something(self) {
            let value = self.eval(script, call, Effect::Write).await?;
            return Ok(Written::kept(value));
        }
        let calls = vec![call.clone()];
        let mut answers = self.batch(Some(script), calls, Effect::Write, after).await?;
        self.checked_write(answers.pop().ok_or_else(no_answer)?)
    }

    /// Runs calls of one script that writes in one round trip, each on its own.
    pub(crate) async fn write_all(
        &self,
        script: &Script,
        calls: Vec<Cmd>,
        after: After<'_>,
    ) -> Result<Vec<Result<Written>>> {
        let answers = self.batch(Some(script), calls, Effect::Write, after).await?;
        Ok(answers.into_iter().map(|answer| self.checked_write(answer)).collect())
    }

    /// Runs a read that may wait for up to `wait`, on a connection of its own.
    ///
    /// The answer may be an error of the server; the caller looks at it.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection, which ends the wait on the server.
    pub(crate) async fn wait(&self, cmd: Cmd, wait: Duration) -> Result<Value> {
        let mut values = match &self.0.way {
            Way::Single(node) => {
                node.send_waiting(&pipeline(vec![cmd]), wait, Effect::Read).await?
            }
            Way::Cluster(cluster) => {
                let node = cluster.node_of(slot::key_of(&cmd)).await?;
                node.send_waiting(&pipeline(vec![cmd]), wait, Effect::Read).await?
            }
        };
        values.pop().ok_or_else(no_answer)
    }

    /// Makes a connection of the caller's own, whose pushes go to `pushes`. What is published on
    /// any server reaches it; where this channel is published, before the publisher is answered.
    pub(crate) async fn subscriber(
        &self,
        near: &str,
        pushes: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection> {
        match &self.0.way {
            Way::Single(node) => node.subscriber(pushes).await,
            Way::Cluster(cluster) => {
                let node = cluster.node_that_answers(near.as_bytes()).await?;
                node.subscriber(pushes).await
            }
        }
    }

    /// The value, or what the server refused.
    pub(crate) fn checked(&self, value: Value) -> Result<Value> {
        match value {
            Value::ServerError(error) => Err(refused(&error, self.address())),
            value => Ok(value),
        }
    }

    fn checked_write(&self, answer: Result<Written>) -> Result<Written> {
        let Written { value, kept } = answer?;
        Ok(Written { value: self.checked(value)?, kept })
    }

    async fn batch(
        &self,
        script: Option<&Script>,
        cmds: Vec<Cmd>,
        effect: Effect,
        after: After<'_>,
    ) -> Result<Vec<Result<Written>>> {
        if cmds.is_empty() {
            return Ok(Vec::new());
        }
        let tail = after.tail(self);
        match &self.0.way {
            Way::Single(node) => {
                let written = tail::send(node, script, cmds, effect, &tail).await?;
                Ok(written.into_iter().map(Ok).collect())
            }
            Way::Cluster(cluster) => Ok(cluster.batch(script, cmds, effect, &tail).await),
        }
    }
}

fn pipeline(cmds: Vec<Cmd>) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(cmds.len());
    for cmd in cmds {
        pipeline.add_command(cmd);
    }
    pipeline
}

fn no_answer() -> StorageError {
    crate::error::malformed("answer of Redis", "it is missing")
}

fn is_unknown_script(value: &Value) -> bool {
    is_refused_with(value, "NOSCRIPT")
}

/// Whether the server refused with this code.
pub(crate) fn is_refused_with(value: &Value, code: &str) -> bool {
    matches!(value, Value::ServerError(error) if ServerError::code(error) == code)
}
