use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use rethread_sdk::{Entrypoint, Error, Task};
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::layer;
use crate::settings::SecretUrl;
use crate::{App, Embedded};

#[test]
fn an_address_that_cannot_be_used_is_refused_without_its_password() {
    let endpoint = SecretUrl::from("http://ada:hunter2@no host:4318/");
    let error = super::start(&endpoint, "s").map(drop).expect_err("it is no address").to_string();
    assert!(error.contains("otlp_endpoint") && !error.contains("hunter2"), "{error}");
}

/// Keeps what has ended.
#[derive(Debug, Clone, Default)]
struct Ended(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Ended {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(spans);
        Ok(())
    }
}

impl Ended {
    /// Waits until spans of these names have ended.
    fn spans(&self, names: &[&str]) -> BTreeMap<String, SpanData> {
        let give_up = Instant::now() + Duration::from_secs(60);
        loop {
            let ended = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let by_name: BTreeMap<_, _> =
                ended.into_iter().map(|span| (span.name.to_string(), span)).collect();
            if names.iter().all(|name| by_name.contains_key(*name)) {
                return by_name;
            }
            assert!(Instant::now() < give_up, "spans are missing: {:?}", by_name.keys());
            std::thread::yield_now();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_through_client_coordinator_and_worker() {
    let exporter = Ended::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    tracing_subscriber::registry().with(layer(&provider)).init();
    let double = Task::new("double", |n: u64| async move {
        // What a body does is part of the trace too.
        tracing::info_span!("body").in_scope(|| Ok::<_, Error>(n * 2))
    });
    let task = double.clone();
    let entrypoint = Entrypoint::new("doubled", move |n: u64| {
        let task = Arc::new(task.clone());
        async move { task.call((n,)).await }
    });
    let app = App::new().entrypoint(entrypoint.clone()).task(double);
    let engine = Embedded::in_memory(app).await.expect("starts");
    let thread = engine.client().thread("t").expect("valid");
    let outer = tracing::info_span!("caller");
    let run = thread.invoke(&entrypoint, 21).start().instrument(outer).await.expect("accepted");
    assert_eq!(run.wait().await.expect("runs").done(), Some(42));
    engine.shutdown().await.expect("stops");

    let names = ["caller", "rethread.run", "rethread.turn", "rethread.commit", "attempt", "body"];
    let spans = exporter.spans(&names);
    let trace: TraceId = spans["caller"].span_context.trace_id();
    let id = |name: &str| -> SpanId { spans[name].span_context.span_id() };
    for (name, parent) in [
        ("rethread.run", "caller"),
        ("rethread.turn", "rethread.run"),
        ("rethread.commit", "rethread.turn"),
        ("attempt", "rethread.run"),
        ("body", "attempt"),
    ] {
        assert_eq!(spans[name].span_context.trace_id(), trace, "{name}");
        assert_eq!(spans[name].parent_span_id, id(parent), "{name} is a child of {parent}");
    }
}
