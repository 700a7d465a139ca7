//! What a server says of itself, and whether it can be trusted with data.

use rethread_storage::{Durability, Result, StorageError};

/// What a server was when it was asked (`INFO`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    version: String,
    is_valkey: bool,
    role: String,
    policy: Option<String>,
    has_log: bool,
    run_id: String,
    replication_id: String,
}

impl Server {
    /// Reads the answer to `INFO`.
    pub(crate) fn read(info: &str) -> Self {
        let field = |name: &str| {
            info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
        };
        let text = |name: &str| field(name).unwrap_or_default().to_owned();
        Self {
            version: field("redis_version").unwrap_or("unknown").to_owned(),
            is_valkey: field("server_name") == Some("valkey") || field("valkey_version").is_some(),
            role: text("role"),
            policy: field("maxmemory_policy").map(ToOwned::to_owned),
            has_log: field("aof_enabled") == Some("1"),
            run_id: text("run_id"),
            replication_id: text("master_replid"),
        }
    }

    /// Whether it can hold a namespace at all.
    pub(crate) fn check(&self, address: &str) -> Result<()> {
        let version = &self.version;
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if !self.is_valkey && major.is_none_or(|major| major < 7) {
            return Err(StorageError::Config {
                reason: format!(
                    "Redis at {address} has version {version}: 7.0 or later, or Valkey, is needed"
                ),
            });
        }
        if let Some(policy) = &self.policy
            && policy != "noeviction"
        {
            return Err(StorageError::Config {
                reason: format!(
                    "Redis at {address} may evict data (maxmemory-policy {policy}): set `maxmemory-policy noeviction` in its configuration"
                ),
            });
        }
        self.check_role(address)
    }

    /// A replica takes no writes, and what it shows may be old.
    pub(crate) fn check_role(&self, address: &str) -> Result<()> {
        if self.role == "slave" {
            return Err(StorageError::Unavailable {
                reason: format!(
                    "Redis at {address} is a replica: wait until it is promoted, or put the primary into the url"
                ),
            });
        }
        Ok(())
    }

    /// What an acknowledged write survives. How often the log is synced is not in `INFO`; each
    /// write reaches the system at once.
    pub(crate) fn durability(&self) -> Durability {
        if self.has_log { Durability::Process } else { Durability::Volatile }
    }

    /// What makes it another server than before, so that data may be missing.
    pub(crate) fn change_since(&self, before: &Self) -> Option<&'static str> {
        if self.replication_id != before.replication_id && self.run_id == before.run_id {
            return Some("it was promoted, or follows another history");
        }
        (self.run_id != before.run_id).then_some("it was restarted, or is another server")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\nrole:master\r\nrun_id:a\r\nmaster_replid:b\r\n";

    #[test]
    fn servers_are_judged_by_version_eviction_and_role() {
        assert_eq!(Server::read(GOOD).check("a:1"), Ok(()));
        let old = Server::read(&GOOD.replace("7.0.15", "6.2.14")).check("a:1");
        assert!(old.as_ref().is_err_and(|it| it.to_string().contains("6.2.14")), "{old:?}");
        let valkey = "server_name:valkey\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\n";
        assert_eq!(Server::read(valkey).check("a:1"), Ok(()));
        let evicts = Server::read(&GOOD.replace("noeviction", "allkeys-lru")).check("a:1");
        let evicts = evicts.expect_err("evicts").to_string();
        assert!(evicts.contains("maxmemory-policy noeviction"), "{evicts}");
        let replica = Server::read(&GOOD.replace("master\r", "slave\r")).check("a:1");
        assert!(matches!(replica, Err(StorageError::Unavailable { .. })), "{replica:?}");
    }

    #[test]
    fn durability_follows_the_append_only_file() {
        assert_eq!(Server::read(GOOD).durability(), Durability::Process);
        let without = GOOD.replace("enabled:1", "enabled:0");
        assert_eq!(Server::read(&without).durability(), Durability::Volatile);
    }

    #[test]
    fn a_restart_and_a_promotion_are_noticed() {
        let before = Server::read(GOOD);
        assert_eq!(before.change_since(&before), None);
        let restarted = Server::read(&GOOD.replace("run_id:a", "run_id:c"));
        assert!(restarted.change_since(&before).is_some_and(|it| it.contains("restarted")));
        let promoted = Server::read(&GOOD.replace("replid:b", "replid:c"));
        assert!(promoted.change_since(&before).is_some_and(|it| it.contains("promoted")));
    }
}
