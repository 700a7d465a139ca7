//! Whatever stands in the file of settings and in the environment: it gives settings, or an error
//! that says what to do.

#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rethread::Settings;
use tempfile::TempDir;

static DIRECTORY: LazyLock<TempDir> =
    LazyLock::new(|| TempDir::new().expect("a temporary directory"));

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (file, environment) = text.split_once("\n---\n").unwrap_or((&text, ""));
    let path = DIRECTORY.path().join("rethread.toml");
    fs::write(&path, file).expect("writable");
    let environment = environment.lines().filter_map(|line| line.split_once('='));
    let environment = environment.map(|(name, value)| (format!("RETHREAD_{name}"), value.into()));
    if let Err(error) = Settings::load(Some(&path), environment, BTreeMap::new()) {
        assert!(!error.to_string().is_empty());
    }
});
