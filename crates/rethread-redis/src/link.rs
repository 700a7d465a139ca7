//! Connections: one for all commands that answer at once, and one for each waiting read.
//!
//! A connection that fails is dropped, never repaired; the next command makes a new one. While
//! the server cannot be reached, commands fail at once with the reason of the last attempt, and
//! attempts are spaced out. Nothing is sent twice, except reads and scripts that the server did
//! not know.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, IntoConnectionInfo, Pipeline, ProtocolVersion, PushInfo,
    PushKind, RedisError, ServerError, Value,
};
use rethread_storage::{Result, StorageError};
use tokio::time::{Instant, timeout};

use crate::error::{Effect, refused, unanswered, unreachable};
use crate::options::RedisOptions;
use crate::script::Script;

const ATTEMPT_DELAY_MIN: Duration = Duration::from_millis(20);
const ATTEMPT_DELAY_MAX: Duration = Duration::from_secs(1);
const PIPELINE_BUFFER: usize = 4096;
const IDLE_WAITERS_MAX: usize = 8;

/// A way to one server.
#[derive(Debug, Clone)]
pub(crate) struct Link(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    address: String,
    connect_timeout: Duration,
    response_timeout: Duration,
    live: Mutex<Option<Live>>,
    idle_waiters: Mutex<Vec<Live>>,
    // Held while a connection is made, so that there is one attempt at a time.
    attempts: tokio::sync::Mutex<Attempts>,
}

#[derive(Debug, Default)]
struct Attempts {
    delay: Duration,
    failed: Option<(Instant, StorageError)>,
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

impl Link {
    /// Prepares a way to the server; connects with the first command.
    pub(crate) fn new(options: &RedisOptions) -> Result<Self> {
        // The error would show the url, and with it the password.
        let info = options.url.as_str().into_connection_info().map_err(|error| {
            StorageError::Config {
                reason: format!(
                    "cannot read the url of Redis: expected redis://[user:password@]host[:port][/db] or redis+unix:///path ({})",
                    error.category()
                ),
            }
        })?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = info
            .set_redis_settings(settings)
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let address = info.addr().to_string();
        let client = Client::open(info).map_err(|error| unreachable(&error, &address))?;
        Ok(Self(Arc::new(Inner {
            client,
            address,
            connect_timeout: options.connect_timeout,
            response_timeout: options.response_timeout,
            live: Mutex::new(None),
            idle_waiters: Mutex::new(Vec::new()),
            attempts: tokio::sync::Mutex::default(),
        })))
    }

    /// A way to the same server whose connections are its own.
    pub(crate) fn another(&self) -> Self {
        Self(Arc::new(Inner {
            client: self.0.client.clone(),
            address: self.0.address.clone(),
            connect_timeout: self.0.connect_timeout,
            response_timeout: self.0.response_timeout,
            live: Mutex::new(None),
            idle_waiters: Mutex::new(Vec::new()),
            attempts: tokio::sync::Mutex::default(),
        }))
    }

    /// Where the server is, without user and password.
    pub(crate) fn address(&self) -> &str {
        &self.0.address
    }

    pub(crate) fn response_timeout(&self) -> Duration {
        self.0.response_timeout
    }

    /// Runs one command.
    pub(crate) async fn run(&self, cmd: &Cmd, effect: Effect) -> Result<Value> {
        let value = self.send(cmd, effect).await?;
        self.checked(value)
    }

    /// Runs one script.
    pub(crate) async fn eval(&self, script: &Script, call: &Cmd, effect: Effect) -> Result<Value> {
        let value = self.send(call, effect).await?;
        if !is_unknown_script(&value) {
            return self.checked(value);
        }
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.add_command(script.load()).add_command(call.clone());
        let answer = self.send_all(&pipeline, effect).await?.pop().unwrap_or_default();
        self.checked(answer)
    }

    /// Runs calls of one script in one round trip, each on its own.
    pub(crate) async fn eval_all(
        &self,
        script: &Script,
        calls: Vec<Cmd>,
        effect: Effect,
    ) -> Result<Vec<Result<Value>>> {
        if let [call] = calls.as_slice() {
            return Ok(vec![self.eval(script, call, effect).await]);
        }
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let calls = pipeline(calls);
        let mut values = self.send_all(&calls, effect).await?;
        let unknown: Vec<usize> =
            (0..values.len()).filter(|index| is_unknown_script(&values[*index])).collect();
        if !unknown.is_empty() {
            let mut again = Pipeline::with_capacity(unknown.len() + 1);
            again.add_command(script.load());
            for (_, call) in calls.cmd_iter().enumerate().filter(|(i, _)| unknown.contains(i)) {
                again.add_command(call.clone());
            }
            let answers = self.send_all(&again, effect).await?;
            for (index, answer) in unknown.into_iter().zip(answers.into_iter().skip(1)) {
                values[index] = answer;
            }
        }
        Ok(values.into_iter().map(|value| self.checked(value)).collect())
    }

