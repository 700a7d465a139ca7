//! What is done to the Redis server behind the backs of all its clients.

use std::io;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, FromRedisValue, Value, cmd, pipe};
use tokio::time::sleep;

use crate::random::Random;

/// The namespace of the services.
pub(crate) const NAMESPACE: &str = "default";
/// Partitions of the namespace: the default.
pub(crate) const PARTITIONS: usize = 8;
/// Longest time until the server answers: it may be paused, and the machine busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// Keys that one step of a scan asks for.
const SCAN_COUNT: usize = 1_000;
/// Most orders among which one is chosen to be lost.
const ORDERS_MAX: usize = 100;
/// How often an order to lose is looked for, and how long after the last time.
const LOOKS: u32 = 100;
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// A connection that no proxy disturbs.
#[derive(Debug, Clone)]
pub(crate) struct Server(MultiplexedConnection);

/// The fields of a stream entry.
type Fields = Vec<(String, Vec<u8>)>;

/// A lease as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredLease {
    pub(crate) holder: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) epoch: u64,
    pub(crate) commit: u64,
}

impl Server {
    pub(crate) async fn connect(url: &str) -> io::Result<Self> {
        let client = redis::Client::open(url).map_err(io::Error::other)?;
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let connection = client.get_multiplexed_async_connection_with_config(&config).await;
        Ok(Self(connection.map_err(io::Error::other)?))
    }

    async fn ask<T: FromRedisValue>(&mut self, command: &mut redis::Cmd) -> io::Result<T> {
        command.query_async(&mut self.0).await.map_err(io::Error::other)
    }

    /// Closes the connections of all other clients.
    pub(super) async fn kill_clients(&mut self) -> io::Result<()> {
        for kind in ["normal", "pubsub"] {
            let mut kill = cmd("CLIENT");
            self.ask::<Value>(kill.arg("KILL").arg("TYPE").arg(kind)).await?;
        }
        Ok(())
    }

    /// Lets all clients wait.
    pub(super) async fn pause_clients(&mut self, ms: u64) -> io::Result<()> {
        self.ask(cmd("CLIENT").arg("PAUSE").arg(ms).arg("ALL")).await
    }

    pub(super) async fn flush_scripts(&mut self) -> io::Result<()> {
        self.ask(cmd("SCRIPT").arg("FLUSH")).await
    }

    pub(super) async fn drop_leases(&mut self) -> io::Result<()> {
        let keys: Vec<String> = (0..PARTITIONS).map(lease_key).collect();
        self.ask::<u64>(cmd("DEL").arg(keys)).await.map(drop)
    }

    /// Removes one order from a queue, if there is one within a while.
    pub(super) async fn lose_order(&mut self, random: &mut Random) -> io::Result<()> {
        for _ in 0..LOOKS {
            let mut found = Vec::new();
            for partition in 0..PARTITIONS {
                let queue = queue_key(partition);
                let range: Vec<(String, Fields)> = self
                    .ask(cmd("XRANGE").arg(&queue).arg("-").arg("+").arg("COUNT").arg(ORDERS_MAX))
                    .await?;
                found.extend(range.into_iter().map(|(id, _)| (queue.clone(), id)));
            }
            let place = usize::try_from(random.below(found.len() as u64)).unwrap_or_default();
            if let Some((queue, id)) = found.get(place) {
                return self.ask::<u64>(cmd("XDEL").arg(queue).arg(id)).await.map(drop);
            }
            sleep(LOOK_PAUSE).await;
        }
        Ok(())
    }

    /// Puts bytes that are no record into an inbox and a queue.
    pub(super) async fn add_garbage(&mut self, random: &mut Random) -> io::Result<()> {
        let partition = usize::try_from(random.below(PARTITIONS as u64)).unwrap_or_default();
        let mut bytes = random.next().to_le_bytes().repeat(4);
        if random.percent(50) {
            // It looks like a record of a message, but its checksum does not fit.
            bytes[..4].copy_from_slice(&[0xa7, 5, 1, 0]);
        }
        for (key, field) in [(inbox_key(partition), "m"), (queue_key(partition), "o")] {
            let mut add = cmd("XADD");
            add.arg(key).arg("*").arg(field).arg(&bytes);
            self.ask::<String>(&mut add).await?;
        }
        Ok(())
    }

