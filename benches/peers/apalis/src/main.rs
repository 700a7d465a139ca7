//! The workloads of the benchmarks on apalis with Redis.
//!
//! ```text
//! rethread-peer-apalis steps|fan-out|latency SIZE
//! ```
//!
//! `REDIS_URL` names the server. A step is a job whose result is stored; a job of a thread pushes
//! the next one before it ends, and the last one says so on a channel. The client is this process,
//! the jobs run in two others. Many tasks at once are pushed together and counted: apalis has no
//! run that they belong to. It has none that wait for a person and are replayed either: nothing
//! stands for W4 and W5.

mod client;
mod worker;

use std::error::Error;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use apalis_redis::{Config, RedisStorage};
use redis::AsyncCommands;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Steps of a thread.
const STEPS: u64 = 10;
const WORKERS: usize = 2;
/// Where ends are told.
const ENDS: &str = "ends";

type Failure = Box<dyn Error + Send + Sync>;

/// A step: gives back its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Step {
    text: String,
    /// What is told at the end.
    thread: u64,
    /// Steps that follow.
    left: u64,
}

impl Step {
    fn new(thread: u64, left: u64) -> Self {
        Self { text: format!("{left:0>96}"), thread, left }
    }
}

fn config() -> Config {
    Config::default()
        .queue("steps")
        .batch_size(64)
        // Results are kept; nobody listens to its own events. Leases may be left out for tasks
        // that are shorter than a heartbeat.
        .persist_results(true)
        .emit_events(false)
        .lock_tasks(false)
        // A worker without tasks looks for new ones at each heartbeat.
        .heartbeat_interval(Duration::from_millis(1))
}

fn url() -> Result<String, Failure> {
    Ok(std::env::var("REDIS_URL")?)
}

async fn storage() -> Result<RedisStorage<Step>, Failure> {
    Ok(RedisStorage::new(apalis_redis::connect(url()?).await?).with_config(config()))
}

/// A process that runs steps; it ends when it is dropped.
struct Worker(Child);

impl Worker {
    fn start(number: usize) -> std::io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["worker", &number.to_string()]).stdout(Stdio::null());
        Ok(Self(command.spawn()?))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Fails unless each step has a stored result.
async fn check(steps: u64) -> Result<(), Failure> {
    let mut server = redis::Client::open(url()?)?.get_multiplexed_async_connection().await?;
    for _ in 0..1_000 {
        let done: u64 = server.scard("steps:done").await?;
        if done == steps {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(format!("not all of {steps} steps are recorded").into())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(workload), Some(size)) = (arguments.next(), arguments.next()) else {
        return Err("arguments are missing: workload and size".into());
    };
    if workload == "worker" {
        return worker::run(&size).await;
    }
    let size: u64 = size.parse()?;
    let _workers = (0..WORKERS).map(Worker::start).collect::<Result<Vec<_>, _>>()?;
    let mut client = client::Client::connect().await?;
    let (parameters, figures) = match workload.as_str() {
        "steps" => client.steps(size).await?,
        "fan-out" => client.fan_out(size).await?,
        "latency" => client.latency(size).await?,
        other => return Err(format!("there is no workload `{other}`").into()),
    };
    check(client.pushed()).await?;
    let line = json!({
        "workload": workload, "parameters": parameters, "engine": "apalis", "figures": figures
    });
    println!("{line}");
    Ok(())
}
