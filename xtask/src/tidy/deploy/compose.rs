//! Roles in a compose file are watched, and are given the time to drain.

use serde_json::Value;

use super::super::finding::Finding;
use super::super::tree::File;
use super::{seconds, too_short};

/// The command lines of roles that drain.
const ROLES: [&str; 4] = ["coordinator", "worker", "gateway", "dev"];

pub(super) fn check(file: &File, documents: &[Value], drain_s: u64) -> Vec<Finding> {
    let services = documents.iter().filter_map(|document| document["services"].as_object());
    let mut findings = Vec::new();
    for (name, service) in services.flatten() {
        let mut say = |message: String| {
            findings.push(Finding::whole(&file.path, format!("service `{name}`: {message}")));
        };
        if service["healthcheck"]["test"].is_null() && !service["profiles"].is_array() {
            say("has no healthcheck".to_owned());
        }
        if !service["command"][0].as_str().is_some_and(|command| ROLES.contains(&command)) {
            continue;
        }
        let grace = service["stop_grace_period"].as_str().and_then(seconds);
        if let Some(message) = too_short("stop_grace_period", grace, drain_s) {
            say(message);
        }
        if !service["container_name"].is_null() {
            say("has a `container_name`, so there can only be one of it".to_owned());
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::super::tree::Tree;
    use super::super::yaml::documents;
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let tree = Tree::of(&[("deploy/compose.yaml", text)]);
        let documents = documents(text).expect("reads");
        let found = check(&tree.files[0], &documents, 30);
        found.iter().map(|finding| finding.message().to_owned()).collect()
    }

    #[test]
    fn roles_have_time_to_drain() {
        let service = |name: &str, more: &str| {
            format!(
                "services:\n  {name}:\n    command: [{name}]\n    healthcheck: {{test: [x]}}\n    {more}\n"
            )
        };
        assert!(messages(&service("worker", "stop_grace_period: 35s")).is_empty());
        assert!(messages(&service("redis", "restart: always")).is_empty());
        assert!(messages(&service("worker", "restart: always"))[0].contains("is missing"));
        assert!(messages(&service("coordinator", "stop_grace_period: 34s"))[0].contains("34 s"));
    }

    #[test]
    fn services_are_watched() {
        assert_eq!(messages("services: {a: {image: b}}"), ["service `a`: has no healthcheck"]);
        assert!(messages("services: {a: {image: b, profiles: [c]}}").is_empty());
    }
}
