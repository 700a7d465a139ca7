//! The files below `deploy/` can be read, and say the same as the documentation.
//!
//! Nothing here starts anything: a file that passes is well-formed and consistent, not tried.

mod compose;
mod kubernetes;
mod names;
mod redis;
mod units;
mod yaml;

use super::finding::Finding;
use super::tree::{File, Tree};

const HERE: &str = "deploy/";
/// A supervisor waits at least this much longer than a drain may take, before it kills.
const MARGIN_S: u64 = 5;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = names::check(tree);
    let Some(drain_s) = drain_timeout_s(tree) else {
        let message = "no default of `drain_timeout_ms`: the files below deploy/ are checked by it";
        findings.push(Finding::whole(names::SETTINGS, message));
        return findings;
    };
    for file in files(tree) {
        if file.has_extension(&["yaml", "yml"]) {
            match yaml::documents(&file.text) {
                Ok(documents) => {
                    findings.extend(compose::check(file, &documents, drain_s));
                    findings.extend(kubernetes::check(tree, file, &documents, drain_s));
                    findings.extend(redis::check_yaml(file, &documents));
                }
                Err(reason) => findings.push(Finding::whole(&file.path, reason)),
            }
        } else if file.has_extension(&["json"]) {
            if let Err(error) = serde_json::from_str::<serde_json::Value>(&file.text) {
                findings.push(Finding::at(&file.path, error.line(), error.to_string()));
            }
        } else if file.has_extension(&["service", "target"]) {
            findings.extend(units::check(file, drain_s));
        } else if file.name() == "redis.conf" {
            findings.extend(redis::check_conf(file));
        }
    }
    findings.extend(kubernetes::check_selectors(tree));
    findings
}

fn files(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files.iter().filter(|file| file.path.starts_with(HERE))
}

/// The longest time that any of these installations lets a role drain, in whole seconds.
fn drain_timeout_s(tree: &Tree) -> Option<u64> {
    let default = names::default_of(tree, "drain_timeout_ms")?;
    let set = files(tree).flat_map(|file| names::values_of(file, "RETHREAD_DRAIN_TIMEOUT_MS"));
    Some(set.fold(default, u64::max).div_ceil(1_000))
}

/// What is wrong with a time after which a process is killed.
fn too_short(what: &str, seconds: Option<u64>, drain_s: u64) -> Option<String> {
    let least = drain_s + MARGIN_S;
    match seconds {
        Some(seconds) if seconds >= least => None,
        Some(seconds) => {
            Some(format!("{what} is {seconds} s, less than a drain and a margin: {least} s"))
        }
        None => Some(format!("{what} is missing: a drain may take {drain_s} s")),
    }
}

/// Seconds of `45`, `45s`, `2m`, `1m30s`.
fn seconds(text: &str) -> Option<u64> {
    let (mut total, mut number) = (0, String::new());
    for c in text.trim().chars() {
        match c {
            '0'..='9' => number.push(c),
            's' | 'm' | 'h' => {
                let factor = match c {
                    's' => 1,
                    'm' => 60,
                    _ => 3_600,
                };
                total += number.parse::<u64>().ok()? * factor;
                number.clear();
            }
            _ => return None,
        }
    }
    if number.is_empty() { Some(total) } else { Some(total + number.parse::<u64>().ok()?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "| Setting | Flag | Default | Meaning |\n|---|---|---|---|\n\
                        | `drain_timeout_ms` | | 30000 | how long |\n";

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        let page = [(names::SETTINGS, PAGE)];
        let tree = Tree::of(&[files, &page].concat());
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn files_are_read() {
        let found = messages(&[("deploy/a.yaml", "a: [1"), ("deploy/b.json", "{\"a\": 1,}")]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(messages(&[("deploy/a.yaml", "a: [1]"), ("deploy/b.json", "{}")]).is_empty());
    }

    #[test]
    fn who_drains_longer_is_waited_for_longer() {
        let compose = |set: &str| {
            format!(
                "services:\n  w:\n    command: [worker]\n    healthcheck: {{test: [CMD, x]}}\n    \
                 stop_grace_period: 45s\n    environment: {{RETHREAD_DRAIN_TIMEOUT_MS: \"{set}\"}}\n"
            )
        };
        assert!(messages(&[("deploy/compose.yaml", &compose("30000"))]).is_empty());
        let found = messages(&[("deploy/compose.yaml", &compose("60000"))]);
        assert!(found.len() == 1 && found[0].contains("65 s"), "{found:?}");
    }

    #[test]
    fn the_page_must_say_how_long_a_drain_takes() {
        let found = check(&Tree::of(&[(names::SETTINGS, "nothing")]));
        assert!(found.len() == 1 && found[0].message().contains("drain_timeout_ms"), "{found:?}");
    }

    #[test]
    fn times_are_read() {
        assert_eq!(seconds("45"), Some(45));
        assert_eq!(seconds("1m30s"), Some(90));
        assert_eq!(seconds("soon"), None);
    }
}
