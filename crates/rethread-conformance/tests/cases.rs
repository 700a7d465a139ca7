//! All cases, on the engines that need no processes of their own.

use std::path::Path;
use std::process::Command;

use rethread_redis::testing::RedisCluster;

/// Runs the cases in `cases/` and fails with the differences.
fn run(arguments: &[&str]) {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
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
    run(&["--engine", "memory"]);
}

#[test]
fn the_cases_hold_on_redis() {
    run(&["--engine", "redis"]);
}

#[test]
fn the_cases_hold_on_a_redis_cluster() {
    let cluster = RedisCluster::start();
    run(&["--engine", "redis", "--redis", &cluster.url()]);
}
