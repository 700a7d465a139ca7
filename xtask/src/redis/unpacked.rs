//! Downloads Debian's packages and unpacks them below the target directory: no root, and nothing
//! outside that directory changes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::package_manager::exists;
use crate::Result;
use crate::repo::{line_of, stdout_of};

/// What is wanted of the packages, with the libraries they need besides.
const WANTED: [&str; 2] = ["redis-server", "redis-tools"];

/// The program that [`fetch`] leaves behind.
pub(super) fn wrapper(home: &Path) -> PathBuf {
    home.join("redis-server")
}

/// Downloads and unpacks; gives a program that needs no environment.
pub(super) fn fetch(home: &Path) -> Result<PathBuf> {
    for tool in ["apt-get", "apt-cache", "dpkg", "dpkg-query"] {
        if !exists(tool) {
            return Err(format!("cannot download Debian packages: there is no {tool}"));
        }
    }
    let fresh = home.with_extension(format!("new-{}", std::process::id()));
    let outcome = unpack_into(&fresh).and_then(|()| install(&fresh, home));
    // Left over only when something failed, which is what the caller reports.
    let _ = fs::remove_dir_all(&fresh);
    outcome
}

fn unpack_into(fresh: &Path) -> Result<()> {
    let (downloads, tree) = (fresh.join("packages"), fresh.join("root"));
    for directory in [&downloads, &tree] {
        fs::create_dir_all(directory).map_err(|e| told(directory, &e))?;
    }
    let mut download = Command::new("apt-get");
    download.current_dir(&downloads).args(["download", "-q"]).args(needed()?);
    eprintln!("    {}", line_of(&download));
    stdout_of(&mut download)?;
    for package in entries(&downloads)? {
        stdout_of(Command::new("dpkg").arg("-x").args([&package, &tree]))?;
    }
    Ok(())
}

fn install(fresh: &Path, home: &Path) -> Result<PathBuf> {
    if home.exists() {
        fs::remove_dir_all(home).map_err(|e| told(home, &e))?;
    }
    fs::rename(fresh, home).map_err(|e| told(home, &e))?;
    let tree = home.join("root");
    let program = tree.join("usr/bin/redis-server");
    if !program.exists() {
        return Err(format!("the packages hold no {}", program.display()));
    }
    let mut libraries = BTreeSet::new();
    library_directories(&tree, &mut libraries)?;
    let wrapper = wrapper(home);
    fs::write(&wrapper, script(&program, &libraries)).map_err(|e| told(&wrapper, &e))?;
    stdout_of(Command::new("chmod").arg("+x").arg(&wrapper))?;
    Ok(wrapper)
}

/// The wanted packages and those of their dependencies that the system lacks.
fn needed() -> Result<BTreeSet<String>> {
    let mut needed: BTreeSet<String> = WANTED.into_iter().map(str::to_owned).collect();
    let mut open: Vec<String> = needed.iter().cloned().collect();
    while let Some(package) = open.pop() {
        let answer = stdout_of(Command::new("apt-cache").args(["depends", &package]))?;
        for name in dependencies(&answer) {
            // Only libraries: the daemon's user and init scripts are of no use here. Those of the
            // system itself are there, and a second C library would not fit its loader.
            let is_library = name.starts_with("lib") || name.starts_with("lua-");
            if is_library && !is_installed(name) && needed.insert(name.to_owned()) {
                open.push(name.to_owned());
            }
        }
    }
    Ok(needed)
}

/// The packages that an answer of `apt-cache depends` names as hard dependencies.
fn dependencies(answer: &str) -> impl Iterator<Item = &str> {
    answer
        .lines()
        .filter_map(|line| line.trim().trim_start_matches('|').split_once("Depends: "))
        .filter(|(before, _)| before.is_empty() || *before == "Pre")
        .map(|(_, name)| name.trim())
        .filter(|name| !name.starts_with('<'))
}

fn is_installed(package: &str) -> bool {
    stdout_of(Command::new("dpkg-query").args(["-W", "-f=${db:Status-Abbrev}", package]))
        .is_ok_and(|status| status.starts_with("ii"))
}

/// Directories that hold shared libraries.
fn library_directories(directory: &Path, found: &mut BTreeSet<PathBuf>) -> Result<()> {
    for path in entries(directory)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            library_directories(&path, found)?;
        } else if name.starts_with("lib") && name.contains(".so") {
            found.insert(directory.to_path_buf());
        }
    }
    Ok(())
}

/// A shell script that becomes the program, so that its process id and signals are the program's.
fn script(program: &Path, libraries: &BTreeSet<PathBuf>) -> String {
    let mut exports = String::new();
    if !libraries.is_empty() {
        let list: Vec<String> = libraries.iter().map(|at| at.display().to_string()).collect();
        let list = quoted(&list.join(":"));
        exports = format!(
            "LD_LIBRARY_PATH={list}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\nexport LD_LIBRARY_PATH\n"
        );
    }
    format!("#!/bin/sh\n{exports}exec {} \"$@\"\n", quoted(&program.display().to_string()))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let list = || -> std::io::Result<Vec<PathBuf>> {
        fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
    };
    list().map_err(|e| told(directory, &e))
}

fn told(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_hard_dependencies_only() {
        let answer = "redis-tools\n  Depends: libc6\n |Depends: libjemalloc2\n  \
                      PreDepends: liblua5.1-0\n  Depends: <virtual>\n  Suggests: ruby-redis\n";
        let names: Vec<&str> = dependencies(answer).collect();
        assert_eq!(names, ["libc6", "libjemalloc2", "liblua5.1-0"]);
    }

    #[test]
    fn the_script_replaces_itself_and_survives_odd_paths() {
        let libraries = BTreeSet::from([PathBuf::from("/it's/lib"), PathBuf::from("/b")]);
        let text = script(Path::new("/a b/redis-server"), &libraries);
        assert!(text.contains(r"LD_LIBRARY_PATH='/b:/it'\''s/lib'$"), "{text}");
        assert!(text.ends_with("exec '/a b/redis-server' \"$@\"\n"), "{text}");
        assert!(!script(Path::new("/r"), &BTreeSet::new()).contains("LD_LIBRARY_PATH"));
    }
}
