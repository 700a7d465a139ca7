//! The packages of the workspace and what they depend on, from `cargo metadata`.

use std::path::PathBuf;

use serde_json::Value;

use crate::Result;

/// The answer of `cargo metadata --no-deps`, as far as the checks need it.
#[derive(Debug)]
pub(crate) struct Packages {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(super) list: Vec<Package>,
}

#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) dependencies: Vec<Dependency>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) is_optional: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Build,
    Dev,
}

impl Packages {
    pub(crate) fn parse(json: &str) -> Result<Self> {
        let all: Value =
            serde_json::from_str(json).map_err(|error| format!("cargo metadata: {error}"))?;
        let list = array(&all, "packages")?.iter().map(package).collect::<Result<_>>()?;
        Ok(Self {
            root: text(&all, "workspace_root")?.into(),
            target: text(&all, "target_directory")?.into(),
            list,
        })
    }
}

fn package(value: &Value) -> Result<Package> {
    let dependencies =
        array(value, "dependencies")?.iter().map(dependency).collect::<Result<_>>()?;
    Ok(Package { name: text(value, "name")?, dependencies })
}

fn dependency(value: &Value) -> Result<Dependency> {
    let kind = match value["kind"].as_str() {
        Some("dev") => Kind::Dev,
        Some("build") => Kind::Build,
        _ => Kind::Normal,
    };
    let is_optional = value["optional"].as_bool().unwrap_or(false);
    Ok(Dependency { name: text(value, "name")?, kind, is_optional })
}

fn array<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    value[key].as_array().ok_or_else(|| format!("cargo metadata: no list `{key}`"))
}

fn text(value: &Value, key: &str) -> Result<String> {
    let text = value[key].as_str().ok_or_else(|| format!("cargo metadata: no text `{key}`"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cargo_prints() {
        let json = r#"{"packages": [{"name": "a", "dependencies": [
                {"name": "b", "kind": null, "optional": true},
                {"name": "c", "kind": "dev", "optional": false}]}],
            "workspace_root": "/r", "target_directory": "/r/target"}"#;
        let packages = Packages::parse(json).expect("reads");
        assert_eq!(packages.target, PathBuf::from("/r/target"));
        let [b, c] = packages.list[0].dependencies.as_slice() else { panic!("{packages:?}") };
        assert!(b.name == "b" && b.kind == Kind::Normal && b.is_optional);
        assert!(c.name == "c" && c.kind == Kind::Dev && !c.is_optional);
        assert!(Packages::parse("{}").is_err());
    }
}
