//! The environment and flags as sources of settings.

use config::{Map, Source, Value, ValueKind};

use super::{LISTS, NAMES, SettingsError};

/// Prefix of the environment variables.
const ENVIRONMENT_PREFIX: &str = "RETHREAD_";
/// Variables with this prefix belong to the project's own tests.
const TEST_PREFIX: &str = "RETHREAD_TEST_";

/// Name, text and origin of the settings in an environment. An empty variable says nothing.
pub(super) fn from_environment(
    variables: impl IntoIterator<Item = (String, String)>,
) -> impl Iterator<Item = (String, String, String)> {
    variables.into_iter().filter_map(|(name, value)| {
        if name.starts_with(TEST_PREFIX) || value.is_empty() {
            return None;
        }
        let setting = name.strip_prefix(ENVIRONMENT_PREFIX)?.to_ascii_lowercase();
        let origin = format!("environment variable {name}");
        Some((setting, value, origin))
    })
}

pub(super) fn check_names(
    names: impl Iterator<Item = (String, String)>,
) -> Result<(), SettingsError> {
    for (name, origin) in names {
        if !NAMES.contains(&name.as_str()) {
            return Err(SettingsError::Unknown { name, origin, known: &NAMES });
        }
    }
    Ok(())
}

/// Texts by name, as the environment and flags give them.
#[derive(Debug, Clone)]
pub(super) struct Texts(Vec<(String, String, String)>);

impl Texts {
    pub(super) fn new(texts: impl Iterator<Item = (String, String, String)>) -> Self {
        Self(texts.collect())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = (String, String)> {
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
