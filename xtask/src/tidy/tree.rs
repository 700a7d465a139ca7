//! The files that belong to the project.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::repo::stdout_of;

/// One file of the project.
#[derive(Debug)]
pub(super) struct File {
    /// Relative to the root, with `/`.
    pub(super) path: String,
    /// Empty for a file that is not text.
    pub(super) text: String,
}

impl File {
    /// The last part of the path.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    pub(super) fn has_extension(&self, extensions: &[&str]) -> bool {
        let Some((_, extension)) = self.name().rsplit_once('.') else { return false };
        extensions.contains(&extension)
    }

    pub(super) fn is_rust(&self) -> bool {
        self.has_extension(&["rs"])
    }
}

/// All files of the project, in order of their paths.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: String,
    pub(super) files: Vec<File>,
}

impl Tree {
    /// Reads what git knows or would take in; without git, everything but build output.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut paths = listed_by_git(root).or_else(|_| walked(root))?;
        paths.sort();
        paths.dedup();
        let files = paths
            .into_iter()
            // Deleted, but not yet from the index.
            .filter(|path| root.join(path).is_file())
            .map(|path| {
                let bytes = fs::read(root.join(&path)).map_err(|e| format!("{path}: {e}"))?;
                Ok(File { path, text: String::from_utf8(bytes).unwrap_or_default() })
            })
            .collect::<Result<_>>()?;
        Ok(Self { root: root.display().to_string(), files })
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    pub(super) fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let file =
            |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into() };
        Self { root: "/somewhere/rethread".into(), files: files.iter().map(file).collect() }
    }
}

fn listed_by_git(root: &Path) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let list = stdout_of(&mut git)?;
    Ok(list.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

fn walked(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![String::new()];
    while let Some(directory) = open.pop() {
        let entries =
            fs::read_dir(root.join(&directory)).map_err(|e| format!("{directory}: {e}"))?;
        for entry in entries {
            let entry = entry.map_err(|e| format!("{directory}: {e}"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if matches!(name.as_str(), ".git" | "target" | ".rethread") {
                continue;
            }
            let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(path),
                Ok(kind) if kind.is_file() => found.push(path),
                Ok(_) | Err(_) => {}
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_this_file_with_and_without_git() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let here = "src/tidy/tree.rs".to_owned();
        assert!(walked(root).expect("walks").contains(&here));
        let tree = Tree::read(root).expect("reads");
        let file = tree.get(&here).expect("is listed");
        assert!(file.is_rust() && file.name() == "tree.rs" && file.text.contains("fn finds_this"));
    }
}
