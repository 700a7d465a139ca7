//! Unit files of systemd can be read; a role comes back, has time to drain, and is locked in.

use super::super::finding::Finding;
use super::super::tree::File;
use super::{seconds, too_short};

/// What a role does not need, and so must not have.
const SANDBOX: [(&str, &str); 8] = [
    ("DynamicUser", "yes"),
    ("NoNewPrivileges", "yes"),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
    ("PrivateTmp", "yes"),
    ("PrivateDevices", "yes"),
    ("RestrictNamespaces", "yes"),
    ("CapabilityBoundingSet", ""),
];

#[derive(Debug, Default)]
struct Unit<'a> {
    /// Section, key and value of each line, in order.
    lines: Vec<(&'a str, &'a str, &'a str)>,
}

impl<'a> Unit<'a> {
    /// Reads a unit; an error is the number of the line that is none.
    fn parse(text: &'a str) -> Result<Self, usize> {
        let mut unit = Self::default();
        let mut section = None;
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = Some(name);
                continue;
            }
            let (Some(section), Some((key, value))) = (section, line.split_once('=')) else {
                return Err(at + 1);
            };
            unit.lines.push((section, key.trim(), value.trim()));
        }
        Ok(unit)
    }

    /// The value that holds: the last one.
    fn service(&self, key: &str) -> Option<&'a str> {
        let mut of_key = self.lines.iter().filter(|line| line.0 == "Service" && line.1 == key);
        of_key.next_back().map(|line| line.2)
    }
}

pub(super) fn check(file: &File, drain_s: u64) -> Vec<Finding> {
    let unit = match Unit::parse(&file.text) {
        Ok(unit) => unit,
        Err(line) => {
            let message = "neither a section, a comment nor `Key=value`";
            return vec![Finding::at(&file.path, line, message)];
        }
    };
    let mut findings = Vec::new();
    let mut say = |message: String| findings.push(Finding::whole(&file.path, message));
    if !unit.lines.iter().any(|line| line.0 == "Install") {
        say("no [Install]: it cannot be enabled".to_owned());
    }
    if file.has_extension(&["service"]) {
        let stop = unit.service("TimeoutStopSec").and_then(seconds);
        if let Some(message) = too_short("TimeoutStopSec", stop, drain_s) {
            say(message);
        }
        if unit.service("Restart") != Some("always") {
            say("`Restart=always` is missing".to_owned());
        }
        for (key, value) in SANDBOX {
            if unit.service(key) != Some(value) {
                say(format!("`{key}={value}` is missing"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::super::tree::Tree;
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let tree = Tree::of(&[("deploy/a.service", text)]);
        check(&tree.files[0], 30).iter().map(|finding| finding.message().to_owned()).collect()
    }

    #[test]
    fn a_role_is_restarted_drained_and_locked_in() {
        let mut text = "# A role.\n[Service]\nRestart=always\nTimeoutStopSec=45\n".to_owned();
        for (key, value) in SANDBOX {
            text.push_str(&format!("{key}={value}\n"));
        }
        text.push_str("[Install]\nWantedBy=multi-user.target\n");
        assert_eq!(messages(&text), Vec::<String>::new());
        let found = messages(&text.replace("Sec=45", "Sec=30").replace("Home=yes", "Home=no"));
        assert!(found.len() == 2 && found[1].contains("ProtectHome"), "{found:?}");
    }

    #[test]
    fn lines_that_are_none_are_found() {
        assert_eq!(Unit::parse("[Service]\nRestart always\n").map(|_| ()), Err(2));
        assert_eq!(Unit::parse("Restart=always\n").map(|_| ()), Err(1));
    }
}
