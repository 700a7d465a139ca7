//! The arrows between the crates point down, and each outside library has one home.
//!
//! ```text
//!             rethread (facade), rethread-server
//!            ┌──────────┼────────────┐
//!         runtime    client        macros
//!          │   │      │  │  └───► redis (optional)
//!         sdk  └──────┼──┴──► storage ◄── redis
//!          └──────────┴──► core
//! ```

use super::finding::Finding;
use super::packages::{Dependency, Kind, Package, Packages};

/// What each crate may depend on among ours. `?`: only as an optional dependency.
const ALLOWED: &[(&str, &[&str])] = &[
    ("rethread-core", &[]),
    ("rethread-macros", &[]),
    ("rethread-storage", &["core"]),
    ("rethread-redis", &["core", "storage"]),
    ("rethread-sdk", &["core", "macros"]),
    ("rethread-graph", &["core", "macros", "sdk"]),
    ("rethread-client", &["core", "storage", "redis?", "sdk"]),
    ("rethread-gateway", &["core", "storage", "client"]),
    ("rethread-runtime", &["core", "storage", "sdk"]),
    ("rethread-server", &["core", "storage", "redis", "client", "runtime"]),
    (
        "rethread",
        &[
            "core", "macros", "storage", "redis", "sdk", "graph", "client", "gateway", "runtime",
            "server",
        ],
    ),
];

/// Packages that show, prove and measure the others: they may use everything.
const OUTSIDE: [&str; 7] = [
    "rethread-conformance",
    "rethread-examples",
    "rethread-tests",
    "rethread-chaos",
    "rethread-benches",
    "rethread-sim",
    "xtask",
];

/// Outside libraries with one home.
const HOMES: &[(&str, &str)] =
    &[("redis", "rethread-redis"), ("ractor", "rethread-runtime"), ("reqwest", "rethread-gateway")];

pub(super) fn check(packages: &Packages) -> Vec<Finding> {
    packages.list.iter().flat_map(check_package).collect()
}

fn check_package(package: &Package) -> Vec<Finding> {
    if OUTSIDE.contains(&package.name.as_str()) {
        return Vec::new();
    }
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
        let message = "unknown crate: say in xtask/src/tidy/arrows.rs what it may depend on";
        return vec![Finding::whole(&package.name, message)];
    };
    package
        .dependencies
        .iter()
        .filter_map(|dependency| {
            let reason = breach(&package.name, allowed, dependency)?;
            Some(Finding::whole(&package.name, reason))
        })
        .collect()
}

fn breach(package: &str, allowed: &[&str], dependency: &Dependency) -> Option<String> {
    let name = dependency.name.as_str();
    if let Some((_, home)) = HOMES.iter().find(|(library, _)| *library == name) {
        return (*home != package).then(|| format!("must not depend on {name}: only {home} does"));
    }
    let ours = name.strip_prefix("rethread-").or((name == "rethread").then_some("rethread"))?;
    // A test may reach up, except in the core, whose tests must build without the rest.
    if dependency.kind == Kind::Dev && package != "rethread-core" {
        return None;
    }
    if allowed.contains(&ours) {
        return None;
    }
    let if_optional = format!("{ours}?");
    match (allowed.contains(&if_optional.as_str()), dependency.is_optional) {
        (true, true) => None,
        (true, false) => Some(format!("may depend on {name} only as an optional dependency")),
        (false, _) => Some(format!("must not depend on {name}: that arrow points up")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(package: &str, name: &str, kind: Kind, is_optional: bool) -> Vec<String> {
        let dependency = Dependency { name: name.into(), kind, is_optional };
        let package = Package { name: package.into(), dependencies: vec![dependency] };
        check_package(&package).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn arrows_point_down() {
        assert!(found("rethread-redis", "rethread-storage", Kind::Normal, false).is_empty());
        let up = found("rethread-storage", "rethread-redis", Kind::Normal, false);
        assert_eq!(
            up,
            ["rethread-storage: must not depend on rethread-redis: that arrow points up"]
        );
        assert_eq!(found("rethread-sdk", "rethread", Kind::Build, false).len(), 1);
    }

    #[test]
    fn tests_may_reach_up_except_in_the_core() {
        assert!(found("rethread-sdk", "rethread", Kind::Dev, false).is_empty());
        assert_eq!(found("rethread-core", "rethread-storage", Kind::Dev, false).len(), 1);
    }

    #[test]
    fn optional_arrows_are_optional() {
        assert!(found("rethread-client", "rethread-redis", Kind::Normal, true).is_empty());
        assert_eq!(found("rethread-client", "rethread-redis", Kind::Normal, false).len(), 1);
    }

    #[test]
    fn libraries_have_a_home() {
        assert!(found("rethread-redis", "redis", Kind::Normal, false).is_empty());
        assert_eq!(found("rethread-client", "redis", Kind::Dev, false).len(), 1);
        assert_eq!(found("rethread", "ractor", Kind::Normal, false).len(), 1);
        assert!(found("rethread-tests", "redis", Kind::Dev, false).is_empty());
    }

    #[test]
    fn a_new_crate_must_be_placed() {
        assert!(found("rethread-novel", "serde", Kind::Normal, false)[0].contains("unknown crate"));
    }
}
