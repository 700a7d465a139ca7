//! Names in the files of a deployment mean something: each setting is documented, and each metric
//! is one that the code exports.

use std::collections::BTreeSet;

use super::super::finding::Finding;
use super::super::tree::{File, Tree};

pub(super) const SETTINGS: &str = "docs/settings.md";
/// Where metrics are named in full.
const METRICS: [&str; 2] =
    ["crates/rethread/src/operations/metrics.rs", "crates/rethread/src/operations/gateway.rs"];
/// Where counters are declared, each of which becomes `rethread_<counter>_total`.
const COUNTERS: &str = "crates/rethread-runtime/src/stats.rs";
/// Names the file with the settings; not one itself.
const CONFIG: &str = "RETHREAD_CONFIG";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let settings = tree.get(SETTINGS).map(|page| in_code_font(&page.text)).unwrap_or_default();
    let metrics = metrics(tree);
    let mut findings = Vec::new();
    for file in super::files(tree) {
        for (at, line) in file.text.lines().enumerate() {
            for name in words(line, "RETHREAD_").filter(|name| *name != CONFIG) {
                let setting = name.trim_start_matches("RETHREAD_").to_ascii_lowercase();
                if !settings.contains(setting.as_str()) {
                    let message = format!("`{name}`: no setting of {SETTINGS}");
                    findings.push(Finding::at(&file.path, at + 1, message));
                }
            }
            for name in words(line, "rethread_") {
                if !metrics.iter().any(|metric| is_of_metric(name, metric)) {
                    let message =
                        format!("`{name}`: no metric of {} or {COUNTERS}", METRICS.join(", "));
                    findings.push(Finding::at(&file.path, at + 1, message));
                }
            }
        }
    }
    findings
}

/// The default that the page names for a setting, if it is a number.
pub(super) fn default_of(tree: &Tree, setting: &str) -> Option<u64> {
    let page = tree.get(SETTINGS)?;
    let row = page.text.lines().find(|line| line.starts_with(&format!("| `{setting}` |")))?;
    row.split('|').nth(3)?.trim().parse().ok()
}

/// The numbers that a file sets a variable to.
pub(super) fn values_of<'a>(file: &'a File, variable: &'a str) -> impl Iterator<Item = u64> + 'a {
    file.text.lines().filter_map(move |line| {
        let (_, rest) = line.split_once(variable)?;
        let rest = rest.trim_start_matches([':', '=', ' ', '"', '\'']);
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse().ok()
    })
}

/// A histogram is queried by three names of its own.
fn is_of_metric(name: &str, metric: &str) -> bool {
    let rest = name.strip_prefix(metric);
    rest.is_some_and(|rest| matches!(rest, "" | "_bucket" | "_sum" | "_count"))
}

/// Whole words that begin with the prefix.
fn words<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.split(move |c| !is_part(c))
        .filter(move |word| word.len() > prefix.len() && word.starts_with(prefix))
}

fn metrics(tree: &Tree) -> BTreeSet<String> {
    let text = |path| tree.get(path).map(|file| file.text.as_str()).unwrap_or_default();
    let named = METRICS.into_iter().flat_map(|path| text(path).lines());
    let named = named.flat_map(|line| line.split('"').skip(1).step_by(2));
    let counters = text(COUNTERS)
        .lines()
        .skip_while(|line| *line != "counters! {")
        .take_while(|line| *line != "}")
        .filter_map(|line| line.trim().strip_suffix(','));
    named
        .filter(|name| name.starts_with("rethread_"))
        .map(str::to_owned)
        .chain(counters.map(|counter| format!("rethread_{counter}_total")))
        .collect()
}

/// What stands between backticks.
fn in_code_font(page: &str) -> BTreeSet<&str> {
    page.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_documented() {
        let tree = Tree::of(&[
            (SETTINGS, "| `worker_slots` | `--slots` | 16 | .. |"),
            ("deploy/env", "RETHREAD_WORKER_SLOTS=16\n# RETHREAD_WORKER_SLOT, RETHREAD_CONFIG\n"),
            ("deploy/a.yaml", "a: \"${RETHREAD_NAMESPACE:-default}\""),
            ("src/a.rs", "RETHREAD_OTHER"),
        ]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("deploy/env:2: `RETHREAD_WORKER_SLOT`"), "{found:?}");
    }

    #[test]
    fn metrics_are_exported() {
        let tree = Tree::of(&[
            (METRICS[0], "single(\"rethread_wait_seconds\", \"Time.\");"),
            (COUNTERS, "x,\ncounters! {\n    /// Runs.\n    runs,\n}\n    other,\n"),
            (
                "deploy/alerts.yml",
                "a: rate(rethread_runs_total{a=\"b\"}[1m])\nb: rethread_wait_seconds_bucket\n\
                 c: rethread_other_total\n",
            ),
        ]);
        let found = check(&tree);
        assert!(found.len() == 1 && found[0].line() == 3, "{found:?}");
    }

    #[test]
    fn values_and_defaults_are_read() {
        let tree = Tree::of(&[
            (SETTINGS, "| `drain_timeout_ms` | | 30000 | .. |\n| `data_dir` | | `.` | .. |"),
            ("deploy/a", "A_MS=1\n  A_MS: \"20\"\n- name: A_MS\n"),
        ]);
        assert_eq!(default_of(&tree, "drain_timeout_ms"), Some(30_000));
        assert_eq!(default_of(&tree, "data_dir"), None);
        let file = tree.get("deploy/a").expect("is there");
        assert_eq!(values_of(file, "A_MS").collect::<Vec<_>>(), [1, 20]);
    }
}
