//! What is checked before a namespace is used.

use redis::{Cmd, cmd};
use rethread_storage::{Durability, Result, StorageError};

use crate::error::{Effect, malformed};
use crate::link::Link;
use crate::options::RedisOptions;
use crate::{keys, reply, script};

/// Version of the stored form: keys, fields and their meaning.
const FORMAT: &str = "1";

/// What a namespace turned out to be.
pub(crate) struct Namespace {
    pub(crate) partitions: u16,
    pub(crate) durability: Durability,
}

/// Checks the server, then finds or creates the namespace.
pub(crate) async fn open(link: &Link, options: &RedisOptions) -> Result<Namespace> {
    if options.namespace.is_empty() {
        return Err(StorageError::Config {
            reason: "the namespace is empty: give it a name, such as `default`".to_owned(),
        });
    }
    let durability = check_server(link).await?;
    let loads = script::all().into_iter().map(script::Script::load).collect();
    for loaded in link.run_all(loads, Effect::Read).await? {
        link.checked(loaded)?;
    }
    let partitions = open_namespace(link, options).await?;
    Ok(Namespace { partitions, durability })
}

async fn check_server(link: &Link) -> Result<Durability> {
    let sections = ["server", "memory", "persistence"];
    let asks = sections.iter().map(|section| {
        let mut ask = cmd("INFO");
        ask.arg(section);
        ask
    });
    let mut info = String::new();
    for part in link.run_all(asks.collect(), Effect::Read).await? {
        info.push_str(&reply::text(link.checked(part)?, "INFO of Redis")?);
        info.push('\n');
    }
    judge(&info, link.address())
}

fn judge(info: &str, address: &str) -> Result<Durability> {
    let field = |name: &str| {
        info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
    };
    let version = field("redis_version").unwrap_or("unknown");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    let is_valkey = field("server_name") == Some("valkey") || field("valkey_version").is_some();
    if !is_valkey && major.is_none_or(|major| major < 7) {
        return Err(StorageError::Config {
            reason: format!(
                "Redis at {address} has version {version}: 7.0 or later, or Valkey, is needed"
            ),
        });
    }
    if let Some(policy) = field("maxmemory_policy")
        && policy != "noeviction"
    {
        return Err(StorageError::Config {
            reason: format!(
                "Redis at {address} may evict data (maxmemory-policy {policy}): set `maxmemory-policy noeviction` in its configuration"
            ),
        });
    }
    // How often the log is synced is not in INFO; each write reaches the system at once.
    Ok(if field("aof_enabled") == Some("1") { Durability::Process } else { Durability::Volatile })
}

async fn open_namespace(link: &Link, options: &RedisOptions) -> Result<u16> {
    let wanted = options.partitions.unwrap_or(RedisOptions::PARTITIONS_DEFAULT);
    if wanted == 0 || wanted > RedisOptions::PARTITIONS_MAX {
        return Err(StorageError::Config {
            reason: format!(
                "{wanted} partitions are not possible: choose 1 to {}",
                RedisOptions::PARTITIONS_MAX
            ),
        });
    }
    let meta = keys::meta(&options.namespace);
    let set = |field: &str, value: &str| -> Cmd {
        let mut set = cmd("HSETNX");
        set.arg(&meta).arg(field).arg(value);
        set
    };
    let mut get = cmd("HMGET");
    get.arg(&meta).arg("format").arg("partitions");
    // Repeating it changes nothing, so it may be sent again like a read.
    let sets = vec![set("format", FORMAT), set("partitions", &wanted.to_string()), get];
    let mut answers = link.run_all(sets, Effect::Read).await?.into_iter();
    let mut answer = || link.checked(answers.next().unwrap_or_default());
    answer()?;
    answer()?;
    let what = "description of the namespace";
    let mut fields = reply::array(answer()?, what)?.into_iter();
    let format = reply::text(fields.next().unwrap_or_default(), what)?;
    if format != FORMAT {
        return Err(StorageError::Config {
            reason: format!(
                "namespace `{}` has format {format}, this version knows format {FORMAT}: use the version that created it, or another namespace",
                options.namespace
            ),
        });
    }
    let stored = reply::number(fields.next().unwrap_or_default(), what)?;
    let stored = u16::try_from(stored)
        .ok()
        .filter(|stored| (1..=RedisOptions::PARTITIONS_MAX).contains(stored))
        .ok_or_else(|| malformed(what, format!("it has {stored} partitions")))?;
    match options.partitions {
        Some(wanted) if wanted != stored => Err(StorageError::Config {
            reason: format!(
                "namespace `{}` was created with {stored} partitions, not {wanted}: leave the setting out, or use another namespace",
                options.namespace
            ),
        }),
        _ => Ok(stored),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_judged_by_version_eviction_and_log() {
        let good = "redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n";
        assert_eq!(judge(good, "a:1"), Ok(Durability::Process));
        assert_eq!(judge(&good.replace("enabled:1", "enabled:0"), "a:1"), Ok(Durability::Volatile));
        let old = judge(&good.replace("7.0.15", "6.2.14"), "a:1").expect_err("too old");
        assert!(old.to_string().contains("6.2.14"), "{old}");
        let valkey = "server_name:valkey\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\naof_enabled:1\r\n";
        assert_eq!(judge(valkey, "a:1"), Ok(Durability::Process));
        let evicts = judge(&good.replace("noeviction", "allkeys-lru"), "a:1").expect_err("evicts");
        assert!(evicts.to_string().contains("maxmemory-policy noeviction"), "{evicts}");
    }
}
