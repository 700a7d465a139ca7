use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rethread_core::ids::{RunId, ThreadId};
use rethread_core::payload::Payload;
use rethread_core::settings::RunConfig;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::outside::current_scope;

/// What the caller of the run set for it.
///
/// Each run has its own: a resume must bring again what a body reads.
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::prelude::*;
///
/// #[task]
/// async fn greet() -> Result<String> {
///     let user: Option<String> = config()?.configurable("user_name")?;
///     Ok(format!("hello {}", user.as_deref().unwrap_or("stranger")))
/// }
/// ```
///
/// # Errors
/// Outside a run.
pub fn config() -> Result<Config> {
    let scope = current_scope("`config`")?;
    let info = scope.info();
    Ok(Config { thread: info.thread.clone(), run: info.run, facts: Arc::clone(&info.config) })
}

/// What the caller of a run set for it; see [`config()`].
#[derive(Clone)]
pub struct Config {
    thread: ThreadId,
    run: RunId,
    facts: Arc<RunConfig>,
}

impl Config {
    /// The thread.
    pub fn thread(&self) -> &ThreadId {
        &self.thread
    }

    /// The run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Words that the caller of the run gave it. Nothing else is done with them.
    pub fn tags(&self) -> &[String] {
        &self.facts.tags
    }

    /// A value for the bodies of the run; none if it is not set, or null.
    ///
    /// # Errors
    /// When the value is not a `T`.
    pub fn configurable<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        read("configurable", &self.facts.configurable, key)
    }

    /// The keys of all values for the bodies of the run, sorted.
    pub fn configurable_keys(&self) -> impl Iterator<Item = &str> {
        self.facts.configurable.keys().map(String::as_str)
    }

    /// A fact about the run; none if it is not set, or null.
    ///
    /// # Errors
    /// When the fact is not a `T`.
    pub fn metadata<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        read("metadata", &self.facts.metadata, key)
    }

    /// The keys of all facts about the run, sorted.
    pub fn metadata_keys(&self) -> impl Iterator<Item = &str> {
        self.facts.metadata.keys().map(String::as_str)
    }
}

fn read<T: DeserializeOwned>(
    what: &str,
    entries: &BTreeMap<String, Payload>,
    key: &str,
) -> Result<Option<T>> {
    match entries.get(key) {
        Some(value) if !value.is_null() => {
            Ok(Some(value.decode(format_args!("{what} `{key}` of the run"))?))
        }
        Some(_) | None => Ok(None),
    }
}

/// Shows keys only: values are the users' data.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("thread", &self.thread)
            .field("run", &self.run)
            .field("tags", &self.facts.tags)
            .field("configurable", &self.facts.configurable.keys())
            .field("metadata", &self.facts.metadata.keys())
            .finish()
    }
}
