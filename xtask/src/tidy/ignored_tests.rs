//! A test that does not run proves nothing: repair it or remove it.

use super::finding::Finding;
use super::rust_code::code;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        for (at, line) in code(&file.text).lines().enumerate() {
            let line: String = line.split_whitespace().collect();
            if line.contains("#[ignore") || (line.contains("cfg_attr(") && line.contains(",ignore"))
            {
                let message = "ignored test: repair it, or remove it and say why";
                findings.push(Finding::at(&file.path, at + 1, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_ignored_tests_in_code_only() {
        let text = "// #[ignore]\n#[ignore = \"slow\"]\nfn a() {}\nlet x = \"#[ignore]\";\n\
                    #[cfg_attr(windows, ignore)]\nfn b() {}\n";
        let lines: Vec<usize> =
            check(&Tree::of(&[("a.rs", text)])).iter().map(Finding::line).collect();
        assert_eq!(lines, [2, 5]);
    }
}
