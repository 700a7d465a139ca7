//! Settings of the adapter.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How to reach a namespace on Redis, and how it behaves.
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisOptions {
    /// `redis://[user:password@]host[:port][/db]` or `redis+unix:///path`; with the cargo feature
    /// `tls` also `rediss://`. `redis+cluster://[user:password@]host:port[,host:port...]` names
    /// nodes of a Redis Cluster, of which one must be up to begin with (`rediss+cluster://` with
    /// TLS).
    pub url: String,
    /// Keeps installations that share a server apart. Free text, not empty.
    pub namespace: String,
    /// Number of partitions, fixed when the namespace is created. Without a value, that of the
    /// namespace is taken, or 16 for a new one; a value that differs from the stored one is
    /// refused.
    pub partitions: Option<u16>,
    /// Longest time to make a connection.
    pub connect_timeout: Duration,
    /// Longest time until an answer; afterwards the outcome of a write is unknown.
    pub response_timeout: Duration,
    /// How long the event log of an ended run is kept.
    pub event_retention: Duration,
    /// How long an op id of a submitted message is remembered; at least ten minutes.
    pub op_retention: Duration,
    /// How long dead letters are kept. A partition keeps at most 10,000.
    pub dead_letter_retention: Duration,
    /// How many messages an inbox may hold before [`submit`](rethread_storage::Storage::submit)
    /// refuses more.
    pub inbox_max: u64,
    /// How many replicas must have a write before it is acknowledged; a write that fewer confirm
    /// within the response timeout has an unknown outcome. 0: none is asked.
    pub replicas: u16,
    /// Certificates (PEM) of the authorities that are trusted with TLS, instead of those of the
    /// system. Needs the cargo feature `tls`.
    pub tls_ca: Option<PathBuf>,
}

impl RedisOptions {
    /// Partitions of a new namespace when none are asked for.
    pub const PARTITIONS_DEFAULT: u16 = 8;
    /// Most partitions of a namespace: each costs every reader and worker a little.
    pub const PARTITIONS_MAX: u16 = 1024;

    /// The namespace `default` on the server at `url`, with default settings.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            namespace: "default".to_owned(),
            partitions: None,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            event_retention: Duration::from_secs(24 * 60 * 60),
            op_retention: Duration::from_secs(15 * 60),
            dead_letter_retention: Duration::from_secs(30 * 24 * 60 * 60),
            inbox_max: 100_000,
            replicas: 0,
            tls_ca: None,
        }
    }

    /// The same with another namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The same with an explicit number of partitions.
    #[must_use]
    pub fn partitions(mut self, partitions: u16) -> Self {
        self.partitions = Some(partitions);
        self
    }
}

// The url may hold a password, so it is left out.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("namespace", &self.namespace)
            .field("partitions", &self.partitions)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("event_retention", &self.event_retention)
            .field("op_retention", &self.op_retention)
            .field("dead_letter_retention", &self.dead_letter_retention)
            .field("inbox_max", &self.inbox_max)
            .field("replicas", &self.replicas)
            .field("tls_ca", &self.tls_ca)
            .finish_non_exhaustive()
    }
}
