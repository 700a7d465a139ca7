//! No working papers in the tree: plans belong into issues, decisions into `docs/adr`.

use super::finding::Finding;
use super::tree::Tree;

const STEMS: [&str; 3] = ["NOTES", "PROGRESS", "TODO"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files
        .iter()
        .filter(|file| {
            let stem = file.name().split('.').next().unwrap_or_default();
            // Sources may be about notes or progress; a working paper is not a source.
            !file.is_rust() && STEMS.iter().any(|banned| stem.eq_ignore_ascii_case(banned))
        })
        .map(|file| Finding::whole(&file.path, "working papers do not belong in the repository"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_working_papers() {
        let tree = Tree::of(&[
            ("docs/Notes.md", ""),
            ("TODO", ""),
            ("src/progress.rs", ""),
            ("docs/progress-events.md", ""),
        ]);
        let places: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert!(places.len() == 2 && places[0].starts_with("docs/Notes.md"), "{places:?}");
    }
}
