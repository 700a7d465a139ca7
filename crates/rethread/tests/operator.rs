//! The program `rethread`, which has no code of an application.

use std::process::{Command, Output};

fn rethread(arguments: &[&str], folder: &std::path::Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rethread"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RETHREAD_")) {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(folder).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn it_has_the_gateway_and_the_commands_of_operators() {
    let folder = tempfile::tempdir().expect("a folder");
    let help = text(&rethread(&["--help"], folder.path()).stdout);
    let has =
        |command: &str| help.lines().any(|line| line.split_whitespace().next() == Some(command));
    for command in ["gateway", "threads", "token", "why"] {
        assert!(has(command), "{help}");
    }
    for role in ["coordinator", "worker", "dev", "run"] {
        assert!(!has(role), "{help}");
    }
}

#[test]
fn a_gateway_needs_something_to_share() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = rethread(&["gateway"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("a gateway shares") && error.contains("--redis"), "{error}");
}

#[test]
fn tokens_of_an_embedded_store_are_made_listed_and_revoked() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = |arguments: &[&str]| -> serde_json::Value {
        let output = rethread(&[arguments, &["--json"]].concat(), folder.path());
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{error}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let made = json(&["token", "create", "--name", "ci", "--tenant", "acme", "--scope", "read"]);
    let (token, id) = (made["token"].as_str(), made["info"]["id"].as_str().expect("an id"));
    let token = token.expect("a token");
    assert!(token.starts_with("rt_") && token.len() == 67, "{token}");
    let list = json(&["token", "list"]);
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!((&list[0]["id"], &list[0]["tenant"]), (&made["info"]["id"], &"acme".into()));
    assert_eq!(list[0]["scopes"], serde_json::json!(["read"]));
    assert!(list[0]["expires_at_ms"].is_u64() && !list.to_string().contains(&token[3..]), "{list}");
    for (arguments, code) in [
        (&["token", "create", "--scope", "all"][..], 2),
        (&["token", "create", "--expires", "soon"][..], 2),
        (&["token", "create", "--tenant", "a/b"][..], 1),
        (&["token", "revoke", "unknown"][..], 1),
    ] {
        assert_eq!(rethread(arguments, folder.path()).status.code(), Some(code), "{arguments:?}");
    }
    json(&["token", "revoke", id]);
    assert_eq!(json(&["token", "list"]), serde_json::json!([]));
}

#[test]
fn runs_of_an_embedded_store_are_left_to_the_program_that_has_their_code() {
    let folder = tempfile::tempdir().expect("a folder");
    rethread(&["token", "create"], folder.path());
    for arguments in [&["threads", "delete", "t"][..], &["runs", "retry", "t"][..]] {
        let output = rethread(arguments, folder.path());
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        assert!(error.contains("the program whose runs are in it"), "{error}");
    }
}
