//! Installs a server with the system's package manager, where that asks no questions.

use std::process::{Command, Stdio};

use crate::Result;
use crate::repo::{line_of, run, stdout_of};

/// One package manager and how it installs.
#[derive(Debug)]
struct Manager {
    program: &'static str,
    needs_root: bool,
    /// Brings the list of packages up to date, where installing does not.
    refresh: &'static [&'static str],
    install: &'static [&'static str],
    /// Tried in order: distributions differ in whether they carry Redis or Valkey.
    packages: &'static [&'static str],
}

const MANAGERS: &[Manager] = &[
    Manager {
        program: "apt-get",
        needs_root: true,
        refresh: &["update", "-q"],
        install: &["install", "-q", "-y", "--no-install-recommends"],
        packages: &["redis-server"],
    },
    Manager {
        program: "dnf",
        needs_root: true,
        refresh: &[],
        install: &["install", "-q", "-y"],
        packages: &["valkey", "redis"],
    },
    Manager {
        program: "apk",
        needs_root: true,
        refresh: &[],
        install: &["add", "--no-cache"],
        packages: &["redis", "valkey"],
    },
    Manager {
        program: "pacman",
        needs_root: true,
        refresh: &[],
        install: &["-Sy", "--noconfirm", "--needed"],
        packages: &["valkey", "redis"],
    },
    Manager {
        program: "brew",
        needs_root: false,
        refresh: &[],
        install: &["install"],
        packages: &["redis"],
    },
];

/// Installs a server with the first package manager there is.
pub(super) fn install(is_root: bool) -> Result<()> {
    let Some(manager) = MANAGERS.iter().find(|manager| exists(manager.program)) else {
        return Err("no known package manager (apt-get, dnf, apk, pacman, brew)".into());
    };
    let with_sudo = manager.needs_root && !is_root;
    if with_sudo && stdout_of(Command::new("sudo").args(["-n", "true"])).is_err() {
        return Err(format!(
            "{} needs root, and sudo is absent or asks for a password",
            manager.program
        ));
    }
    let command = |args: &[&str]| manager.command(with_sudo, args);
    if !manager.refresh.is_empty() {
        // A stale list may still do; the installation decides.
        if let Err(reason) = visibly(&mut command(manager.refresh)) {
            eprintln!("warning: {reason}");
        }
    }
    let mut last = String::new();
    for package in manager.packages {
        match visibly(command(manager.install).arg(package)) {
            Ok(()) => return Ok(()),
            Err(reason) => last = reason,
        }
    }
    Err(last)
}

impl Manager {
    fn command(&self, with_sudo: bool, args: &[&str]) -> Command {
        let mut command = if with_sudo {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", self.program]);
            sudo
        } else {
            let mut direct = Command::new(self.program);
            if self.program == "apt-get" {
                direct.env("DEBIAN_FRONTEND", "noninteractive");
            }
            direct
        };
        command.args(args);
        command
    }
}

/// Runs a command with its output on our error output: `cargo xtask redis` prints only the path.
fn visibly(command: &mut Command) -> Result<()> {
    eprintln!("    {}", line_of(command));
    run(command.stdin(Stdio::null()).stdout(std::io::stderr()))
}

pub(super) fn exists(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sudo_never_waits_for_a_password() {
        let line = line_of(&MANAGERS[0].command(true, &["update"]));
        assert_eq!(line, "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get update");
        let line = line_of(&MANAGERS[1].command(false, &["install", "-y"]));
        assert_eq!(line, "dnf install -y");
    }

    #[test]
    fn a_missing_program_is_missing() {
        assert!(exists("rustc"));
        assert!(!exists("no-such-program-here"));
    }
}
