//! The project's own rules about its sources: what neither rustc nor clippy can see.
//!
//! Each check is a function from what it looks at to findings, in a file of its own. A new one
//! goes into the list in [`findings`].

mod arrows;
mod core_purity;
mod dependencies;
mod deploy;
mod file_names;
mod file_size;
mod finding;
mod hosts_and_paths;
mod ignored_tests;
mod lints;
mod lua_header;
pub(crate) mod packages;
mod rust_code;
mod settings;
mod tree;
mod unfinished;

use crate::Result;
use crate::repo::Repo;
use finding::Finding;
use packages::Packages;
use tree::Tree;

/// Runs all checks and prints what they find.
pub(crate) fn run(repo: &Repo) -> Result<()> {
    let tree = Tree::read(&repo.root)?;
    let mut found = findings(&tree, &repo.packages);
    found.sort();
    for finding in &found {
        println!("{finding}");
    }
    match found.len() {
        0 => Ok(()),
        1 => Err("tidy found 1 thing to mend".into()),
        n => Err(format!("tidy found {n} things to mend")),
    }
}

fn findings(tree: &Tree, packages: &Packages) -> Vec<Finding> {
    [
        arrows::check(packages),
        core_purity::check(tree),
        dependencies::check(tree, packages),
        deploy::check(tree),
        file_names::check(tree),
        file_size::check(tree),
        hosts_and_paths::check(tree),
        ignored_tests::check(tree),
        lints::check(tree),
        lua_header::check(tree),
        settings::check(tree),
        unfinished::check(tree),
    ]
    .concat()
}
