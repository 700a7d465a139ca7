//! Every setting says what it does, where the code reads it and where an operator looks.
//!
//! A setting is a public field of a struct named `..Settings` of the service crate.

use super::finding::Finding;
use super::rust_code::code_outside_tests;
use super::tree::{File, Tree};

const PAGE: &str = "docs/settings.md";
const SERVICE: &str = "crates/rethread/";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let page = tree.get(PAGE).map(|file| file.text.as_str());
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| file.path.starts_with(SERVICE)) {
        for setting in settings(file) {
            let name = setting.name;
            if !setting.is_documented {
                let message = format!("setting `{name}`: say what it does, its unit and default");
                findings.push(Finding::at(&file.path, setting.line, message));
            }
            if page.is_some_and(|page| !names(page, &name)) {
                let message = format!("setting `{name}` is missing in {PAGE}");
                findings.push(Finding::at(&file.path, setting.line, message));
            }
        }
    }
    findings
}

#[derive(Debug, PartialEq, Eq)]
struct Setting {
    name: String,
    line: usize,
    is_documented: bool,
}

fn settings(file: &File) -> Vec<Setting> {
    let code = code_outside_tests(&file.text);
    let source: Vec<&str> = file.text.lines().map(str::trim).collect();
    let mut found = Vec::new();
    let mut is_inside = false;
    for (at, line) in code.lines().map(str::trim).enumerate() {
        if is_inside {
            is_inside = line != "}";
            found.extend(field(line).map(|name| Setting {
                name: name.to_owned(),
                line: at + 1,
                is_documented: is_documented(&source, at),
            }));
        } else {
            is_inside = opens_settings(line);
        }
    }
    found
}

fn opens_settings(line: &str) -> bool {
    let declared =
        line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub(crate) struct "));
    let name = declared.and_then(|rest| rest.strip_suffix(" {"));
    name.is_some_and(|name| name.ends_with("Settings"))
}

fn field(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix("pub ")?.split_once(':')?;
    name.chars().all(|c| c.is_alphanumeric() || c == '_').then_some(name)
}

/// Whether the nearest line above that is not an attribute is a doc comment.
fn is_documented(source: &[&str], at: usize) -> bool {
    let above = source[..at].iter().rev().find(|line| !line.starts_with("#["));
    above.is_some_and(|line| line.starts_with("///"))
}

/// Whether the page has the key in code font: `slots` or `worker.slots`.
fn names(page: &str, key: &str) -> bool {
    page.contains(&format!("`{key}`")) || page.contains(&format!(".{key}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "pub struct WorkerSettings {\n    /// Bodies at a time.\n    \
                          #[serde(default)]\n    pub slots: usize,\n    pub queue: String,\n}\n\
                          pub struct Other {\n    pub hidden: u8,\n}\n";

    #[test]
    fn fields_are_documented() {
        let found = check(&Tree::of(&[("crates/rethread/src/settings.rs", SOURCE)]));
        assert_eq!(found.len(), 1);
        assert!(found[0].line() == 5 && found[0].message().contains("`queue`"), "{found:?}");
    }

    #[test]
    fn the_page_has_each_key() {
        let page = "| `worker.slots` | 16 |\n";
        let tree = Tree::of(&[("crates/rethread/src/settings.rs", SOURCE), (PAGE, page)]);
        let missing: Vec<String> = check(&tree)
            .iter()
            .map(|finding| finding.message().to_owned())
            .filter(|message| message.contains(PAGE))
            .collect();
        assert_eq!(missing, ["setting `queue` is missing in docs/settings.md"]);
    }
}
