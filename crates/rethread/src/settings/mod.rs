//! Settings of a service: one name each, in a file, in the environment and as a flag.
//!
//! `worker_slots` in the TOML file is `RETHREAD_WORKER_SLOTS` in the environment; common settings
//! have a flag, here `--slots`. A flag wins over the environment, the environment over the file,
//! the file over the default. An unknown name is an error that lists the known ones.

mod choices;
mod ranges;
mod secret_text;
mod secret_url;
mod sources;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config, File, FileFormat, Source};
use rethread_client::ClientOptions;
use rethread_core::thread::Limits;
use serde::{Deserialize, Serialize};

pub use choices::{DataSync, LogFormat};
pub use secret_text::SecretText;
pub use secret_url::SecretUrl;
use sources::{Texts, check_names, from_environment};

/// The names of all settings.
const NAMES: [&str; 44] = [
    "redis_url",
    "redis_replicas",
    "redis_tls_ca",
    "namespace",
    "partitions",
    "data_dir",
    "data_sync",
    "worker_queues",
    "worker_slots",
    "lease_ttl_ms",
    "worker_dead_after_ms",
    "emit_batch_ms",
    "evict_after_ms",
    "calls_max",
    "orders_max",
    "waiting_max",
    "interrupts_max",
    "events_max",
    "payload_bytes_max",
    "journal_bytes_max",
    "inbox_max",
    "event_retention_ms",
    "dead_letter_retention_ms",
    "drain_timeout_ms",
    "admin_listen",
    "admin_insecure",
    "http_listen",
    "http_insecure",
    "http_cors_origins",
    "http_body_bytes_max",
    "http_body_items_max",
    "http_answer_bytes_max",
    "http_connections_max",
    "http_requests_max",
    "http_streams_max",
    "http_token_streams_max",
    "http_heartbeat_ms",
    "http_coordinator_ms",
    "http_webhook_hosts",
    "http_webhook_secret",
    "otlp_endpoint",
    "otlp_service_name",
    "log_format",
    "log_filter",
];
/// Settings that hold a list; separated by commas in the environment.
const LISTS: [&str; 3] = ["worker_queues", "http_cors_origins", "http_webhook_hosts"];

