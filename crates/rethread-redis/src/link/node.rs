//! Connections to one server: one for all commands that answer at once, and others for what may
//! wait.
//!
//! A connection that fails is dropped, never repaired; the next command makes a new one. While
//! the server cannot be reached, commands fail at once with the reason of the last attempt, and
//! attempts are spaced out. Nothing is sent twice, except reads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, Pipeline, PushInfo, PushKind, RedisError,
    Value, cmd,
};
use rethread_storage::{Result, StorageError};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::address::Settings;
use crate::error::{Effect, is_cut, malformed, refused, unanswered, unreachable};
use crate::reply;
use crate::server::Server;

const ATTEMPT_DELAY_MIN: Duration = Duration::from_millis(20);
const ATTEMPT_DELAY_MAX: Duration = Duration::from_secs(1);
const PIPELINE_BUFFER: usize = 4096;
const IDLE_WAITERS_MAX: usize = 16;
/// Most writes that wait for replicas at the same time, each on a connection of its own.
const CONFIRMATIONS_MAX: usize = 16;

/// One server.
#[derive(Debug)]
pub(super) struct Node {
    client: Client,
    address: String,
    connect_timeout: Duration,
    response_timeout: Duration,
    // A replica of a cluster sends commands on to its primary; any other must not be used.
    may_be_replica: bool,
    live: Mutex<Option<Live>>,
    idle_waiters: Mutex<Vec<Live>>,
    // A write that waits for replicas holds one of these; the others stand in line.
    confirmations: Semaphore,
    // Held while a connection is made, so that there is one attempt at a time.
    attempts: tokio::sync::Mutex<Attempts>,
}

#[derive(Debug, Default)]
struct Attempts {
    delay: Duration,
    failed: Option<(Instant, StorageError)>,
    // What the server was when it was last connected to.
    met: Option<Server>,
}

#[derive(Debug, Clone)]
struct Live {
    connection: MultiplexedConnection,
    lost: Arc<AtomicBool>,
}

impl Live {
    fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    fn note(&self, error: &RedisError) {
        // After a timeout too: a connection that no longer answers is not worth keeping.
        if error.is_io_error() || error.is_unrecoverable_error() {
            self.lost.store(true, Ordering::Release);
        }
    }
}

impl Node {
    /// Prepares a way to the server; connects with the first command.
    pub(super) fn new(info: ConnectionInfo, settings: &Settings) -> Result<Self> {
        let address = info.addr().to_string();
        Ok(Self::with(settings.client(info)?, address, settings))
    }

    /// The same for a node of a cluster.
    pub(super) fn of_cluster(info: ConnectionInfo, settings: &Settings) -> Result<Self> {
        Ok(Self { may_be_replica: true, ..Self::new(info, settings)? })
    }

    fn with(client: Client, address: String, settings: &Settings) -> Self {
        Self {
            client,
            address,
            connect_timeout: settings.connect_timeout,
            response_timeout: settings.response_timeout,
            may_be_replica: false,
            live: Mutex::new(None),
            idle_waiters: Mutex::new(Vec::new()),
            confirmations: Semaphore::new(CONFIRMATIONS_MAX),
            attempts: tokio::sync::Mutex::default(),
        }
    }

    /// A way to the same server whose connections are its own.
    pub(super) fn another(&self, settings: &Settings) -> Self {
        let other = Self::with(self.client.clone(), self.address.clone(), settings);
        Self { may_be_replica: self.may_be_replica, ..other }
    }

    /// Where the server is, without user and password.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The value, or what the server refused.
    pub(super) fn checked(&self, value: Value) -> Result<Value> {
        match value {
            Value::ServerError(error) => Err(refused(&error, &self.address)),
            value => Ok(value),
        }
    }

    /// Runs one command; the answer may be an error of the server.
    pub(super) async fn send(&self, cmd: &Cmd, effect: Effect) -> Result<Value> {
        let mut first = true;
        loop {
            let mut live = self.live().await?;
            match live.connection.send_packed_command(cmd).await {
                Ok(value) => {
                    self.retire_if_demoted(&live, &value);
                    return Ok(value);
                }
                Err(error) => {
                    live.note(&error);
                    if !(first && effect == Effect::Read && is_cut(&error)) {
                        return Err(unanswered(&error, effect, &self.address));
                    }
                    first = false;
                }
            }
        }
    }

    /// Runs commands in one round trip, each on its own; answers may be errors of the server.
    pub(super) async fn send_all(&self, pipeline: &Pipeline, effect: Effect) -> Result<Vec<Value>> {
        let mut first = true;
        loop {
            let mut live = self.live().await?;
            match live.connection.send_packed_commands(pipeline, 0, pipeline.len()).await {
                Ok(values) => {
                    for value in &values {
                        self.retire_if_demoted(&live, value);
                    }
                    return self.complete(values, pipeline);
                }
                Err(error) => {
                    live.note(&error);
                    if !(first && effect == Effect::Read && is_cut(&error)) {
                        return Err(unanswered(&error, effect, &self.address));
                    }
                    first = false;
                }
            }
        }
    }

