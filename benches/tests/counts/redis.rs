//! What a tape costs on Redis.

use std::collections::BTreeMap;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, cmd};
use rethread_redis::testing::RedisServer;
use rethread_redis::{RedisOptions, RedisStorage};

use crate::Failure;
use crate::player::Player;
use crate::tape::Step;

/// Plays a tape on a server of its own, and counts what it costs behind its beginning. What is left
/// is only counted of work with fixed names: others are spread over the partitions by chance.
pub(crate) async fn count(
    preparation: &[Step],
    work: &[Step],
    has_fixed_names: bool,
) -> Result<BTreeMap<String, u64>, Failure> {
    let server = RedisServer::start();
    let options = RedisOptions::new(server.url());
    let storage = Arc::new(RedisStorage::connect(options).await?);
    let mut player = Player::new(storage).await?;
    player.play(preparation).await?;
    let client = redis::Client::open(server.url())?;
    let patient =
        AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
    let mut connection = client.get_multiplexed_async_connection_with_config(&patient).await?;
    let kept_before = kept(&mut connection).await?;
    let before = Traffic::before(&mut connection).await?;
    player.play(work).await?;
    let after = Traffic::after(&mut connection).await?;
    let kept_after = kept(&mut connection).await?;

    let mut counts = BTreeMap::new();
    counts.insert("bytes_in".to_owned(), after.bytes_in - before.bytes_in);
    counts.insert("bytes_out".to_owned(), after.bytes_out - before.bytes_out);
    let (mut commands, mut scripts) = (0, 0);
    for (name, calls) in after.calls {
        let calls = calls - before.calls.get(&name).copied().unwrap_or_default();
        if matches!(name.as_str(), "info" | "ping") || calls == 0 {
            continue;
        }
        // A partition hears once of each queue: whether this one had is a matter of chance.
        if name == "sadd" && !has_fixed_names {
            continue;
        }
        commands += calls;
        if name == "evalsha" {
            scripts = calls;
        }
        counts.insert(format!("call_{name}"), calls);
    }
    counts.insert("commands".to_owned(), commands);
    counts.insert("scripts".to_owned(), scripts);
    if has_fixed_names {
        // Nothing where less is left than before.
        counts.insert("keys_left".to_owned(), kept_after.0.saturating_sub(kept_before.0));
        counts.insert("bytes_left".to_owned(), kept_after.1.saturating_sub(kept_before.1));
    }
    Ok(counts)
}

/// What the server has been asked so far, without what is asked of it here.
struct Traffic {
    calls: BTreeMap<String, u64>,
    bytes_in: u64,
    bytes_out: u64,
}

impl Traffic {
    /// Asked for before the work; the traffic as the very last thing.
    async fn before(connection: &mut MultiplexedConnection) -> Result<Self, Failure> {
        let calls = calls(&info(connection, "commandstats").await?)?;
        // Should an answer be counted a little late, then a short one.
        cmd("PING").query_async::<()>(connection).await?;
        let stats = info(connection, "stats").await?;
        // The answer is written when it has been made.
        let bytes_out = number(&stats, "total_net_output_bytes")? + length_of_answer(&stats);
        Ok(Self { calls, bytes_in: number(&stats, "total_net_input_bytes")?, bytes_out })
    }

    /// Asked for behind the work; the traffic as the very first thing.
    async fn after(connection: &mut MultiplexedConnection) -> Result<Self, Failure> {
        let stats = info(connection, "stats").await?;
        // The question has been read when the answer is made.
        let question = "*2\r\n$4\r\nINFO\r\n$5\r\nstats\r\n".len() as u64;
        let bytes_in = number(&stats, "total_net_input_bytes")? - question;
        let bytes_out = number(&stats, "total_net_output_bytes")?;
        let calls = calls(&info(connection, "commandstats").await?)?;
        Ok(Self { calls, bytes_in, bytes_out })
    }
}

async fn info(connection: &mut MultiplexedConnection, section: &str) -> Result<String, Failure> {
    Ok(cmd("INFO").arg(section).query_async(connection).await?)
}

/// A text as it stands in an answer: its length, a line break, itself and a line break.
fn length_of_answer(text: &str) -> u64 {
    (format!("${}\r\n", text.len()).len() + text.len() + 2) as u64
}

fn number(info: &str, name: &str) -> Result<u64, Failure> {
    let mut values = info.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = values.next().ok_or_else(|| format!("INFO does not tell {name}"))?;
    Ok(value.trim().parse()?)
}

/// How often each command was called, by clients and by scripts.
fn calls(info: &str) -> Result<BTreeMap<String, u64>, Failure> {
    let mut calls = BTreeMap::new();
    for line in info.lines() {
        let Some((name, told)) =
            line.strip_prefix("cmdstat_").and_then(|line| line.split_once(":calls="))
        else {
            continue;
        };
        let told = told.split(',').next().unwrap_or_default();
        calls.insert(name.replace('|', "_"), told.parse()?);
    }
    Ok(calls)
}

/// How many keys there are, and how many bytes they take.
async fn kept(connection: &mut MultiplexedConnection) -> Result<(u64, u64), Failure> {
    let keys: Vec<String> = cmd("KEYS").arg("*").query_async(connection).await?;
    let mut bytes = 0;
    for key in &keys {
        let usage = cmd("MEMORY").arg("USAGE").arg(key).arg("SAMPLES").arg(0).clone();
        bytes += usage.query_async::<Option<u64>>(connection).await?.unwrap_or_default();
    }
    Ok((keys.len() as u64, bytes))
}
