//! What the client says in the log while it waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rethread_client::{ClientError, EntrypointRef};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::coordinator::{pair, started};

/// Counts warnings.
#[derive(Debug, Clone, Default)]
struct Warnings(Arc<AtomicU32>);

impl Warnings {
    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("rethread_client")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if *event.metadata().level() == Level::WARN {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_starts_is_warned_of_once() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let (client, mut coordinator) = pair().await;
    let thread = client.thread("essay-1").expect("an id");
    let workflow = EntrypointRef::<String, String>::named("workflow");
    let run = thread.invoke(workflow, "cat".into()).start().await.expect("accepted");

    let waited = run.wait_for(Duration::from_secs(9)).await;
    assert!(matches!(waited, Err(ClientError::Timeout { .. })), "{waited:?}");
    assert_eq!(warnings.count(), 0, "it may still start");
    let waited = run.wait_for(Duration::from_secs(3_600)).await;
    assert!(matches!(waited, Err(ClientError::Timeout { .. })), "{waited:?}");
    assert_eq!(warnings.count(), 1);

    coordinator.say(thread.id(), run.run_id(), vec![started("workflow")]).await;
    let waited = run.wait_for(Duration::from_secs(3_600)).await;
    assert!(matches!(waited, Err(ClientError::Timeout { .. })), "{waited:?}");
    assert_eq!(warnings.count(), 1, "a run that has started may take its time");
}
