use std::sync::Arc;
use std::thread::{JoinHandle, spawn};

use rethread_client::blocking::Client;
use rethread_client::{ClientError, EntrypointRef, HistoryQuery, Mode, Outcome, RunOutcome};
use rethread_storage::Storage;
use rethread_storage::memory::MemoryStorage;
use serde_json::{Value, json};

use crate::coordinator::{Coordinator, checkpoint_id, done};
use crate::shown::line;

/// A coordinator in a thread of its own that ends runs with these outcomes.
fn answering(storage: &Arc<dyn Storage>, outcomes: Vec<RunOutcome>) -> JoinHandle<()> {
    let storage = Arc::clone(storage);
    spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut coordinator = Coordinator::new(storage).await;
            for outcome in outcomes {
                let command = coordinator.command().await;
                coordinator.answer(&command, outcome).await;
            }
        });
    })
}

fn memory() -> Arc<dyn Storage> {
    Arc::new(MemoryStorage::new(1))
}

#[test]
fn a_program_without_a_runtime_has_it_all() {
    let storage = memory();
    let client = Client::from_storage(Arc::clone(&storage)).expect("starts");
    let outcomes =
        vec![done("cats"), done("dogs"), done(7), RunOutcome::Edited(Some(checkpoint_id(1)))];
    let coordinator = answering(&storage, outcomes);
    let thread = client.thread("essay-1").expect("an id");
    let workflow = EntrypointRef::<String, String>::named("workflow");

    let outcome = thread.invoke(&workflow, "cat".into()).tag("t").metadata("n", 1).send();
    assert_eq!(outcome, Ok(Outcome::Done("cats".into())));
    let run = thread.resume("x").typed::<String>().start().expect("accepted");
    assert_eq!(run.wait(), Ok(Outcome::Done("dogs".into())));
    assert_eq!(run.events_from(0).count(), 2);
    let events = thread.retry().stream([Mode::Tasks]).expect("accepted");
    let lines: Vec<_> = events.map(line).collect();
    assert!(lines.is_empty(), "{lines:?}");
    assert_eq!(
        thread.update_state("U").as_input().entrypoint("workflow").send(),
        Ok(checkpoint_id(1))
    );
    coordinator.join().expect("no panic");

    assert_eq!(thread.status(), Ok(None));
    assert_eq!(thread.history(HistoryQuery::new()), Ok(Vec::new()));
    let store = client.store();
    client.block_on(store.put(["a"], "k", &json!({"n": 1}))).expect("runs").expect("puts");
    let found = client.block_on(store.get::<Value>(["a"], "k")).expect("runs").expect("reads");
    assert_eq!(found.expect("is there").value, json!({"n": 1}));
}

#[test]
fn inside_a_runtime_it_is_an_error_and_no_panic() {
    let client = Client::from_storage(memory()).expect("starts");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async move {
        let error = Client::from_storage(memory()).expect_err("inside");
        assert_eq!(error, ClientError::InsideRuntime);
        let thread = client.thread("essay-1").expect("an id");
        assert_eq!(thread.status(), Err(ClientError::InsideRuntime));
        assert_eq!(thread.retry().send(), Err(ClientError::InsideRuntime));
        let mut events = thread.run(crate::coordinator::run_id(1)).events_from(0);
        assert_eq!(events.next(), Some(Err(ClientError::InsideRuntime)));
        assert_eq!(events.next(), None);
        // Its runtime goes down without waiting.
        drop((thread, events, client));
    });
}

#[test]
fn an_ephemeral_stream_that_is_dropped_leaves_nothing() {
    let storage = memory();
    let client = Client::from_storage(Arc::clone(&storage)).expect("starts");
    // The end of the run, and that of the deletion.
    let coordinator = answering(&storage, vec![done("cats"), RunOutcome::Edited(None)]);
    let workflow = EntrypointRef::<String, String>::named("workflow");
    let request = client.ephemeral().invoke(&workflow, "cat".into());
    drop(request.stream([Mode::Values]).expect("accepted"));
    coordinator.join().expect("no panic");
}
