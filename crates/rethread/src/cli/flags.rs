//! Flags that set settings; each wins over the environment and the file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::service::ServiceError;
use crate::settings::{LogFormat, Settings};

/// Where the store is.
#[derive(Debug, Args)]
pub(super) struct StoreFlags {
    /// TOML file with settings.
    #[arg(long, env = "RETHREAD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of Redis, redis://[user:password@]host:port[/db]; without it the embedded store
    /// is used.
    #[arg(long = "redis", value_name = "URL")]
    redis_url: Option<String>,
    /// Separates installations that share one Redis.
    #[arg(long)]
    namespace: Option<String>,
    /// Directory of the embedded store.
    #[arg(long = "data", value_name = "DIR")]
    data_dir: Option<String>,
    /// Form of the log.
    #[arg(long)]
    log_format: Option<LogFormat>,
    /// What is logged, such as `info` or `rethread=debug,warn`.
    #[arg(long = "log", value_name = "FILTER")]
    log_filter: Option<String>,
}

/// How a service runs.
#[derive(Debug, Args)]
pub(super) struct ServiceFlags {
    #[command(flatten)]
    store: StoreFlags,
    /// Queue to run tasks of; may be given several times.
    #[arg(long = "queue", value_name = "NAME")]
    worker_queues: Vec<String>,
    /// Task bodies that run at the same time per queue.
    #[arg(long = "slots", value_name = "N")]
    worker_slots: Option<String>,
    /// Address to serve health and metrics on, such as 127.0.0.1:9090.
    #[arg(long = "admin", value_name = "HOST:PORT")]
    admin_listen: Option<String>,
    /// Address to serve the HTTP API on, such as 127.0.0.1:8123.
    #[arg(long = "http", value_name = "HOST:PORT")]
    http_listen: Option<String>,
    /// Serve the HTTP API without tokens even where other machines can reach it.
    #[arg(long = "insecure")]
    http_insecure: bool,
}

type Flags = BTreeMap<&'static str, String>;

impl StoreFlags {
    /// The settings that a command goes by which only looks at the store.
    pub(super) fn settings(&self) -> Result<Settings, ServiceError> {
        self.load(self.flags())
    }

    fn flags(&self) -> Flags {
        let log_format = self.log_format.map(|format| match format {
            LogFormat::Text => "text".to_owned(),
            LogFormat::Json => "json".to_owned(),
        });
        given([
            ("redis_url", self.redis_url.clone()),
            ("namespace", self.namespace.clone()),
            ("data_dir", self.data_dir.clone()),
            ("log_format", log_format),
            ("log_filter", self.log_filter.clone()),
        ])
    }

    fn load(&self, flags: Flags) -> Result<Settings, ServiceError> {
        let environment = std::env::vars().filter(|(name, _)| name != "RETHREAD_CONFIG");
        Ok(Settings::load(self.config.as_deref(), environment, flags)?)
    }
}

impl ServiceFlags {
    pub(super) fn settings(&self) -> Result<Settings, ServiceError> {
        let queues = (!self.worker_queues.is_empty()).then(|| self.worker_queues.join(","));
        let mut flags = self.store.flags();
        flags.extend(given([
            ("worker_queues", queues),
            ("worker_slots", self.worker_slots.clone()),
            ("admin_listen", self.admin_listen.clone()),
            ("http_listen", self.http_listen.clone()),
            ("http_insecure", self.http_insecure.then(|| "true".to_owned())),
        ]));
        self.store.load(flags)
    }
}

fn given<const N: usize>(flags: [(&'static str, Option<String>); N]) -> Flags {
    flags.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
