//! A script is one atomic operation: its head says what it takes, gives and guarantees.

use super::finding::Finding;
use super::tree::Tree;

/// `Return` stands for `Returns` too.
const PARTS: [&str; 3] = ["KEYS", "ARGV", "Return"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files
        .iter()
        .filter(|file| file.has_extension(&["lua"]))
        .filter_map(|file| {
            let head = head(&file.text);
            let missing: Vec<&str> =
                PARTS.into_iter().filter(|part| !head.contains(part)).collect();
            (!missing.is_empty()).then(|| {
                let message = format!("the comment at the top lacks {}", missing.join(", "));
                Finding::at(&file.path, 1, message)
            })
        })
        .collect()
}

/// The comment lines that a script begins with.
fn head(script: &str) -> String {
    script
        .lines()
        .map(str::trim)
        .take_while(|line| line.is_empty() || line.starts_with("--") || line.starts_with("#!"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_names_its_parts() {
        let good =
            "-- Takes a lease.\n-- KEYS[1] owner\n-- ARGV[1] token\n-- Returns 1 or 0\nreturn 1";
        let late = "local x = KEYS[1]\n-- KEYS ARGV Returns\nreturn x";
        let tree = Tree::of(&[("good.lua", good), ("late.lua", late)]);
        let found = check(&tree);
        assert_eq!(found.len(), 1);
        assert!(found[0].message().ends_with("KEYS, ARGV, Return"), "{found:?}");
    }
}
