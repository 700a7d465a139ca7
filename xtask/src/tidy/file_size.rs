//! A source that grew too long holds two ideas.

use super::finding::Finding;
use super::tree::Tree;

const LINES_MAX: usize = 800;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files
        .iter()
        .filter(|file| file.has_extension(&["rs", "lua", "sh", "py"]))
        .filter_map(|file| {
            let lines = file.text.lines().count();
            (lines > LINES_MAX).then(|| {
                let message = format!("{lines} lines, at most {LINES_MAX}: split it by idea");
                Finding::whole(&file.path, message)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_of_sources() {
        let long = "\n".repeat(LINES_MAX + 1);
        let tree = Tree::of(&[("a.rs", &long), ("b.rs", &long[1..]), ("data.json", &long)]);
        assert_eq!(check(&tree).len(), 1);
    }
}
