//! Traces of OpenTelemetry, sent to a collector over OTLP.

use std::collections::HashMap;
use std::fmt;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use rethread_sdk::trace::{Propagation, TraceContext, install};
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;

use super::BoxedLayer;
use crate::settings::{SecretUrl, SettingsError};

/// Sends what is left when it is dropped.
#[derive(Debug)]
pub(super) struct Exporter(SdkTracerProvider);

impl Drop for Exporter {
    fn drop(&mut self) {
        // A collector that is away must not keep the process.
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// A layer that records spans, and what sends them.
pub(super) fn start(
    endpoint: &SecretUrl,
    service: &str,
) -> Result<(BoxedLayer, Exporter), SettingsError> {
    let base = endpoint.reveal().trim_end_matches('/');
    let built = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{base}/v1/traces"))
        .build();
    let exporter = built.map_err(|error| SettingsError::OutOfRange {
        name: "otlp_endpoint",
        // The error may show the address, and with it a password.
        reason: error.to_string().replace(base, &endpoint.to_string()),
    })?;
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name(service.to_owned()).build())
        .with_batch_exporter(exporter)
        .build();
    Ok((layer(&provider), Exporter(provider)))
}

/// A layer that records spans of this provider. Has runs carry their traces from now on.
pub(super) fn layer(provider: &SdkTracerProvider) -> BoxedLayer {
    install(W3c(TraceContextPropagator::new()));
    // What sends traces must not make any.
    let quiet = ["hyper", "hyper_util", "opentelemetry", "opentelemetry_sdk", "reqwest"];
    let targets = quiet.iter().map(|target| (*target, tracing::level_filters::LevelFilter::OFF));
    let filter = Targets::new().with_default(Level::INFO).with_targets(targets);
    let tracer = provider.tracer("rethread");
    // Log lines stay in the log: as events of spans they would be sent twice.
    let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_location(false);
    layer.with_filter(filter).boxed()
}

/// Carries the place of a span in the form of the W3C recommendation.
struct W3c(TraceContextPropagator);

impl Propagation for W3c {
    fn context(&self, span: &Span) -> Option<TraceContext> {
        let context = span.context();
        if !context.span().span_context().is_valid() {
            return None;
        }
        let mut headers = HashMap::new();
        self.0.inject_context(&context, &mut headers);
        let mut header = |name: &str| headers.remove(name);
        let parent = header("traceparent")?;
        Some(TraceContext { parent, state: header("tracestate").unwrap_or_default() })
    }

    fn follow(&self, span: &Span, parent: &TraceContext) {
        let headers = HashMap::from([
            ("traceparent".to_owned(), parent.parent.clone()),
            ("tracestate".to_owned(), parent.state.clone()),
        ]);
        // A span that is filtered out follows nothing.
        let _ = span.set_parent(self.0.extract(&headers));
    }
}

impl fmt::Debug for W3c {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("W3c")
    }
}

#[cfg(test)]
mod tests;
