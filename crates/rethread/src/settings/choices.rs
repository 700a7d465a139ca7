//! Settings that are one of a few words.

use serde::{Deserialize, Serialize};

/// What a write to the embedded store survives before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(try_from = "String", rename_all = "lowercase")]
#[non_exhaustive]
pub enum DataSync {
    /// Power loss: each group of writes is synced to disk.
    #[default]
    Disk,
    /// Crashes of the process, not power loss.
    Process,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, clap::ValueEnum)]
#[serde(try_from = "String", rename_all = "lowercase")]
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
