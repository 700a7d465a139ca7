//! Every direct dependency has a reason, in writing.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::packages::Packages;
use super::tree::Tree;

const PAGE: &str = "docs/dependencies.md";

pub(super) fn check(tree: &Tree, packages: &Packages) -> Vec<Finding> {
    let Some(page) = tree.get(PAGE) else {
        return vec![Finding::whole(PAGE, "missing: it gives the reason of each dependency")];
    };
    let names: BTreeSet<&str> = packages
        .list
        .iter()
        .flat_map(|package| &package.dependencies)
        .map(|dependency| dependency.name.as_str())
        .filter(|name| !packages.list.iter().any(|ours| ours.name == *name))
        .collect();
    names
        .into_iter()
        .filter(|name| !page.text.contains(&format!("`{name}`")))
        .map(|name| Finding::whole(PAGE, format!("say why `{name}` is needed")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_have_a_reason() {
        let json = r#"{"packages": [
                {"name": "ours", "dependencies": []},
                {"name": "a", "dependencies": [{"name": "ours"}, {"name": "serde"},
                    {"name": "tokio"}]}],
            "workspace_root": "/r", "target_directory": "/r/target"}"#;
        let packages = Packages::parse(json).expect("reads");
        let found = check(&Tree::of(&[(PAGE, "| `serde` | .. |")]), &packages);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message(), "say why `tokio` is needed");
        assert_eq!(check(&Tree::of(&[]), &packages).len(), 1);
    }
}
