//! Coordinators and workers as processes of their own.

use rethread::{EntrypointRef, Outcome};
use rethread_tests::wait_for;
use serde_json::{Value as Json, json};

use crate::cluster::Cluster;

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

fn steps() -> EntrypointRef<String, Vec<u64>> {
    EntrypointRef::named("steps")
}

fn all_steps() -> Vec<u64> {
    (0..10).map(|n| n * 10).collect()
}

/// Each of these steps ran once.
fn assert_ran_once(cluster: &Cluster, steps: std::ops::Range<u64>) {
    for n in steps {
        let starts = cluster.stage.starts("step", &n.to_string());
        assert_eq!(starts.len(), 1, "step {n} ran once: {starts:?}");
    }
}

#[tokio::test]
async fn an_essay_is_reviewed_across_processes() -> Result {
    let cluster = Cluster::new();
    let (_coordinator, _a, _b) = (cluster.coordinator(), cluster.worker(), cluster.worker());
    let client = cluster.client().await?;
    let thread = client.thread("essay-1")?;
    let workflow = EntrypointRef::<String, Json>::named("workflow");
    let outcome = thread.invoke(&workflow, "cat".into()).await?;
    let question: Json = outcome.interrupts()[0].value.decode()?;
    let essay = "An essay about topic: cat";
    let action = "Please approve/reject the essay";
    assert_eq!(question, json!({ "essay": essay, "action": action }));
    let outcome = thread.resume(true).typed::<Json>().await?;
    assert_eq!(outcome, Outcome::Done(json!({ "essay": essay, "is_approved": true })));
    assert_eq!(cluster.stage.starts("write_essay", "cat").len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_killed_worker_s_task_is_finished_by_another() -> Result {
    let cluster = Cluster::new();
    let (_coordinator, mut first) = (cluster.coordinator(), cluster.worker());
    let client = cluster.client().await?;
    let run = client.thread("t")?.invoke(steps(), "x".into()).start().await?;
    let held = wait_for("the task to hold", || cluster.stage.starts("hold", "x").pop());
    assert_eq!((held.attempt, held.pid), (1, first.pid()));
    let second = cluster.worker();
    first.kill();
    let again = wait_for("a second start", || cluster.stage.starts("hold", "x").get(1).cloned());
    assert_eq!((again.attempt, again.pid), (2, second.pid()));
    cluster.stage.open("x");
    assert_eq!(run.wait().await?, Outcome::Done(all_steps()));
    assert_ran_once(&cluster, 0..10);
    Ok(())
}

#[tokio::test]
async fn a_killed_coordinator_s_run_is_finished_by_another() -> Result {
    let cluster = Cluster::new();
    let (mut coordinator, _worker) = (cluster.coordinator(), cluster.worker());
    let client = cluster.client().await?;
    let run = client.thread("t")?.invoke(steps(), "x".into()).start().await?;
    wait_for("the task to hold", || cluster.stage.starts("hold", "x").pop());
    coordinator.kill();
    cluster.stage.open("x");
    let _second = cluster.coordinator();
    assert_eq!(run.wait().await?, Outcome::Done(all_steps()));
    assert_ran_once(&cluster, 0..10);
    assert_eq!(cluster.stage.starts("hold", "x").len(), 1, "the running task was left alone");
    Ok(())
}

#[tokio::test]
async fn a_paused_coordinator_can_write_nothing_when_it_wakes() -> Result {
    let cluster = Cluster::new();
    let (paused, _worker) = (cluster.coordinator(), cluster.worker());
    let client = cluster.client().await?;
    let run = client.thread("t")?.invoke(steps(), "x".into()).start().await?;
    wait_for("the task to hold", || cluster.stage.starts("hold", "x").pop());
    paused.signal("STOP");
    let second = cluster.standby();
    second.wait_for_log("ready");
    cluster.stage.open("x");
    assert_eq!(run.wait().await?, Outcome::Done(all_steps()));
    paused.signal("CONT");
    paused.wait_for_log("another node took the partition");
    assert_ran_once(&cluster, 0..10);
    let state = client.thread("t")?.state().await?.ok_or("the thread has a state")?;
    assert_eq!(state.values.decode::<Vec<u64>>()?, all_steps());
    // The cluster is as good as before: what the paused one held is served by the other.
    let outcome = client.thread("u")?.invoke(steps(), "x".into()).await?;
    assert_eq!(outcome, Outcome::Done(all_steps()));
    Ok(())
}

#[tokio::test]
async fn a_drained_coordinator_hands_over() -> Result {
    let cluster = Cluster::new();
    let (mut first, _worker) = (cluster.coordinator(), cluster.worker());
    let client = cluster.client().await?;
    let run = client.thread("t")?.invoke(steps(), "x".into()).start().await?;
    wait_for("the task to hold", || cluster.stage.starts("hold", "x").pop());
    let second = cluster.standby();
    first.signal("TERM");
    assert!(first.wait().success(), "it ends in order");
    second.wait_for_log("ready");
    cluster.stage.open("x");
    assert_eq!(run.wait().await?, Outcome::Done(all_steps()));
    assert_ran_once(&cluster, 0..10);
    Ok(())
}

#[tokio::test]
async fn redis_is_killed_and_comes_back() -> Result {
    let cluster = Cluster::new();
    let (_coordinator, _worker) = (cluster.coordinator(), cluster.worker());
    let client = cluster.client().await?;
    let run = client.thread("t")?.invoke(steps(), "x".into()).start().await?;
    wait_for("the task to hold", || cluster.stage.starts("hold", "x").pop());
    cluster.redis.kill();
    cluster.redis.restart();
    cluster.stage.open("x");
    assert_eq!(run.wait().await?, Outcome::Done(all_steps()));
    assert_ran_once(&cluster, 0..10);
    Ok(())
}