    /// Runs commands in one round trip, each on its own.
    ///
    /// The answers may be errors of the server; the caller looks at them.
    pub(crate) async fn run_all(&self, cmds: Vec<Cmd>, effect: Effect) -> Result<Vec<Value>> {
        if cmds.is_empty() {
            return Ok(Vec::new());
        }
        self.send_all(&pipeline(cmds), effect).await
    }

    /// Runs a command that may wait for up to `wait`, on a connection of its own.
    ///
    /// The answer may be an error of the server; the caller looks at it.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection, which ends the wait on the server.
    pub(crate) async fn wait(&self, cmd: &Cmd, wait: Duration) -> Result<Value> {
        let live = match self.idle_waiter() {
            Some(live) => live,
            None => self.connect(None).await?,
        };
        let mut connection = live.connection.clone();
        let answer = timeout(wait + self.0.response_timeout, connection.send_packed_command(cmd));
        match answer.await {
            Ok(Ok(value)) => {
                drop(connection);
                self.keep_waiter(live);
                Ok(value)
            }
            Ok(Err(error)) => Err(unanswered(&error, Effect::Read, self.address())),
            Err(_) => Err(StorageError::Unavailable {
                reason: format!("no answer from Redis at {}: timed out", self.address()),
            }),
        }
    }

    /// Makes a connection of the caller's own, whose pushes go to `pushes`.
    pub(crate) async fn subscriber(
        &self,
        pushes: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection> {
        let config = self.config(Some(self.0.response_timeout)).set_push_sender(
            move |push: PushInfo| -> Result<(), redis::aio::SendError> {
                pushes(push);
                Ok(())
            },
        );
        self.open(&config).await
    }

    /// The value, or what the server refused.
    pub(crate) fn checked(&self, value: Value) -> Result<Value> {
        match value {
            Value::ServerError(error) => Err(refused(&error, self.address())),
            value => Ok(value),
        }
    }

    async fn send(&self, cmd: &Cmd, effect: Effect) -> Result<Value> {
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
                    if !(first && effect == Effect::Read && error.is_connection_dropped()) {
                        return Err(unanswered(&error, effect, self.address()));
                    }
                    first = false;
                }
            }
        }
    }

    async fn send_all(&self, pipeline: &Pipeline, effect: Effect) -> Result<Vec<Value>> {
        let mut first = true;
        loop {
            let mut live = self.live().await?;
            match live.connection.send_packed_commands(pipeline, 0, pipeline.len()).await {
                Ok(values) if values.len() == pipeline.len() => {
                    for value in &values {
                        self.retire_if_demoted(&live, value);
                    }
                    return Ok(values);
                }
                Ok(values) => {
                    return Err(crate::error::malformed(
                        "answer of Redis",
                        format!("{} parts instead of {}", values.len(), pipeline.len()),
                    ));
                }
                Err(error) => {
                    live.note(&error);
                    if !(first && effect == Effect::Read && error.is_connection_dropped()) {
                        return Err(unanswered(&error, effect, self.address()));
                    }
                    first = false;
                }
            }
        }
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
        let mut attempts = self.0.attempts.lock().await;
        if let Some(live) = self.current() {
            return Ok(live);
        }
        if let Some((at, error)) = &attempts.failed
            && at.elapsed() < attempts.delay
        {
            return Err(error.clone());
        }
        match self.connect(Some(self.0.response_timeout)).await {
            Ok(live) => {
                *attempts = Attempts::default();
                *self.0.live.lock().unwrap_or_else(PoisonError::into_inner) = Some(live.clone());
                Ok(live)
            }
            Err(error) => {
                attempts.delay = (attempts.delay * 2).clamp(ATTEMPT_DELAY_MIN, ATTEMPT_DELAY_MAX);
                attempts.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn current(&self) -> Option<Live> {
        let live = self.0.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.as_ref().filter(|live| !live.is_lost()).cloned()
    }

    fn idle_waiter(&self) -> Option<Live> {
        let mut idle = self.0.idle_waiters.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|live| !live.is_lost());
        idle.pop()
    }

    fn keep_waiter(&self, live: Live) {
        let mut idle = self.0.idle_waiters.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_WAITERS_MAX {
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
            .set_connection_timeout(Some(self.0.connect_timeout))
            .set_response_timeout(response_timeout)
            .set_pipeline_buffer_size(PIPELINE_BUFFER)
    }

    async fn open(&self, config: &AsyncConnectionConfig) -> Result<MultiplexedConnection> {
        self.0
            .client
            .get_multiplexed_async_connection_with_config(config)
            .await
            .map_err(|error| unreachable(&error, self.address()))
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

fn pipeline(cmds: Vec<Cmd>) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(cmds.len());
    for cmd in cmds {
        pipeline.add_command(cmd);
    }
    pipeline
}

fn is_unknown_script(value: &Value) -> bool {
    is_refused_with(value, "NOSCRIPT")
}

/// Whether the server refused with this code.
pub(crate) fn is_refused_with(value: &Value, code: &str) -> bool {
    matches!(value, Value::ServerError(error) if ServerError::code(error) == code)
}
