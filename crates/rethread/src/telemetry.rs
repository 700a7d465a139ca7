//! The log of a service: structured, on standard error, without payloads.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, Settings, SettingsError};

/// Starts logging for the whole process. A second call has no effect.
///
/// # Errors
/// [`SettingsError`] when `log_filter` is not a filter.
pub fn init(settings: &Settings) -> Result<(), SettingsError> {
    let filter = EnvFilter::try_new(&settings.log_filter).map_err(|error| {
        SettingsError::OutOfRange { name: "log_filter", reason: error.to_string() }
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    // An error means that the program has set up a subscriber of its own, which then stays.
    let _kept = match settings.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}
