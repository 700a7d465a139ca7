//! Nothing in the tree says on which machine it was written or from where its packages came.

use super::finding::Finding;
use super::tree::Tree;

/// Hosts that serve packages. Which one is used is the machine's own setting.
const HOSTS: &[&str] = &[
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("registry.", "npmjs.org"),
    concat!("files.", "pythonhosted.org"),
    concat!("pypi.", "org"),
    concat!("proxy.", "golang.org"),
    concat!("deb.", "debian.org"),
    concat!("archive.", "ubuntu.com"),
    concat!("art", "ifactory"),
    concat!("jf", "rog"),
];

/// Beginnings of paths that exist on one machine only.
const PATHS: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("C:\\Us", "ers\\"),
];

/// The one registry of the lock file, by the name that cargo gives it on every machine.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (at, line) in file.text.lines().enumerate() {
            for host in HOSTS.iter().filter(|host| line.to_ascii_lowercase().contains(**host)) {
                let message = format!("`{host}`: package hosts are the machine's setting");
                findings.push(Finding::at(&file.path, at + 1, message));
            }
            if let Some(path) = machine_path(line, &tree.root) {
                let message = format!("`{path}`: paths of one machine do not belong here");
                findings.push(Finding::at(&file.path, at + 1, message));
            }
            if file.name() == "Cargo.lock" && foreign_source(line) {
                findings.push(Finding::at(&file.path, at + 1, "not from the public registry"));
            }
        }
    }
    findings
}

fn machine_path<'a>(line: &str, root: &'a str) -> Option<&'a str> {
    PATHS.iter().copied().chain([root]).find(|path| {
        line.match_indices(path).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            // `docs/work/` and `https://host/root/` are not absolute.
            !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '}'))
        })
    })
}

fn foreign_source(line: &str) -> bool {
    line.strip_prefix("source = \"").is_some_and(|source| source.trim_end_matches('"') != REGISTRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(|f| f.message().to_owned()).collect()
    }

    #[test]
    fn finds_package_hosts() {
        let text = format!("url = https://{}/simple", concat!("py", "pi.org"));
        assert_eq!(messages("a.toml", &text).len(), 1);
        assert!(messages("a.md", "see https://docs.rs/redis and crates.io").is_empty());
    }

    #[test]
    fn finds_paths_of_one_machine() {
        let home = format!("cd {}someone", concat!("/ho", "me/"));
        assert_eq!(messages("a.md", &home).len(), 1);
        assert_eq!(messages("a.md", "in (/somewhere/rethread)").len(), 1);
        assert!(messages("a.md", "docs/work/plan and https://host/root/x").is_empty());
    }

    #[test]
    fn the_lock_file_has_one_registry() {
        assert!(messages("Cargo.lock", &format!("source = \"{REGISTRY}\"")).is_empty());
        assert_eq!(messages("Cargo.lock", "source = \"git+https://github.com/a/b\"").len(), 1);
    }
}
