//! Only what every server that we name knows: Redis 7.0 and later, Valkey 7.2 and later.
//!
//! `commands.txt` lists each command and each option word with the version of Redis that brought
//! it. Valkey began as Redis 7.2, so what Redis 7.0 knows, every Valkey knows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ALLOWED: &str = include_str!("commands.txt");

fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("lists") {
        let path = entry.expect("lists").path();
        if path.is_dir() {
            // The servers of tests are told other things.
            if path.file_name().is_some_and(|name| name != "testing") {
                found.extend(files(&path, ending));
            }
        } else if path.extension().is_some_and(|found| found == ending) {
            found.push(path);
        }
    }
    found
}

/// What stands in quotes of this kind directly behind `before`.
fn behind<'a>(text: &'a str, before: &str, quote: char) -> Vec<&'a str> {
    let after = text.split(before).skip(1);
    after.filter_map(|rest| rest.split(quote).next()).collect()
}

fn is_word(word: &&str) -> bool {
    word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Commands that scripts and code name, and the words that may be their options.
fn used() -> BTreeSet<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut used = BTreeSet::new();
    for path in files(&source, "lua") {
        let code = std::fs::read_to_string(&path).expect("reads");
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("--"));
        let lines: Vec<_> = lines.collect();
        for (index, line) in lines.iter().enumerate() {
            for call in line.split("call(").skip(1) {
                assert!(call.starts_with('\''), "{}: a command that is computed", path.display());
                // A call may go on in the next line.
                let call = format!("{call} {}", lines.get(index + 1).copied().unwrap_or_default());
                let call = call.split("redis.").next().unwrap_or_default();
                let words = call.split('\'').skip(1).step_by(2).filter(is_word);
                used.extend(words.map(ToOwned::to_owned));
            }
        }
    }
    for path in files(&source, "rs") {
        let code = std::fs::read_to_string(&path).expect("reads");
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        for before in ["cmd(\"", ".arg(\"", "forget(\"", "set(\""] {
            let words = behind(code, before, '"');
            used.extend(words.into_iter().filter(is_word).map(ToOwned::to_owned));
        }
    }
    used
}

#[test]
fn every_command_and_option_is_known_to_the_oldest_server() {
    let mut allowed = BTreeSet::new();
    for line in ALLOWED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut parts = line.split_whitespace();
        let (Some(word), Some(since)) = (parts.next(), parts.next()) else {
            panic!("`{line}` is not a word and a version");
        };
        let (major, minor) = since.split_once('.').expect("a version");
        let since: (u32, u32) =
            (major.parse().expect("a number"), minor.parse().expect("a number"));
        assert!(since <= (7, 0), "{word} came with Redis {since:?}");
        allowed.insert(word.to_owned());
    }
    let used = used();
    let new: Vec<_> = used.difference(&allowed).collect();
    assert!(new.is_empty(), "used, but not in commands.txt: {new:?}");
    let old: Vec<_> = allowed.difference(&used).collect();
    assert!(old.is_empty(), "in commands.txt, but not used any more: {old:?}");
}
