//! Every crate obeys the lints of the workspace.

use super::finding::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files
        .iter()
        .filter(|file| file.name() == "Cargo.toml")
        // The fuzz crate, and programs that the benchmarks compare with, are workspaces of their
        // own.
        .filter(|file| !["fuzz/", "benches/peers/"].iter().any(|own| file.path.starts_with(own)))
        .filter(|file| has_table(&file.text, "[package]") && !inherits(&file.text))
        .map(|file| Finding::whole(&file.path, "add `[lints]` with `workspace = true`"))
        .collect()
}

fn has_table(manifest: &str, table: &str) -> bool {
    manifest.lines().any(|line| line.trim() == table)
}

fn inherits(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    lines
        .by_ref()
        .take_while(|line| !line.starts_with('['))
        .any(|line| line.split_whitespace().collect::<String>() == "workspace=true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_crates_without_the_lints() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]\n"),
            ("a/Cargo.toml", "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"),
            ("b/Cargo.toml", "[package]\nname = \"b\"\n"),
            ("c/Cargo.toml", "[package]\n[lints]\n[dependencies]\nworkspace = true\n"),
        ]);
        assert_eq!(check(&tree).len(), 2);
    }
}
