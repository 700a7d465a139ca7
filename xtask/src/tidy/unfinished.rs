//! What is in the tree is finished: no placeholders in code, no reminders in comments.

use super::finding::Finding;
use super::rust_code::{code, comments, has_word};
use super::tree::{File, Tree};

/// Placeholders that compile.
const MACROS: [&str; 2] = ["todo!", "unimplemented!"];
/// Reminders to oneself.
const REMINDERS: [&str; 3] = [concat!("FIX", "ME"), concat!("XX", "X"), concat!("TO", "DO")];
/// Sources in which everything is looked at, since comments are not told from code.
const OTHERS: [&str; 7] = ["lua", "sh", "py", "toml", "yaml", "yml", "conf"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files.iter().flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut look = |text: &str, words: &[&str], reason: &str| {
        for (at, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| has_word(line, word)) {
                findings.push(Finding::at(&file.path, at + 1, format!("`{word}`: {reason}")));
            }
        }
    };
    if file.is_rust() {
        look(&code(&file.text), &MACROS, "finish it");
        look(&comments(&file.text), &REMINDERS, "do it or leave it");
    } else if file.has_extension(&OTHERS) {
        look(&file.text, &REMINDERS, "do it or leave it");
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_placeholders_and_reminders() {
        let reminder = REMINDERS[0];
        let text =
            format!("fn a() {{ todo!() }}\n// {reminder}: b\nlet s = \"todo!({reminder})\";\n");
        let lines: Vec<usize> =
            check(&Tree::of(&[("a.rs", &text)])).iter().map(Finding::line).collect();
        assert_eq!(lines, [1, 2]);
        let script = format!("-- {reminder}\nreturn 1\n");
        assert_eq!(check(&Tree::of(&[("a.lua", &script)])).len(), 1);
        assert!(check(&Tree::of(&[("a.rs", "// todo_list! and XXXL\n")])).is_empty());
    }
}
