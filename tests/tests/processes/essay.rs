//! The example of the README, as a newcomer runs it.

use std::path::Path;
use std::process::{Command, Stdio};

use rethread_tests::{Finished, example, run, wait_for};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

fn essay(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(example("essay"));
    command
        .args(arguments)
        .arg("--data")
        .arg(data)
        .arg("--ledger")
        .arg(data.with_extension("ledger"));
    command
}

fn starts(data: &Path) -> usize {
    std::fs::read_to_string(data.with_extension("ledger")).unwrap_or_default().lines().count()
}

fn result(finished: &Finished) -> Json {
    assert_eq!(finished.code, Some(0), "{finished:?}");
    serde_json::from_str(finished.last_line()).expect("the last line is the result as JSON")
}

fn reviewed(topic: &str, is_approved: Json) -> Json {
    json!({ "essay": format!("An essay about topic: {topic}"), "is_approved": is_approved })
}

#[test]
fn the_answer_is_read_from_standard_input() {
    let folder = TempDir::new().expect("a folder");
    let finished = run(&mut essay(&folder.path().join("data"), &["cat"]), "true\n");
    assert!(finished.stdout.contains("Please approve/reject the essay"), "{finished:?}");
    assert_eq!(result(&finished), reviewed("cat", json!(true)));
}

#[test]
fn a_flag_answers_without_a_terminal() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("data");
    let finished = run(&mut essay(&data, &["dog", "--answer", "{\"note\": \"longer\"}"]), "");
    assert_eq!(result(&finished), reviewed("dog", json!({ "note": "longer" })));
    assert_eq!(starts(&data), 1);
}

#[test]
fn without_an_answer_the_thread_is_kept() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("data");
    let finished = run(&mut essay(&data, &["cat", "--thread", "e1"]), "");
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let finished = run(&mut essay(&data, &["bird", "--thread", "e1", "--answer", "false"]), "");
    assert!(finished.stderr.contains("input is not used"), "a notice: {finished:?}");
    assert_eq!(result(&finished), reviewed("cat", json!(false)));
    assert_eq!(starts(&data), 1);
}

#[test]
fn killed_while_waiting_it_goes_on_where_it_was() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("data");
    let output = folder.path().join("output");
    let file = std::fs::File::create(&output).expect("a file");
    let mut waiting = essay(&data, &["cat", "--thread", "e1"])
        .stdin(Stdio::piped())
        .stdout(file)
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    wait_for("the question", || {
        let text = std::fs::read_to_string(&output).unwrap_or_default();
        text.contains("Please approve/reject the essay").then_some(())
    });
    waiting.kill().expect("SIGKILL");
    waiting.wait().expect("it is dead");
    let finished = run(&mut essay(&data, &["cat", "--thread", "e1", "--answer", "true"]), "");
    assert_eq!(result(&finished), reviewed("cat", json!(true)));
    assert_eq!(starts(&data), 1, "the essay was written once");
}