/// The settings of a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address of Redis, `redis://[user:password@]host:port[/db]`, or `rediss://` with TLS. None:
    /// the embedded store.
    pub redis_url: Option<SecretUrl>,
    /// Replicas of Redis that must have a write before it is acknowledged, so that it survives a
    /// failover to one of them. Default 0: none.
    pub redis_replicas: u16,
    /// File with the certificates (PEM) that the TLS certificate of Redis is checked against.
    /// Default: those of the system.
    pub redis_tls_ca: Option<PathBuf>,
    /// Separates installations that share one Redis. Default `default`.
    pub namespace: String,
    /// Partitions of a new namespace on Redis; an existing one keeps its number. Default 8.
    pub partitions: Option<u16>,
    /// Directory of the embedded store. Default `.rethread`.
    pub data_dir: PathBuf,
    /// What a write to the embedded store survives before it is acknowledged: `disk` (power
    /// loss, the default) or `process` (crashes of the process; faster).
    pub data_sync: DataSync,
    /// Queues that workers serve. Default `default`.
    pub worker_queues: Vec<String>,
    /// Task bodies that run at the same time per queue. Default 16.
    pub worker_slots: usize,
    /// Time without renewal after which a partition may be taken over, in milliseconds.
    /// Default 10,000.
    pub lease_ttl_ms: u64,
    /// Time without a heartbeat after which a worker counts as dead, in milliseconds.
    /// Default 1,200.
    pub worker_dead_after_ms: u64,
    /// How long a worker collects the events of one body that writes often, to hand them in
    /// together, in milliseconds; 0: not at all. Default 1.
    pub emit_batch_ms: u64,
    /// Idle time after which a thread leaves memory, in milliseconds. Default 60,000.
    pub evict_after_ms: u64,
    /// Most calls that one execution may make. Default 100,000.
    pub calls_max: usize,
    /// Most orders of one execution that stand in queues or run at a time. Default 1,000.
    pub orders_max: u32,
    /// Most requests that wait on one thread for the run in progress. Default 100.
    pub waiting_max: usize,
    /// Most questions of one run that are open at a time. Default 100.
    pub interrupts_max: usize,
    /// Most events of one run. Default 1,000,000.
    pub events_max: u64,
    /// Most bytes of one value: an input, argument, result, answer or event. Default 4 MiB.
    pub payload_bytes_max: usize,
    /// Most bytes of the values in the journal of one execution. Default 64 MiB.
    pub journal_bytes_max: usize,
    /// Most messages that wait in the inbox of one partition; further requests are refused until
    /// some are worked on. Default 100,000.
    pub inbox_max: u64,
    /// How long the events of a run are kept after its end, in milliseconds. Default one day.
    pub event_retention_ms: u64,
    /// How long dead letters are kept, in milliseconds. Default 30 days.
    pub dead_letter_retention_ms: u64,
    /// How long a service that was told to stop waits for running bodies, in milliseconds.
    /// Default 30,000.
    pub drain_timeout_ms: u64,
    /// Address, `host:port`, on which health and metrics are served over HTTP. Default: none,
    /// they are not served.
    pub admin_listen: Option<SocketAddr>,
    /// Whether `admin_listen` may be an address that other machines can reach: whoever can, may
    /// read health and metrics. Default false.
    pub admin_insecure: bool,
    /// Address, `host:port`, on which a gateway serves the HTTP API. Default: none; the role
    /// `gateway` then takes `127.0.0.1:8123`, and `dev` serves no API.
    pub http_listen: Option<SocketAddr>,
    /// Whether the HTTP API may be served without tokens on an address that other machines can
    /// reach: whoever can, may then do everything. Default false.
    pub http_insecure: bool,
    /// Origins whose pages may use the HTTP API from a browser, such as
    /// `https://chat.example.com`; `*` for all of them, which is the default.
    pub http_cors_origins: Vec<String>,
    /// Most bytes of the body of a request to the HTTP API. Default 5 MiB.
    pub http_body_bytes_max: usize,
    /// Most elements and members of the body of a request, counted at all levels. Default 100,000.
    pub http_body_items_max: usize,
    /// Most bytes of a list as an answer, such as a history or what a search finds; one of a single
    /// member may have more. Default 32 MiB.
    pub http_answer_bytes_max: usize,
    /// Most connections to the HTTP API at a time; further ones wait to be accepted.
    /// Default 8,192.
    pub http_connections_max: usize,
    /// Most requests of one tenant to the HTTP API that are in progress in one process, without
    /// streams; further ones are answered with 429. Default 2,000.
    pub http_requests_max: usize,
    /// Most streams of one tenant that are open in one process; further ones are answered with
    /// 429. Default 2,000.
    pub http_streams_max: usize,
    /// Most streams of one token that are open in one process; further ones are answered with 429.
    /// Default 100.
    pub http_token_streams_max: usize,
    /// How often a stream of the HTTP API without traffic says that it lives, in milliseconds.
    /// Default 5,000.
    pub http_heartbeat_ms: u64,
    /// How long a coordinator may take to do what a request needs one for, such as to cancel a run,
    /// and how long it may be that there is none before whoever waits for a run hears of it, in
    /// milliseconds. Default 30,000.
    pub http_coordinator_ms: u64,
    /// Hosts that may be told over HTTPS that a run is over, where a request asks for it
    /// (`webhook`): `hooks.example.com`, or `*.example.com` for all below it. Hosts in the
    /// network of the gateway are told nothing. Default: none, webhooks are refused.
    pub http_webhook_hosts: Vec<String>,
    /// What webhooks are signed with: `whsec_` and the base64 of 24 to 64 random bytes. Needed
    /// with `http_webhook_hosts`.
    pub http_webhook_secret: Option<SecretText>,
    /// Address of a collector of OpenTelemetry traces that speaks OTLP over HTTP, such as
    /// `http://127.0.0.1:4318`. Default: none, traces are not sent.
    pub otlp_endpoint: Option<SecretUrl>,
    /// The name under which traces are sent. Default `rethread`.
    pub otlp_service_name: String,
    /// Form of the log on standard error. Default `text`.
    pub log_format: LogFormat,
    /// What is logged, as a filter of `tracing` (`debug`, `rethread=debug,warn`). Default `info`,
    /// and only warnings of libraries beneath.
    pub log_filter: String,
}

