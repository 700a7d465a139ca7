//! Bad input gets an error that says what to do, and changes nothing.

use std::process::Command;

use rethread::client::{ClientError, InterruptId, Refusal};
use rethread::{EntrypointRef, Outcome};
use rethread_tests::{Finished, run};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::cluster::Cluster;

fn app(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(Cluster::app());
    command.args(arguments).env("TEST_APP_DIR", folder.path()).current_dir(folder.path());
    command
}

fn refused(folder: &TempDir, arguments: &[&str], settings: &[(&str, &str)]) -> Finished {
    let finished = run(app(folder, arguments).envs(settings.iter().copied()), "");
    assert!(finished.code.is_some_and(|code| code == 1 || code == 2), "{finished:?}");
    finished
}

#[test]
fn an_unknown_entrypoint_names_the_known_ones() {
    let folder = TempDir::new().expect("a folder");
    let error = refused(&folder, &["run", "worklfow"], &[]).stderr;
    assert!(error.contains("`worklfow`") && error.contains("steps, workflow"), "{error}");
}

#[test]
fn an_input_of_another_type_names_the_type() {
    let folder = TempDir::new().expect("a folder");
    let error = refused(&folder, &["run", "steps", "[1]"], &[]).stderr;
    assert!(error.contains("`steps`") && error.contains("String"), "{error}");
}

#[test]
fn an_unreachable_redis_is_named() {
    let folder = TempDir::new().expect("a folder");
    let error =
        refused(&folder, &["worker", "--redis", "redis://:secret@127.0.0.1:1/"], &[]).stderr;
    assert!(error.contains("127.0.0.1:1"), "{error}");
    assert!(!error.contains("secret"), "a password is not shown: {error}");
}

#[test]
fn a_wrong_settings_key_names_the_known_ones() {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("settings.toml"), "worker_slot = 3\n").expect("written");
    let from_file = refused(&folder, &["dev", "--config", "settings.toml"], &[]);
    let from_environment = refused(&folder, &["dev"], &[("RETHREAD_WORKER_SLOT", "3")]);
    for finished in [from_file, from_environment] {
        assert_eq!(finished.code, Some(2), "{finished:?}");
        let error = finished.stderr;
        assert!(error.contains("`worker_slot`") && error.contains(", worker_slots,"), "{error}");
    }
}

#[test]
fn a_worker_without_redis_is_told_what_to_do() {
    let folder = TempDir::new().expect("a folder");
    let error = refused(&folder, &["worker"], &[]).stderr;
    assert!(error.contains("--redis") && error.contains("dev"), "{error}");
}

#[test]
fn a_store_that_is_open_already_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let stage = rethread_tests::Stage::default();
    let data = folder.path().join("data");
    let data = data.to_str().expect("text");
    let first =
        rethread_tests::Service::start(Cluster::app(), &stage, &["dev", "--data", data], &[]);
    first.wait_for_log("ready");
    let error = refused(&folder, &["run", "workflow", "\"x\"", "--data", data], &[]).stderr;
    assert!(error.contains(data) && error.contains("another process"), "{error}");
}

#[tokio::test]
async fn an_unknown_interrupt_is_refused_with_the_open_ones()
-> Result<(), Box<dyn std::error::Error>> {
    let cluster = Cluster::new();
    let (_coordinator, _worker) = (cluster.coordinator(), cluster.worker());
    let client = cluster.client().await?;
    let thread = client.thread("t")?;
    let workflow = EntrypointRef::<String, Json>::named("workflow");
    let outcome = thread.invoke(&workflow, "cat".into()).await?;
    let open = outcome.interrupts()[0].id;
    let unknown = InterruptId::from_bytes([1; 16]);
    let refused = thread.resume_by_id([(unknown, true)]).await;
    match refused {
        Err(ClientError::Refused(Refusal::UnknownInterrupt { id, open: named })) => {
            assert_eq!((id, named), (unknown, vec![open]));
        }
        other => panic!("not refused: {other:?}"),
    }
    // Nothing was applied: the question is still open and can be answered.
    let outcome = thread.resume_by_id([(open, "yes")]).typed::<Json>().await?;
    let essay = "An essay about topic: cat";
    assert_eq!(outcome, Outcome::Done(json!({ "essay": essay, "is_approved": "yes" })));
    let again = thread.resume("yes").await;
    assert!(
        matches!(again, Err(ClientError::Refused(Refusal::NothingToContinue { .. }))),
        "{again:?}"
    );
    Ok(())
}
