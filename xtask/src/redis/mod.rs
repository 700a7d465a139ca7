//! Finds a Redis server for the tests, and fetches one where there is none.
//!
//! ```text
//! RETHREAD_TEST_REDIS_SERVER ─► PATH ─► fetched earlier ─► fetch now
//!                                                       ├─ root: package manager, then unpack
//!                                                       └─ else: unpack, then package manager
//! ```
//!
//! Without root, unpacking comes first because it changes nothing outside the target directory;
//! an installed package may start a server of its own at each boot.

mod package_manager;
mod unpacked;
mod version;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::repo::{Repo, stdout_of};
use version::Version;

/// Names the server to use; the tests read it.
pub(crate) const VARIABLE: &str = "RETHREAD_TEST_REDIS_SERVER";

const OLDEST: Version = Version { major: 7, minor: 0 };
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

pub(crate) fn find(repo: &Repo) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        return check(&path)
            .map(|()| path)
            .map_err(|reason| format!("{VARIABLE} names no usable server: {reason}"));
    }
    let mut reasons = Vec::new();
    if let Some(path) = on_path(&mut reasons) {
        return Ok(path);
    }
    let home = repo.target.join("redis");
    let earlier = unpacked::wrapper(&home);
    if earlier.exists() && check(&earlier).is_ok() {
        return Ok(earlier);
    }

    let is_root = stdout_of(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let mut install = || match package_manager::install(is_root) {
        Ok(()) => on_path(&mut reasons),
        Err(reason) => {
            reasons.push(reason);
            None
        }
    };
    if is_root && let Some(path) = install() {
        return Ok(path);
    }
    match unpacked::fetch(&home).and_then(|path| check(&path).map(|()| path)) {
        Ok(path) => return Ok(path),
        Err(reason) if is_root => reasons.push(reason),
        Err(reason) => {
            if let Some(path) = install() {
                return Ok(path);
            }
            reasons.insert(0, reason);
        }
    }
    Err(missing(&reasons))
}

/// Whether the program is a server that the tests can use.
fn check(program: &Path) -> Result<()> {
    let found = Version::parse(&stdout_of(Command::new(program).arg("--version"))?)?;
    if found < OLDEST {
        return Err(format!("{} has version {found}, {OLDEST} is needed", program.display()));
    }
    Ok(())
}

fn on_path(reasons: &mut Vec<String>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for program in PROGRAMS {
        for candidate in places.iter().map(|place| place.join(program)).filter(|at| at.is_file()) {
            match check(&candidate) {
                Ok(()) => return Some(candidate),
                Err(reason) if reasons.contains(&reason) => {}
                Err(reason) => reasons.push(reason),
            }
        }
    }
    None
}

fn missing(reasons: &[String]) -> String {
    let mut text = format!(
        "no redis-server {OLDEST} or newer was found.\n\
         Install one (Redis or Valkey) so that it is on the PATH, or set {VARIABLE} to it:\n\
         \x20 Debian, Ubuntu  sudo apt-get install redis-server\n\
         \x20 Fedora          sudo dnf install valkey\n\
         \x20 Alpine          sudo apk add redis\n\
         \x20 Arch            sudo pacman -S valkey\n\
         \x20 macOS           brew install redis\n\
         What was tried:"
    );
    for reason in reasons {
        text.push_str("\n  - ");
        text.push_str(reason);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_says_what_to_install_and_what_was_tried() {
        let text = missing(&["apt-get: no network".into()]);
        assert!(text.contains("brew install redis") && text.contains(VARIABLE), "{text}");
        assert!(text.ends_with("- apt-get: no network"), "{text}");
    }

    #[test]
    fn a_program_that_is_no_server_is_refused() {
        let error = check(Path::new("rustc")).expect_err("not a Redis server");
        assert!(error.contains("not a version of Redis"), "{error}");
    }
}
