use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::repo::{Repo, run, stdout_of};

/// A Python with the packages of the suite, set up if it is not there.
pub(super) fn set_up(repo: &Repo, home: &Path) -> Result<PathBuf> {
    requirements(&repo.root.join("tests/clients/python/requirements.txt"), &home.join("python"))
}

/// A Python with the packages that a file lists, set up in a folder if it is not there.
pub(crate) fn requirements(requirements: &Path, folder: &Path) -> Result<PathBuf> {
    let wanted = std::fs::read(requirements)
        .map_err(|error| format!("{}: {error}", requirements.display()))?;
    let installed = folder.join("installed.txt");
    let python = folder.join("bin").join("python");
    if std::fs::read(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    println!("==> Python packages, into {}", folder.display());
    environment(folder, &["-r", &requirements.display().to_string()])?;
    std::fs::write(&installed, wanted)
        .map_err(|error| format!("{}: {error}", installed.display()))?;
    Ok(python)
}

/// A new virtual environment with these packages.
pub(super) fn environment(folder: &Path, packages: &[&str]) -> Result<()> {
    if let Err(error) = virtual_environment(folder) {
        install_python()
            .and_then(|()| virtual_environment(folder))
            .map_err(|_| format!("this needs Python 3.11 or later with venv: {error}"))?;
    }
    let mut pip = Command::new(folder.join("bin").join("python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    run(pip.args(packages))
}

fn virtual_environment(folder: &Path) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))
}

/// Debian has Python, and what makes environments, in packages that a small system lacks.
fn install_python() -> Result<()> {
    install(&["python3", "python3-venv"])
}

/// Installs packages of Debian.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let is_root = stdout_of(Command::new("id").arg("-u"))?.trim() == "0";
    let apt_get = |args: &[&str]| {
        let mut command = Command::new(if is_root { "apt-get" } else { "sudo" });
        if !is_root {
            // Never asks for a password.
            command.args(["-n", "apt-get"]);
        }
        run(command.env("DEBIAN_FRONTEND", "noninteractive").args(args))
    };
    apt_get(&["update", "-q"])?;
    apt_get(&[&["install", "-q", "-y", "--no-install-recommends"], packages].concat())
}
