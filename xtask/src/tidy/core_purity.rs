//! The core decides and touches nothing: no runtime, no I/O, no clock, no randomness, and no
//! order that depends on a hash seed.

use super::finding::Finding;
use super::rust_code::{code_outside_tests, has_word};
use super::tree::Tree;

const CORE: &str = "crates/rethread-core/src/";

const BANNED: &[(&str, &str)] = &[
    ("tokio", "the core runs on no runtime"),
    ("ractor", "the core knows no actors"),
    ("redis", "the core knows no storage"),
    ("SystemTime", "times are handed in as Millis"),
    ("Instant", "times are handed in as Millis"),
    ("new_v4", "random bits are handed in"),
    ("now_v7", "random bits and times are handed in"),
    ("rand", "random bits are handed in"),
    ("thread_rng", "random bits are handed in"),
    ("getrandom", "random bits are handed in"),
    ("HashMap", "its order differs from process to process: use BTreeMap"),
    ("HashSet", "its order differs from process to process: use BTreeSet"),
    ("DefaultHasher", "its result may change with the Rust release: use XXH3"),
    ("std::env", "settings are handed in"),
    ("std::fs", "the core does no I/O"),
    ("std::net", "the core does no I/O"),
    ("std::thread", "the core starts no threads"),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| file.path.starts_with(CORE)) {
        if file.name() == "tests.rs" || file.path.contains("/tests/") {
            continue;
        }
        for (at, line) in code_outside_tests(&file.text).lines().enumerate() {
            for (word, reason) in BANNED.iter().filter(|(word, _)| has_word(line, word)) {
                findings.push(Finding::at(&file.path, at + 1, format!("`{word}`: {reason}")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_the_core_must_not_use() {
        let text = "/// Needs no tokio.\nfn a() { std::time::Instant::now(); }\n\
                    use std::collections::HashMap;\n#[cfg(test)]\nmod tests { use tokio::spawn; }\n";
        let tree = Tree::of(&[("crates/rethread-core/src/a.rs", text)]);
        let lines: Vec<usize> = check(&tree).iter().map(Finding::line).collect();
        assert_eq!(lines, [2, 3]);
    }

    #[test]
    fn other_crates_and_test_files_are_free() {
        let tree = Tree::of(&[
            ("crates/rethread-redis/src/a.rs", "use tokio::time::Instant;"),
            ("crates/rethread-core/src/replay/tests.rs", "use tokio::spawn;"),
        ]);
        assert!(check(&tree).is_empty());
    }
}
