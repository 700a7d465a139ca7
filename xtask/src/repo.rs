//! Where the project and its tools are.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::tidy::packages::Packages;

/// The workspace this program was built from, and the cargo that runs it.
#[derive(Debug)]
pub(crate) struct Repo {
    pub(crate) root: PathBuf,
    /// Cargo's target directory; downloads go here, so that `cargo clean` removes them.
    pub(crate) target: PathBuf,
    pub(crate) packages: Packages,
    cargo: String,
}

impl Repo {
    pub(crate) fn find() -> Result<Self> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let mut metadata = Command::new(&cargo);
        metadata.args(["metadata", "--format-version", "1", "--no-deps"]);
        if let Ok(manifest_dir) = std::env::var("CARGO_MANIFEST_DIR") {
            metadata.current_dir(manifest_dir);
        }
        let packages = Packages::parse(&stdout_of(&mut metadata)?)?;
        Ok(Self { root: packages.root.clone(), target: packages.target.clone(), packages, cargo })
    }

    /// A cargo command, to be run in the root of the workspace.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        command.current_dir(&self.root);
        // What cargo tells this program about its own package would have build scripts of others
        // run again, here and when cargo is next started by hand.
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_about_a_package(name)) {
            command.env_remove(name);
        }
        command
    }
}

fn is_about_a_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

/// Runs a command that inherits this process's terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line_of(command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` ended with {status}")),
        Err(error) => Err(format!("cannot start `{line}`: {error}")),
    }
}

/// Runs a command and gives what it printed; its error output becomes the message if it fails.
pub(crate) fn stdout_of(command: &mut Command) -> Result<String> {
    let line = line_of(command);
    let output = command.output().map_err(|error| format!("cannot start `{line}`: {error}"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{line}` ended with {}: {}", output.status, reason.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command as a person would type it, environment included.
pub(crate) fn line_of(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    // Cargo hands on its full path, which nobody types.
    let program = if program.ends_with("/cargo") { "cargo".into() } else { program };
    let mut words: Vec<String> = command
        .get_envs()
        .filter_map(|(key, value)| Some((key.to_string_lossy(), value?.to_string_lossy())))
        .map(|(key, value)| format!("{key}='{value}'"))
        .collect();
    words.push(program.into_owned());
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_is_named_with_its_reason() {
        let mut command = Command::new("rustc");
        let error = stdout_of(command.arg("--no-such-flag")).expect_err("unknown flag");
        assert!(error.contains("`rustc --no-such-flag`"), "{error}");
        let error = run(&mut Command::new("no-such-program-here")).expect_err("missing");
        assert!(error.starts_with("cannot start"), "{error}");
    }

    #[test]
    fn a_line_shows_the_environment_that_matters() {
        let mut command = Command::new("/opt/bin/cargo");
        command.arg("doc").env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(line_of(&command), "RUSTDOCFLAGS='-D warnings' cargo doc");
    }
}