    /// The same for commands of which the last may wait for up to `wait`, on a connection that
    /// nobody else uses meanwhile.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection, which ends the wait on the server.
    pub(super) async fn send_waiting(
        &self,
        pipeline: &Pipeline,
        wait: Duration,
        effect: Effect,
    ) -> Result<Vec<Value>> {
        let live = match self.idle_waiter() {
            Some(live) => live,
            None => self.connect(None).await?,
        };
        let mut connection = live.connection.clone();
        let answer = connection.send_packed_commands(pipeline, 0, pipeline.len());
        match timeout(wait + self.response_timeout, answer).await {
            Ok(Ok(values)) => {
                drop(connection);
                for value in &values {
                    self.retire_if_demoted(&live, value);
                }
                self.keep_waiter(live);
                self.complete(values, pipeline)
            }
            Ok(Err(error)) => Err(unanswered(&error, effect, &self.address)),
            Err(_) => {
                let reason = format!("no answer from Redis at {}: timed out", self.address);
                Err(match effect {
                    Effect::Read => StorageError::Unavailable { reason },
                    Effect::Write => StorageError::Unknown { reason },
                })
            }
        }
    }

    /// The same for writes that wait for replicas, of which there are not many at a time.
    ///
    /// # Cancel safety
    /// As above; a write that stands in line was not sent.
    pub(super) async fn send_confirmed(
        &self,
        pipeline: &Pipeline,
        wait: Duration,
    ) -> Result<Vec<Value>> {
        let permit = timeout(wait + self.response_timeout, self.confirmations.acquire()).await;
        let Ok(Ok(_permit)) = permit else {
            return Err(StorageError::Unavailable {
                reason: format!(
                    "the writes before this one still wait for replicas of Redis at {}: see that they are connected, and try again",
                    self.address
                ),
            });
        };
        self.send_waiting(pipeline, wait, Effect::Write).await
    }

    /// Makes a connection of the caller's own, whose pushes go to `pushes`.
    pub(super) async fn subscriber(
        &self,
        pushes: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection> {
        let config = self.config(Some(self.response_timeout)).set_push_sender(
            move |push: PushInfo| -> Result<(), redis::aio::SendError> {
                pushes(push);
                Ok(())
            },
        );
        self.open(&config).await
    }

    fn complete(&self, values: Vec<Value>, pipeline: &Pipeline) -> Result<Vec<Value>> {
        if values.len() == pipeline.len() {
            return Ok(values);
        }
        let reason = format!("{} parts instead of {}", values.len(), pipeline.len());
        Err(malformed(&format!("answer of Redis at {}", self.address), reason))
    }

    /// After a failover the address may lead to another server; this one is of no use.
    fn retire_if_demoted(&self, live: &Live, value: &Value) {
        if let Value::ServerError(error) = value
            && matches!(error.code(), "READONLY" | "MASTERDOWN")
        {
            live.lost.store(true, Ordering::Release);
        }
    }

    async fn live(&self) -> Result<Live> {
        if let Some(live) = self.current() {
            return Ok(live);
        }
        let mut attempts = self.attempts.lock().await;
        if let Some(live) = self.current() {
            return Ok(live);
        }
        if let Some((at, error)) = &attempts.failed
            && at.elapsed() < attempts.delay
        {
            return Err(error.clone());
        }
        match self.meet(attempts.met.as_ref()).await {
            Ok((live, server)) => {
                *attempts = Attempts { met: Some(server), ..Attempts::default() };
                *self.live.lock().unwrap_or_else(PoisonError::into_inner) = Some(live.clone());
                Ok(live)
            }
            Err(error) => {
                attempts.delay = (attempts.delay * 2).clamp(ATTEMPT_DELAY_MIN, ATTEMPT_DELAY_MAX);
                attempts.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Connects, and looks at who answers before anything is trusted to it.
    async fn meet(&self, before: Option<&Server>) -> Result<(Live, Server)> {
        let live = self.connect(Some(self.response_timeout)).await?;
        let mut connection = live.connection.clone();
        let ask = cmd("INFO");
        let answer = connection.send_packed_command(&ask).await;
        let answer = answer.map_err(|error| unanswered(&error, Effect::Read, &self.address))?;
        let server = Server::read(&reply::text(self.checked(answer)?, "INFO of Redis")?);
        if !self.may_be_replica {
            server.check_role(&self.address)?;
        }
        if let Some(change) = before.and_then(|before| server.change_since(before)) {
            tracing::warn!(
                address = self.address,
                change,
                "Redis is not the same as before: owners compare their last commits with it"
            );
        }
        Ok((live, server))
    }

    fn current(&self) -> Option<Live> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.as_ref().filter(|live| !live.is_lost()).cloned()
    }

    fn idle_waiter(&self) -> Option<Live> {
        let mut idle = self.idle_waiters.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|live| !live.is_lost());
        idle.pop()
    }

    fn keep_waiter(&self, live: Live) {
        let mut idle = self.idle_waiters.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_WAITERS_MAX && !live.is_lost() {
            idle.push(live);
        }
    }

    async fn connect(&self, response_timeout: Option<Duration>) -> Result<Live> {
        let lost = Arc::new(AtomicBool::new(false));
        let config = self.config(response_timeout).set_push_sender(note_loss(&lost));
        Ok(Live { connection: self.open(&config).await?, lost })
    }

    fn config(&self, response_timeout: Option<Duration>) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(response_timeout)
            .set_pipeline_buffer_size(PIPELINE_BUFFER)
    }

    async fn open(&self, config: &AsyncConnectionConfig) -> Result<MultiplexedConnection> {
        self.client
            .get_multiplexed_async_connection_with_config(config)
            .await
            .map_err(|error| unreachable(&error, &self.address))
    }
}

/// Learns at once that an idle connection is gone, so that no command is wasted on it.
fn note_loss(lost: &Arc<AtomicBool>) -> impl AsyncPushSender + use<> {
    let lost = Arc::clone(lost);
    move |push: PushInfo| -> Result<(), redis::aio::SendError> {
        if push.kind == PushKind::Disconnection {
            lost.store(true, Ordering::Release);
        }
        Ok(())
    }
}
