//! Each Redis that these files start keeps what it acknowledged.

use serde_json::Value;

use super::super::finding::Finding;
use super::super::tree::File;

/// Without them a restart, or a full memory, loses runs.
const NEEDED: [(&str, &str); 2] = [("appendonly", "yes"), ("maxmemory-policy", "noeviction")];

/// Looks at a configuration file.
pub(super) fn check_conf(file: &File) -> Vec<Finding> {
    let lines = || file.text.lines().filter_map(|line| line.trim().split_once(' '));
    missing(file, |name| lines().rfind(|(key, _)| *key == name).map(|(_, value)| value))
}

/// Looks at every command line of a `redis-server` that reads no configuration file.
pub(super) fn check_yaml(file: &File, documents: &[Value]) -> Vec<Finding> {
    let mut commands = Vec::new();
    documents.iter().for_each(|document| collect(document, &mut commands));
    let bare = commands.iter().filter(|command| !command.iter().any(|arg| arg.ends_with(".conf")));
    bare.flat_map(|command| {
        missing(file, |name| {
            let flag = format!("--{name}");
            let at = command.iter().position(|arg| *arg == flag)?;
            command.get(at + 1).copied()
        })
    })
    .collect()
}

fn collect<'a>(value: &'a Value, commands: &mut Vec<Vec<&'a str>>) {
    match value {
        Value::Array(items) if items.first().is_some_and(|first| first == "redis-server") => {
            commands.push(items.iter().filter_map(Value::as_str).collect());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, commands)),
        Value::Object(pairs) => pairs.values().for_each(|item| collect(item, commands)),
        _ => {}
    }
}

fn missing<'a>(file: &File, given: impl Fn(&str) -> Option<&'a str>) -> Vec<Finding> {
    NEEDED
        .iter()
        .filter(|(name, value)| given(name).map(str::trim) != Some(value))
        .map(|(name, value)| {
            Finding::whole(&file.path, format!("Redis without `{name} {value}` loses runs"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::tree::Tree;
    use super::super::yaml::documents;
    use super::*;

    #[test]
    fn configuration_files_keep_what_is_written() {
        let tree = Tree::of(&[
            ("good", "# appendonly no\nappendonly yes\nmaxmemory-policy noeviction\n"),
            ("bad", "appendonly yes\nappendonly no\n"),
        ]);
        let found = |name| check_conf(tree.get(name).expect("is there")).len();
        assert_eq!((found("good"), found("bad")), (0, 2));
    }

    #[test]
    fn command_lines_keep_what_is_written() {
        let found = |text: &str| {
            let tree = Tree::of(&[("a.yaml", text)]);
            check_yaml(&tree.files[0], &documents(text).expect("reads")).len()
        };
        assert_eq!(found("a: {b: [redis-server, --appendonly, \"yes\"]}"), 1);
        assert_eq!(found("a: {b: [redis-server, /etc/redis.conf]}"), 0);
        assert_eq!(found("a: [redis-cli, ping]"), 0);
    }
}
