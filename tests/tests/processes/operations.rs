//! What operators see and do, on a live cluster and on an embedded store at rest.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use rethread::{EntrypointRef, Outcome};
use rethread_redis::testing::RedisServer;
use rethread_tests::{Finished, Service, Stage, run, wait_for};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::cluster::Cluster;

/// A command of the test application on the store that the settings name.
struct Operator {
    folder: TempDir,
    settings: Vec<(&'static str, String)>,
}

impl Operator {
    fn on_redis(url: String) -> Self {
        let folder = TempDir::new().expect("a folder");
        Self { folder, settings: vec![("RETHREAD_REDIS_URL", url)] }
    }

    fn embedded() -> Self {
        Self { folder: TempDir::new().expect("a folder"), settings: Vec::new() }
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        let mut command = Command::new(Cluster::app());
        command
            .args(arguments)
            .env("TEST_APP_DIR", self.folder.path())
            .current_dir(self.folder.path())
            .envs(self.settings.iter().map(|(name, value)| (*name, value.as_str())));
        run(&mut command, "")
    }

    /// What a command prints that succeeds.
    fn text(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments);
        assert_eq!(finished.code, Some(0), "{arguments:?} {finished:?}");
        finished.stdout
    }

    fn json(&self, arguments: &[&str]) -> Json {
        let text = self.text(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The kinds of what a thread waits for.
    fn why(&self, thread: &str) -> BTreeSet<String> {
        let explanation = self.json(&["why", thread]);
        let findings = explanation["findings"].as_array().cloned().unwrap_or_default();
        findings.iter().map(|it| it["kind"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// Asks a service for a page of its listener.
fn page(service: &Service, path: &str) -> (u16, String) {
    let address = wait_for("the address of the listener", || {
        let log = service.log();
        let place = log.split("address").nth(1)?;
        let start = place.find("127.0.0.1:")?;
        let address = place[start..].split(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
        address.into_iter().next().map(str::to_owned)
    });
    let mut stream = TcpStream::connect(&address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("asked");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    let status = text.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
    (status, text.split_once("\r\n\r\n").expect("a body").1.to_owned())
}

fn service(stage: &Stage, role: &str, url: &str, more: &[(&str, &str)]) -> Service {
    let mut settings = vec![
        ("RETHREAD_REDIS_URL", url),
        ("RETHREAD_LEASE_TTL_MS", "1000"),
        ("RETHREAD_ADMIN_LISTEN", "127.0.0.1:0"),
        ("NO_COLOR", "1"),
    ];
    settings.extend(more);
    let service = Service::start(Cluster::app(), stage, &[role], &settings);
    service.wait_for_log("ready");
    service
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_tell_what_a_live_cluster_does() {
    let cluster = Cluster::new();
    let url = cluster.redis.url();
    let operator = Operator::on_redis(url.clone());
    let coordinator = service(&cluster.stage, "coordinator", &url, &[]);
    let client = cluster.client().await.expect("connects");
    let thread = client.thread("essay-1").expect("valid");
    assert_eq!(operator.why("essay-1"), BTreeSet::from(["never_ran".to_owned()]));

    let workflow = EntrypointRef::<String, Json>::named("workflow");
    let started = thread.invoke(workflow, "cat".into()).start().await.expect("accepted");
    wait_for("a task that nobody runs", || {
        operator.why("essay-1").contains("no_worker").then_some(())
    });
    let text = operator.text(&["why", "essay-1"]);
    assert!(text.contains("`write_essay`") && text.contains("-> start a worker"), "{text}");

    let worker = service(&cluster.stage, "worker", &url, &[]);
    let outcome = started.wait().await.expect("asks");
    assert_eq!(outcome.interrupts().len(), 1);
    let explanation = operator.json(&["why", "essay-1"]);
    let question = explanation["findings"][0]["interrupt"].as_str().expect("an id").to_owned();
    assert_eq!(explanation["status"], "interrupted", "{explanation}");

    let threads = operator.json(&["threads", "list", "--status", "interrupted"]);
    assert_eq!(threads["threads"][0]["thread"], "essay-1", "{threads}");
    let shown = operator.json(&["threads", "show", "essay-1"]);
    assert_eq!(shown["open_questions"][0]["id"], question, "{shown}");
    assert_eq!(shown["values"], Json::Null);

    let resume = ["runs", "resume", "essay-1", "--id", &question, "--answer", "true"];
    let resumed = operator.json(&resume)["run"].as_str().expect("a run").to_owned();
    wait_for("the end of the run", || {
        let run = operator.json(&["runs", "show", "essay-1", &resumed]);
        (run["status"] == "done").then_some(())
    });
    assert_eq!(operator.why("essay-1"), BTreeSet::from(["idle".to_owned()]));
    let events = operator.text(&["events", "essay-1", &resumed, "--follow", "--json"]);
    let last: Json = serde_json::from_str(events.lines().last().expect("events")).expect("JSON");
    assert_eq!((&last["event"], &last["outcome"]), (&json!("run_ended"), &json!("done")));
    assert!(!events.contains("cat"), "values are shown only when asked for: {events}");

    let hold = EntrypointRef::<String, Vec<u64>>::named("steps");
    let held = client.thread("held").expect("valid");
    let run = held.invoke(hold, "gate".into()).start().await.expect("accepted");
    wait_for("a task that runs", || operator.why("held").contains("running").then_some(()));
    let metrics = page(&worker, "/metrics").1;
    assert!(metrics.contains("rethread_bodies_running 1"), "{metrics}");
    operator.text(&["runs", "cancel", "held", "--run", &run.run_id().to_string()]);
    assert!(operator.why("held").contains("cancelled"));

    let owners = operator.json(&["owners"]);
    let owners = owners.as_array().expect("a list");
    assert_eq!(owners.len(), 8);
    assert!(owners.iter().all(|partition| partition["owner"]["node"].is_string()), "{owners:?}");
    let workers = operator.json(&["workers"]);
    assert_eq!(workers[0]["tasks"], json!(["hold", "step", "write_essay"]), "{workers}");
    let queues = operator.json(&["queues"]);
    assert_eq!((&queues[0]["queue"], &queues[0]["workers"]), (&json!("default"), &json!(1)));
    assert_eq!(operator.json(&["dead-letters", "list"]), json!([]));
    assert_eq!(operator.json(&["config", "check"])["is_ok"], true);

    let metrics = page(&coordinator, "/metrics").1;
    for line in
        ["rethread_partitions_owned 8", "rethread_workers_alive 1", "rethread_dead_letters 0"]
    {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    operator.text(&["threads", "delete", "essay-1"]);
    assert_eq!(operator.run(&["threads", "show", "essay-1"]).code, Some(1));

    drop(coordinator);
    wait_for("a partition without an owner", || {
        operator.why("held").contains("no_owner").then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_follow_the_life_of_a_service() {
    let cluster = Cluster::new();
    let mut coordinator = service(&cluster.stage, "coordinator", &cluster.redis.url(), &[]);
    for path in ["/livez", "/startupz", "/readyz"] {
        assert_eq!(page(&coordinator, path).0, 200, "{path}");
    }
    cluster.redis.kill();
    let reason = wait_for("a service without its storage", || {
        let (status, body) = page(&coordinator, "/readyz");
        (status == 503).then_some(body)
    });
    assert!(reason.contains("\"storage\"") && reason.contains("reason"), "{reason}");
    assert_eq!(page(&coordinator, "/livez").0, 200, "it is not the process that is at fault");
    cluster.redis.restart();
    wait_for("a service that is ready again", || {
        (page(&coordinator, "/readyz").0 == 200).then_some(())
    });
    coordinator.signal("TERM");
    assert!(coordinator.wait().success());
}

#[test]
fn commands_work_on_an_embedded_store_at_rest() {
    let operator = Operator::embedded();
    let missing = operator.run(&["threads", "list"]);
    assert!(missing.stderr.contains("--data") && missing.code == Some(1), "{missing:?}");
    let asked = operator.run(&["run", "workflow", "\"cat\"", "--thread", "e1"]);
    assert_eq!(asked.code, Some(3), "{asked:?}");

    assert_eq!(operator.json(&["threads", "list"])["threads"][0]["status"], "interrupted");
    let why = operator.why("e1");
    assert!(why.contains("question"), "{why:?}");
    operator.text(&["runs", "resume", "e1", "--answer", "\"yes\""]);
    let done = wait_for("the end of the run", || {
        // Should it not have ended with the command, another engine goes on with it.
        let shown = operator.json(&["threads", "show", "e1", "--values"]);
        let is_done = shown["status"] == "idle";
        if !is_done {
            operator.run(&["threads", "prune", "e1", "--keep", "1"]);
        }
        is_done.then_some(shown)
    });
    assert_eq!(done["values"]["is_approved"], "yes", "{done}");
    assert_eq!(operator.json(&["threads", "prune", "e1", "--keep", "1"])["done"], true);
    assert_eq!(operator.json(&["threads", "delete", "e1"])["done"], true);
    assert_eq!(operator.json(&["threads", "list"])["threads"], json!([]));

    let stage = Stage::default();
    let data = operator.folder.path().join(".rethread");
    let settings = [("RETHREAD_DATA_DIR", data.to_str().expect("text"))];
    let dev = Service::start(Cluster::app(), &stage, &["dev"], &settings);
    dev.wait_for_log("ready");
    let locked = operator.run(&["threads", "list"]);
    assert_eq!(locked.code, Some(1), "{locked:?}");
    assert!(locked.stderr.contains("while none"), "{locked:?}");
}

/// Secrets that must stand nowhere but where they were put.
const SECRETS: [&str; 4] = ["canary-input", "canary-answer", "canary-password", "canary-context"];

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_no_log_metric_or_error() {
    let [input, answer, password, context] = SECRETS;
    let allowed = format!(">{password}");
    let redis = RedisServer::start_with(&["--user", "ada", "on", &allowed, "~*", "&*", "+@all"]);
    let url = redis.url().replace("redis://", &format!("redis://ada:{password}@"));
    let stage = Stage::default();
    let noisy = |format| [("RETHREAD_LOG_FORMAT", format), ("RETHREAD_LOG_FILTER", "debug")];
    let coordinator = service(&stage, "coordinator", &url, &noisy("json"));
    let worker = service(&stage, "worker", &url, &noisy("text"));

    let client = rethread::Client::connect(&url).await.expect("connects");
    let thread = client.thread("t1").expect("valid");
    let workflow = EntrypointRef::<String, Json>::named("workflow");
    let asked = thread.invoke(workflow, input.into()).context(json!({ "key": context })).await;
    assert_eq!(asked.expect("asks").interrupts().len(), 1);
    let outcome = thread.resume(answer).typed::<Json>().await.expect("ends");
    assert!(matches!(outcome, Outcome::Done(value) if value["is_approved"] == answer));

    let operator = Operator::on_redis(url.clone());
    let mut shown = vec![
        ("log of the coordinator", coordinator.log()),
        ("log of the worker", worker.log()),
        ("metrics of the coordinator", page(&coordinator, "/metrics").1),
        ("metrics of the worker", page(&worker, "/metrics").1),
        ("health", page(&coordinator, "/readyz").1),
        ("settings", operator.text(&["config", "show"])),
        ("settings as JSON", operator.json(&["config", "show"]).to_string()),
        ("threads", operator.json(&["threads", "list"]).to_string()),
        ("events", operator.text(&["events", "t1", "--json"])),
        ("client", format!("{client:?}")),
    ];
    redis.kill();
    wait_for("a service without its storage", || {
        (page(&coordinator, "/readyz").0 == 503).then_some(())
    });
    shown.push(("health without a storage", page(&coordinator, "/readyz").1));
    shown.push(("log without a storage", coordinator.log()));
    shown.push(("error of a command", operator.run(&["owners"]).stderr));
    let wrong = Operator::on_redis(format!("redis:/{password}@"));
    shown.push(("error of a wrong address", wrong.run(&["owners"]).stderr));
    for (what, text) in shown {
        assert!(!text.is_empty(), "{what} is empty");
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret} in {what}: {text}");
        }
    }
}