impl Default for Settings {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            redis_url: None,
            redis_replicas: 0,
            redis_tls_ca: None,
            namespace: "default".into(),
            partitions: None,
            data_dir: ".rethread".into(),
            data_sync: DataSync::default(),
            worker_queues: vec!["default".into()],
            worker_slots: 16,
            lease_ttl_ms: 10_000,
            worker_dead_after_ms: 1_200,
            emit_batch_ms: 1,
            evict_after_ms: 60_000,
            calls_max: limits.calls_max,
            orders_max: limits.orders_max,
            waiting_max: limits.waiting_max,
            interrupts_max: limits.interrupts_max,
            events_max: limits.events_max,
            payload_bytes_max: limits.payload_bytes_max,
            journal_bytes_max: limits.journal_bytes_max,
            inbox_max: 100_000,
            event_retention_ms: 24 * 60 * 60 * 1_000,
            dead_letter_retention_ms: 30 * 24 * 60 * 60 * 1_000,
            drain_timeout_ms: 30_000,
            admin_listen: None,
            admin_insecure: false,
            http_listen: None,
            http_insecure: false,
            http_cors_origins: vec!["*".into()],
            http_body_bytes_max: 5 << 20,
            http_body_items_max: 100_000,
            http_answer_bytes_max: 32 << 20,
            http_connections_max: 8_192,
            http_requests_max: 2_000,
            http_streams_max: 2_000,
            http_token_streams_max: 100,
            http_heartbeat_ms: 5_000,
            http_coordinator_ms: 30_000,
            http_webhook_hosts: Vec::new(),
            http_webhook_secret: None,
            otlp_endpoint: None,
            otlp_service_name: "rethread".into(),
            log_format: LogFormat::default(),
            log_filter: "info,fjall=warn,lsm_tree=warn,ractor=warn".into(),
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read, or a value in file, environment or flags does not fit.
    #[error("invalid settings: {reason}")]
    Unreadable {
        /// What does not fit, and where.
        reason: String,
    },
    /// A name that is not that of a setting.
    #[error("unknown setting `{name}` in {origin}; settings are {}", known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// Where it stands.
        origin: String,
        /// The names of all settings.
        known: &'static [&'static str],
    },
    /// A value is outside of its range.
    #[error("invalid setting `{name}`: {reason}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// The range, and what was given.
        reason: String,
    },
}

impl Settings {
    /// Reads the settings from a TOML file (if one is given), the environment and flags.
    ///
    /// # Errors
    /// [`SettingsError`], which names the setting and where it came from.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: BTreeMap<&'static str, String>,
    ) -> Result<Self, SettingsError> {
        let unreadable =
            |error: config::ConfigError| SettingsError::Unreadable { reason: error.to_string() };
        let mut builder = Config::builder();
        if let Some(path) = file {
            // The format is fixed: the name of the file says nothing about it.
            let file = File::from(path.to_owned()).format(FileFormat::Toml);
            let names = file.collect().map_err(unreadable)?.into_keys();
            check_names(names.map(|name| (name, format!("{}", path.display()))))?;
            builder = builder.add_source(file);
        }
        let from_environment = Texts::new(from_environment(environment));
        check_names(from_environment.names())?;
        let from_flags = flags.into_iter().map(|(setting, value)| {
            (setting.to_owned(), value, "a flag of the command line".to_owned())
        });
        let settings: Self = builder
            .add_source(from_environment)
            .add_source(Texts::new(from_flags))
            .build()
            .map_err(unreadable)?
            .try_deserialize()
            .map_err(unreadable)?;
        ranges::check(&settings)?;
        Ok(settings)
    }

    /// The limits of executions.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            calls_max: self.calls_max,
            events_max: self.events_max,
            journal_bytes_max: self.journal_bytes_max,
            payload_bytes_max: self.payload_bytes_max,
            interrupts_max: self.interrupts_max,
            waiting_max: self.waiting_max,
            orders_max: self.orders_max,
        }
    }

    /// The options of a client of the storage that these settings name.
    pub(crate) fn client_options(&self) -> ClientOptions {
        ClientOptions::default()
            .namespace(&self.namespace)
            .payload_bytes_max(self.payload_bytes_max)
    }

    pub(crate) fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}
