//! The suites, and what they say of themselves.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::node::Node;
use crate::repo::Repo;

/// What the suites are told.
#[derive(Debug)]
pub(super) struct Suite<'a> {
    pub(super) url: &'a str,
    /// Where the chat page is.
    pub(super) page: &'a str,
    /// Where the browser is unpacked.
    pub(super) browser: &'a Path,
    pub(super) reference: bool,
}

/// How a suite went.
#[derive(Debug)]
pub(super) struct Count {
    name: String,
    /// Its own words.
    told: String,
    passed: bool,
}

impl Count {
    pub(super) fn passed(&self) -> bool {
        self.passed
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<20} {}", self.name, self.told)
    }
}

impl Suite<'_> {
    pub(super) fn run(
        &self,
        repo: &Repo,
        form: &str,
        python: &Path,
        node: &Node,
        packages: &Path,
    ) -> [Count; 2] {
        let mut pytest = Command::new(python);
        pytest.current_dir(repo.root.join("tests/clients/python"));
        // No caches of bytecode beside the sources.
        pytest.args(["-B", "-m", "pytest", "--color=no", "--tb=short", "-W", "ignore"]);
        if self.reference {
            pytest.args(["-m", "not differs"]);
        }
        let mut tests = node.command();
        tests.current_dir(packages).args(["--test", "--test-concurrency=1"]);
        // A test that failed may leave a stream open.
        tests.args(["--test-force-exit", "--test-timeout=300000"]);
        tests.arg("--test-reporter=spec").env("RETHREAD_CHAT_URL", self.page);
        tests.env("RETHREAD_GUIDE", repo.root.join("docs/guide/http.md"));
        tests.env("TMPDIR", self.browser);
        if self.reference {
            tests.env("RETHREAD_CLIENTS_REFERENCE", "1");
        }
        [(pytest, "python"), (tests, "javascript")].map(|(mut command, language)| {
            command.env("RETHREAD_URL", self.url);
            count(format!("{form}, {language}"), command)
        })
    }
}

/// Runs a suite, shows what it says, and keeps its summary.
fn count(name: String, mut command: Command) -> Count {
    let failed = |error: std::io::Error| (format!("cannot be run: {error}"), false);
    let mut run = || -> std::io::Result<(String, bool)> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut told = Vec::new();
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).lines() {
                let line = line?;
                println!("{line}");
                told.extend(summary(&line));
            }
        }
        let passed = child.wait()?.success();
        Ok((told.join(", "), passed))
    };
    let (told, passed) = run().unwrap_or_else(failed);
    let told = if told.is_empty() { "no summary: see above".to_owned() } else { told };
    Count { name, told, passed }
}

/// What a line tells of the whole: the last one of pytest, or a few of Node's.
fn summary(line: &str) -> Option<String> {
    if line.starts_with("operations called:") {
        return Some(line.to_owned());
    }
    let inner = line.trim_matches(['=', ' ']);
    if line.starts_with('=') && inner.contains(" in ") && inner.contains("passed") {
        return Some(inner.to_owned());
    }
    let (what, number) = line.strip_prefix("ℹ ")?.split_once(' ')?;
    let counted = matches!(what, "pass" | "fail" | "skipped");
    (counted && number != "0").then(|| format!("{number} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_told_from_the_rest() {
        let line = "=== 3 failed, 100 passed, 2 deselected in 12.82s ===";
        assert_eq!(summary(line).as_deref(), Some("3 failed, 100 passed, 2 deselected in 12.82s"));
        assert_eq!(summary("ℹ pass 26").as_deref(), Some("26 pass"));
        assert_eq!(summary("ℹ fail 0"), None);
        assert_eq!(summary("==== FAILURES ===="), None);
        assert_eq!(summary("  ✔ a result (12 ms)"), None);
    }
}
