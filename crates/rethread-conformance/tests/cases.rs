//! All cases, on the engines that need no processes of their own.

use std::path::Path;
use std::process::Command;

use rethread_redis::testing::RedisCluster;

/// Cases of the Functional API.
const FUNCTIONS: &str = "cases";
/// Cases of the Graph API.
const GRAPHS: &str = "graph-cases";

/// Runs the cases in a folder and fails with the differences.
fn run(cases: &str, arguments: &[&str]) {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join(cases);
    let output = Command::new(env!("CARGO_BIN_EXE_rethread-conformance"))
        .arg("suite")
        .args(arguments)
        .arg(cases)
        .output()
        .expect("the program starts");
    let (told, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{errors}");
}

#[test]
fn the_cases_hold_in_memory() {
    run(FUNCTIONS, &["--engine", "memory"]);
}

#[test]
fn the_graph_cases_hold_in_memory() {
    run(GRAPHS, &["--engine", "memory"]);
}

#[test]
fn the_graph_cases_hold_when_everything_that_rests_is_dropped() {
    run(GRAPHS, &["--engine", "memory", "--evict"]);
}

#[test]
fn the_graph_cases_hold_when_nodes_that_only_compute_run_inline() {
    run(GRAPHS, &["--engine", "memory", "--inline"]);
}

#[test]
fn the_graph_cases_hold_on_redis() {
    run(GRAPHS, &["--engine", "redis"]);
}

#[test]
fn the_cases_hold_on_redis() {
    run(FUNCTIONS, &["--engine", "redis"]);
}

#[test]
fn the_cases_hold_on_a_redis_cluster() {
    let cluster = RedisCluster::start();
    run(FUNCTIONS, &["--engine", "redis", "--redis", &cluster.url()]);
}
