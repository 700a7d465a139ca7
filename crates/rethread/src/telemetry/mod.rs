//! The log of a service, structured and without payloads, and its traces.

#[cfg(feature = "otlp")]
mod otlp;

use std::io::{self, IsTerminal};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::settings::{LogFormat, Settings, SettingsError};

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Sends traces while it lives; what is left is sent when it is dropped.
#[derive(Debug)]
#[must_use = "traces are sent while it lives"]
pub(crate) struct Telemetry {
    #[cfg(feature = "otlp")]
    _exporter: Option<otlp::Exporter>,
}

/// Starts logging for the whole process. A second call has no effect.
///
/// # Errors
/// [`SettingsError`] when `log_filter` is not a filter.
pub fn init(settings: &Settings) -> Result<(), SettingsError> {
    // An error means that the program has set up a subscriber of its own, which then stays.
    let _kept = tracing_subscriber::registry().with(log(settings)?).try_init();
    Ok(())
}

/// Starts logging, and tracing if the settings name a collector, for the whole process.
///
/// # Errors
/// [`SettingsError`] when a setting cannot be used.
pub(crate) fn start(settings: &Settings) -> Result<Telemetry, SettingsError> {
    #[cfg(feature = "otlp")]
    if let Some(endpoint) = &settings.otlp_endpoint {
        let (layer, exporter) = otlp::start(endpoint, &settings.otlp_service_name)?;
        let layers = vec![log(settings)?, layer];
        // As above; the traces then are those of that subscriber.
        let _kept = tracing_subscriber::registry().with(layers).try_init();
        return Ok(Telemetry { _exporter: Some(exporter) });
    }
    init(settings)?;
    Ok(Telemetry {
        #[cfg(feature = "otlp")]
        _exporter: None,
    })
}

/// Writes the log to standard error.
fn log(settings: &Settings) -> Result<BoxedLayer, SettingsError> {
    let filter = EnvFilter::try_new(&settings.log_filter).map_err(|error| {
        SettingsError::OutOfRange { name: "log_filter", reason: error.to_string() }
    })?;
    let lines = fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    Ok(match settings.log_format {
        LogFormat::Text => lines.with_filter(filter).boxed(),
        LogFormat::Json => lines.json().with_filter(filter).boxed(),
    })
}