    /// The leases of all partitions.
    pub(crate) async fn leases(&mut self) -> io::Result<Vec<StoredLease>> {
        let mut pipeline = pipe();
        for partition in 0..PARTITIONS {
            pipeline.cmd("HMGET").arg(lease_key(partition)).arg(&["o", "t", "e", "n"]);
        }
        type Found = (Option<String>, Option<String>, Option<u64>, Option<u64>);
        let found: Vec<Found> =
            pipeline.query_async(&mut self.0).await.map_err(io::Error::other)?;
        Ok(found
            .into_iter()
            .map(|(holder, token, epoch, commit)| StoredLease {
                holder,
                token,
                epoch: epoch.unwrap_or_default(),
                commit: commit.unwrap_or_default(),
            })
            .collect())
    }

    /// The lengths of all inboxes and of all queues, each summed up.
    pub(crate) async fn lengths(&mut self) -> io::Result<(u64, u64)> {
        let mut pipeline = pipe();
        for partition in 0..PARTITIONS {
            pipeline.cmd("XLEN").arg(inbox_key(partition));
        }
        for partition in 0..PARTITIONS {
            pipeline.cmd("XLEN").arg(queue_key(partition));
        }
        let found: Vec<u64> = pipeline.query_async(&mut self.0).await.map_err(io::Error::other)?;
        let (inboxes, queues) = found.split_at(PARTITIONS);
        Ok((inboxes.iter().sum(), queues.iter().sum()))
    }

    /// Bytes that the server uses.
    pub(crate) async fn used_memory(&mut self) -> io::Result<u64> {
        let info: String = self.ask(cmd("INFO").arg("memory")).await?;
        let value = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        Ok(value.and_then(|value| value.trim().parse().ok()).unwrap_or_default())
    }

    /// All keys.
    pub(crate) async fn keys(&mut self) -> io::Result<Vec<String>> {
        let mut keys = Vec::new();
        let mut cursor = 0_u64;
        loop {
            let (next, found): (u64, Vec<String>) =
                self.ask(cmd("SCAN").arg(cursor).arg("COUNT").arg(SCAN_COUNT)).await?;
            keys.extend(found);
            if next == 0 {
                break;
            }
            cursor = next;
        }
        // A scan may give a key twice.
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// Whether a key expires; also true if it has by now.
    pub(crate) async fn expires(&mut self, key: &str) -> io::Result<bool> {
        let ttl: i64 = self.ask(cmd("PTTL").arg(key)).await?;
        Ok(ttl != -1)
    }

    /// All values that a key holds, with the name of the place of each: a field, an index.
    pub(crate) async fn values(&mut self, key: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
        let kind: String = self.ask(cmd("TYPE").arg(key)).await?;
        let named = |values: Vec<Vec<u8>>| {
            let place = |(at, value): (usize, Vec<u8>)| (at.to_string(), value);
            values.into_iter().enumerate().map(place).collect()
        };
        match kind.as_str() {
            "hash" => {
                let fields: Vec<(Vec<u8>, Vec<u8>)> =
                    self.0.hgetall(key).await.map_err(io::Error::other)?;
                let named = |(field, value): (Vec<u8>, _)| {
                    (String::from_utf8_lossy(&field).into_owned(), value)
                };
                Ok(fields.into_iter().map(named).collect())
            }
            "list" => Ok(named(self.ask(cmd("LRANGE").arg(key).arg(0).arg(-1)).await?)),
            "string" => {
                Ok(named(self.ask::<Option<_>>(cmd("GET").arg(key)).await?.into_iter().collect()))
            }
            "stream" => {
                let entries: Vec<(String, Fields)> =
                    self.ask(cmd("XRANGE").arg(key).arg("-").arg("+")).await?;
                Ok(entries
                    .into_iter()
                    .flat_map(|(id, fields)| {
                        fields
                            .into_iter()
                            .map(move |(field, value)| (format!("{id} {field}"), value))
                    })
                    .collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// How many entries a stream has; none if the key is no stream.
    pub(crate) async fn stream_length(&mut self, key: &str) -> io::Result<Option<u64>> {
        let kind: String = self.ask(cmd("TYPE").arg(key)).await?;
        if kind != "stream" {
            return Ok(None);
        }
        self.ask(cmd("XLEN").arg(key)).await.map(Some)
    }
}

fn partition_key(partition: usize, name: &str) -> String {
    format!("rt:{{{NAMESPACE}.p{partition:02}}}:{name}")
}

fn lease_key(partition: usize) -> String {
    partition_key(partition, "lease")
}

fn inbox_key(partition: usize) -> String {
    partition_key(partition, "in")
}

fn queue_key(partition: usize) -> String {
    partition_key(partition, "q:default")
}
