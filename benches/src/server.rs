//! What a bench asks of the Redis server itself.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue, cmd, pipe};

/// Partitions of the namespace: the default.
const PARTITIONS: usize = 8;
/// Longest time until the server answers: the machine is busy on purpose.
const PATIENCE: Duration = Duration::from_secs(30);
/// Keys that one step of a scan asks for.
const SCAN_COUNT: usize = 1_000;

/// A connection.
pub(crate) struct Server(MultiplexedConnection);

impl Server {
    pub(crate) async fn connect(url: &str) -> Result<Self, Box<dyn Error>> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let client = redis::Client::open(url)?;
        Ok(Self(client.get_multiplexed_async_connection_with_config(&config).await?))
    }

    async fn ask<T: FromRedisValue>(&mut self, command: &redis::Cmd) -> Result<T, Box<dyn Error>> {
        Ok(command.query_async(&mut self.0).await?)
    }

    /// Bytes that the server uses for all that it holds.
    pub(crate) async fn used_memory(&mut self) -> Result<f64, Box<dyn Error>> {
        let info: String = self.ask(cmd("INFO").arg("memory")).await?;
        let value = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        Ok(value.ok_or("INFO has no used_memory")?.trim().parse()?)
    }

    /// How many messages and active threads all partitions have: zero when all is done that can
    /// be done.
    pub(crate) async fn open_work(&mut self) -> Result<u64, Box<dyn Error>> {
        let mut pipeline = pipe();
        for partition in 0..PARTITIONS {
            pipeline.cmd("XLEN").arg(key(partition, "in"));
            pipeline.cmd("ZCARD").arg(key(partition, "act"));
            pipeline.cmd("XLEN").arg(key(partition, "q:default"));
        }
        let found: Vec<u64> = pipeline.query_async(&mut self.0).await?;
        Ok(found.into_iter().sum())
    }

    /// Memory of keys by kind, from a sample: the average of each kind, in bytes, and how many
    /// of the sample are of it. The whole key space is about a multiple of the sample.
    pub(crate) async fn sample(
        &mut self,
        keys: usize,
    ) -> Result<BTreeMap<String, (f64, usize)>, Box<dyn Error>> {
        let mut kinds: BTreeMap<String, (f64, usize)> = BTreeMap::new();
        let mut cursor = 0_u64;
        let mut seen = 0;
        while seen < keys {
            let (next, found): (u64, Vec<String>) =
                self.ask(cmd("SCAN").arg(cursor).arg("COUNT").arg(SCAN_COUNT)).await?;
            let mut pipeline = pipe();
            for key in &found {
                pipeline.cmd("MEMORY").arg("USAGE").arg(key);
            }
            let bytes: Vec<Option<f64>> = pipeline.query_async(&mut self.0).await?;
            for (key, bytes) in found.iter().zip(bytes) {
                let kind = kinds.entry(kind_of(key)).or_default();
                kind.0 += bytes.unwrap_or_default();
                kind.1 += 1;
                seen += 1;
            }
            cursor = next;
            if next == 0 {
                break;
            }
        }
        for (bytes, count) in kinds.values_mut() {
            *bytes /= *count as f64;
        }
        Ok(kinds)
    }

    /// Number of keys.
    pub(crate) async fn keys(&mut self) -> Result<u64, Box<dyn Error>> {
        self.ask(&cmd("DBSIZE")).await
    }
}

fn key(partition: usize, name: &str) -> String {
    format!("rt:{{default.p{partition:02}}}:{name}")
}

/// The kind of a key: its name without ids.
fn kind_of(key: &str) -> String {
    let name = key.rsplit_once("}:").map_or(key, |(_, name)| name);
    let mut parts = name.split(':');
    let (first, suffix) = (parts.next().unwrap_or_default(), parts.nth(1));
    match suffix {
        Some(suffix) => format!("{first}:{suffix}"),
        None => first.to_owned(),
    }
}
