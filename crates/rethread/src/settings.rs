//! Settings of a service: one name each, in a file, in the environment and as a flag.
//!
//! `worker_slots` in the TOML file is `RETHREAD_WORKER_SLOTS` in the environment; common settings
//! have a flag, here `--slots`. A flag wins over the environment, the environment over the file,
//! the file over the default. An unknown name is an error that lists the known ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config, File, FileFormat, Map, Source, Value, ValueKind};
use serde::Deserialize;

/// Prefix of the environment variables.
const ENVIRONMENT_PREFIX: &str = "RETHREAD_";
/// Variables with this prefix belong to the project's own tests.
const TEST_PREFIX: &str = "RETHREAD_TEST_";
/// The names of all settings.
const NAMES: [&str; 15] = [
    "redis_url",
    "namespace",
    "partitions",
    "data_dir",
    "data_sync",
    "worker_queues",
    "worker_slots",
    "lease_ttl_ms",
    "worker_dead_after_ms",
    "evict_after_ms",
    "calls_max",
    "event_retention_ms",
    "drain_timeout_ms",
    "log_format",
    "log_filter",
];
/// Settings that hold a list; separated by commas in the environment.
const LISTS: [&str; 1] = ["worker_queues"];

/// The settings of a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address of Redis, `redis://[user:password@]host:port[/db]`. None: the embedded store.
    pub redis_url: Option<String>,
    /// Separates installations that share one Redis. Default `default`.
    pub namespace: String,
    /// Partitions of a new namespace on Redis; an existing one keeps its number. Default 16.
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
    /// Idle time after which a thread leaves memory, in milliseconds. Default 60,000.
    pub evict_after_ms: u64,
    /// Most calls that one execution may make. Default 100,000.
    pub calls_max: usize,
    /// How long the events of a run are kept after its end, in milliseconds. Default one day.
    pub event_retention_ms: u64,
    /// How long a service that was told to stop waits for running bodies, in milliseconds.
    /// Default 30,000.
    pub drain_timeout_ms: u64,
    /// Form of the log on standard error. Default `text`.
    pub log_format: LogFormat,
    /// What is logged, as a filter of `tracing` (`debug`, `rethread=debug,warn`). Default `info`,
    /// and only warnings of libraries beneath.
    pub log_filter: String,
}

/// What a write to the embedded store survives before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub enum DataSync {
    /// Power loss: each group of writes is synced to disk.
    #[default]
    Disk,
    /// Crashes of the process, not power loss.
    Process,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl TryFrom<String> for DataSync {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "disk" => Ok(Self::Disk),
            "process" => Ok(Self::Process),
            _ => Err(format!("`{text}` is not known: use `disk` or `process`")),
        }
    }
}

impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{text}` is not known: use `text` or `json`")),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            redis_url: None,
            namespace: "default".into(),
            partitions: None,
            data_dir: ".rethread".into(),
            data_sync: DataSync::default(),
            worker_queues: vec!["default".into()],
            worker_slots: 16,
            lease_ttl_ms: 10_000,
            worker_dead_after_ms: 1_200,
            evict_after_ms: 60_000,
            calls_max: 100_000,
            event_retention_ms: 24 * 60 * 60 * 1_000,
            drain_timeout_ms: 30_000,
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
        let from_environment = environment.into_iter().filter_map(|(name, value)| {
            if name.starts_with(TEST_PREFIX) || value.is_empty() {
                return None;
            }
            let setting = name.strip_prefix(ENVIRONMENT_PREFIX)?.to_ascii_lowercase();
            let origin = format!("environment variable {name}");
            Some((setting, value, origin))
        });
        let from_environment = Texts::new(from_environment);
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
        settings.checked()
    }

    fn checked(self) -> Result<Self, SettingsError> {
        let out_of_range =
            |name, reason: &str| Err(SettingsError::OutOfRange { name, reason: reason.to_owned() });
        if self.worker_slots == 0 {
            return out_of_range("worker_slots", "a worker needs at least 1 slot");
        }
        if self.worker_queues.is_empty() {
            return out_of_range("worker_queues", "name at least one queue");
        }
        if self.partitions.is_some_and(|partitions| !(1..=1_024).contains(&partitions)) {
            return out_of_range("partitions", "choose from 1 to 1024");
        }
        if self.lease_ttl_ms < 500 {
            return out_of_range("lease_ttl_ms", "a lease of less than 500 ms is lost by chance");
        }
        if self.worker_dead_after_ms < 500 {
            return out_of_range("worker_dead_after_ms", "a heartbeat comes every 300 ms");
        }
        if self.namespace.is_empty() || self.namespace.len() > 64 {
            return out_of_range("namespace", "use 1 to 64 bytes");
        }
        Ok(self)
    }

    pub(crate) fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}

fn check_names(names: impl Iterator<Item = (String, String)>) -> Result<(), SettingsError> {
    for (name, origin) in names {
        if !NAMES.contains(&name.as_str()) {
            return Err(SettingsError::Unknown { name, origin, known: &NAMES });
        }
    }
    Ok(())
}

/// Texts by name, as the environment and flags give them.
#[derive(Debug, Clone)]
struct Texts(Vec<(String, String, String)>);

impl Texts {
    fn new(texts: impl Iterator<Item = (String, String, String)>) -> Self {
        Self(texts.collect())
    }

    fn names(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().map(|(name, _, origin)| (name.clone(), origin.clone()))
    }
}

impl Source for Texts {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        let value = |setting: &str, text: &str, origin: &String| {
            if !LISTS.contains(&setting) {
                return Value::new(Some(origin), text);
            }
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            let items = items.map(|item| Value::new(Some(origin), item)).collect();
            Value::new(Some(origin), ValueKind::Array(items))
        };
        Ok(self
            .0
            .iter()
            .map(|(name, text, origin)| (name.clone(), value(name, text, origin)))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("written");
        file
    }

    fn error(result: Result<Settings, SettingsError>) -> String {
        result.expect_err("must be refused").to_string()
    }

    #[test]
    fn flags_win_over_environment_over_file_over_defaults() {
        let file = file("worker_slots = 1\nnamespace = \"file\"\nlog_format = \"json\"\n");
        let environment = env(&[
            ("RETHREAD_WORKER_SLOTS", "2"),
            ("RETHREAD_WORKER_QUEUES", "a, b"),
            ("HOME", "/"),
        ]);
        let flags = BTreeMap::from([("worker_slots", "3".to_owned())]);
        let settings = Settings::load(Some(file.path()), environment, flags).expect("valid");
        let expected = Settings {
            worker_slots: 3,
            worker_queues: vec!["a".into(), "b".into()],
            namespace: "file".into(),
            log_format: LogFormat::Json,
            ..Settings::default()
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn an_unknown_name_is_refused_with_its_origin_and_the_known_ones() {
        let file = file("worker_slot = 1");
        let from_file = Settings::load(Some(file.path()), [], BTreeMap::new());
        let environment = env(&[("RETHREAD_WORKER_SLOT", "1")]);
        let from_environment = Settings::load(None, environment, BTreeMap::new());
        let path = file.path().display().to_string();
        for (settings, origin) in
            [(from_file, path.as_str()), (from_environment, "RETHREAD_WORKER_SLOT")]
        {
            let text = error(settings);
            let parts = ["`worker_slot`", origin, "worker_slots"];
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
    }

    #[test]
    fn the_list_of_names_is_that_of_the_fields() {
        let text = format!("{:?}", Settings::default());
        assert!(NAMES.iter().all(|name| text.contains(&format!("{name}: "))), "{text}");
        assert_eq!(text.matches(": ").count(), NAMES.len(), "{text}");
    }

    #[test]
    fn a_choice_names_its_values_and_an_empty_variable_is_none() {
        let environment = env(&[("RETHREAD_DATA_SYNC", "fast"), ("RETHREAD_REDIS_URL", "")]);
        let text = error(Settings::load(None, environment, BTreeMap::new()));
        assert!(text.contains("`disk` or `process`") && text.contains("data_sync"), "{text}");
        let environment = env(&[("RETHREAD_REDIS_URL", "")]);
        let settings = Settings::load(None, environment, BTreeMap::new()).expect("valid");
        assert_eq!(settings.redis_url, None);
    }

    #[test]
    fn a_wrong_value_names_its_setting_and_origin() {
        let text =
            error(Settings::load(None, env(&[("RETHREAD_WORKER_SLOTS", "many")]), BTreeMap::new()));
        assert!(text.contains("worker_slots") || text.contains("RETHREAD_WORKER_SLOTS"), "{text}");
        let text =
            error(Settings::load(None, env(&[("RETHREAD_WORKER_SLOTS", "0")]), BTreeMap::new()));
        assert!(text.contains("worker_slots") && text.contains("at least 1"), "{text}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let missing = Path::new("no/such/file.toml");
        let text = error(Settings::load(Some(missing), [], BTreeMap::new()));
        assert!(text.contains("no/such/file.toml"), "{text}");
    }
}
