//! A case: a program and a session on it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::{Map, Value};

use crate::expr::Expr;
use crate::graph::GraphSpec;
use crate::operation::Operation;
use crate::statement::Block;

/// The version of the language that is read here.
const DSL: u64 = 1;

/// Why a case cannot be run.
#[derive(Debug)]
pub(crate) enum CaseError {
    /// It says something that is not known here.
    Unknown(String),
    /// It is no case.
    Broken(String),
}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(text) | Self::Broken(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for CaseError {}

/// One case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    dsl: u64,
    pub(crate) name: String,
    /// What the case shows, for people.
    #[serde(default, rename = "about")]
    _about: String,
    #[serde(default, rename = "tags")]
    _tags: Vec<String>,
    /// The defect of LangGraph that it is about, for people.
    #[serde(default, rename = "defect")]
    _defect: Option<String>,
    /// How LangGraph runs the bodies.
    #[serde(default, rename = "async")]
    _is_async: bool,
    /// The entrypoint or graph that the session works on, if it is not the first one.
    main: Option<String>,
    pub(crate) program: Program,
    pub(crate) session: Vec<Operation>,
}

/// Tasks, entrypoints and graphs by name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    #[serde(default)]
    pub(crate) tasks: BTreeMap<String, TaskSpec>,
    #[serde(default)]
    pub(crate) entrypoints: Ordered<EntrypointSpec>,
    #[serde(default)]
    pub(crate) graphs: Ordered<GraphSpec>,
}

/// A task.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskSpec {
    /// Names of its arguments.
    #[serde(default)]
    pub(crate) params: Vec<String>,
    pub(crate) body: Block,
    #[serde(default)]
    pub(crate) retry: OneOrMany<RetrySpec>,
    pub(crate) cache: Option<CacheSpec>,
    pub(crate) timeout_ms: Option<u64>,
}

/// An entrypoint.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntrypointSpec {
    /// Name of its input.
    #[serde(default = "input")]
    pub(crate) param: String,
    pub(crate) body: Block,
    #[serde(default)]
    pub(crate) retry: OneOrMany<RetrySpec>,
    pub(crate) cache: Option<CacheSpec>,
    pub(crate) timeout_ms: Option<u64>,
    /// Whether cache policies have an effect in its runs.
    #[serde(default = "yes")]
    pub(crate) use_cache: bool,
    pub(crate) checkpointer: Option<Checkpointer>,
}

/// What an entrypoint keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Checkpointer {
    /// Everything, on the thread that the session names.
    Saver,
    /// What its caller keeps, anew in each run of the caller.
    Inherit,
    /// What its caller keeps, with a history of its own per thread.
    Thread,
    /// Nothing.
    Off,
}

/// A retry policy.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetrySpec {
    pub(crate) max_attempts: Option<u32>,
    pub(crate) initial_interval_ms: Option<u64>,
    pub(crate) backoff_factor: Option<f64>,
    pub(crate) max_interval_ms: Option<u64>,
    #[serde(default)]
    pub(crate) jitter: bool,
    /// Kinds of errors; none means the engine's default.
    #[serde(default)]
    pub(crate) retry_on: OneOrMany<String>,
}

/// A cache policy.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CacheSpec {
    pub(crate) ttl_ms: Option<u64>,
    /// An expression over the parameters; its text is the key.
    pub(crate) key: Option<Expr>,
}

impl Case {
    /// Reads a case from JSON.
    ///
    /// # Errors
    /// [`CaseError`].
    pub(crate) fn read(text: &str) -> Result<Self, CaseError> {
        let json = serde_json::from_str::<IgnoredAny>(text);
        json.map_err(|error| CaseError::Broken(format!("not JSON: {error}")))?;
        let case: Self =
            serde_json::from_str(text).map_err(|error| CaseError::Unknown(error.to_string()))?;
        if case.dsl != DSL {
            let text = format!("the case is of version {}, known is {DSL}", case.dsl);
            return Err(CaseError::Unknown(text));
        }
        if !case.names().any(|name| name == case.main()) {
            let text = match case.main() {
                "" => "the program has no entrypoint and no graph".into(),
                name => format!("the main entrypoint `{name}` is not in the program"),
            };
            return Err(CaseError::Broken(text));
        }
        Ok(case)
    }

    /// The entrypoint or graph that the session works on.
    pub(crate) fn main(&self) -> &str {
        self.main.as_deref().or_else(|| self.names().next()).unwrap_or_default()
    }

    /// The names of entrypoints, then of graphs.
    fn names(&self) -> impl Iterator<Item = &str> {
        let entrypoints = self.program.entrypoints.0.iter().map(|(name, _)| name.as_str());
        entrypoints.chain(self.program.graphs.0.iter().map(|(name, _)| name.as_str()))
    }

    /// A graph by its name.
    pub(crate) fn graph(&self, name: &str) -> Option<&GraphSpec> {
        self.program.graphs.get(name)
    }

    /// An entrypoint by its name.
    pub(crate) fn entrypoint(&self, name: &str) -> Option<&EntrypointSpec> {
        self.program.entrypoints.get(name)
    }

    /// What an entrypoint or graph keeps, said or not.
    pub(crate) fn checkpointer(&self, name: &str) -> Checkpointer {
        let said = match self.graph(name) {
            Some(graph) => graph.checkpointer,
            None => self.entrypoint(name).and_then(|spec| spec.checkpointer),
        };
        let default = if name == self.main() { Checkpointer::Saver } else { Checkpointer::Inherit };
        said.unwrap_or(default)
    }
}

fn input() -> String {
    "input".into()
}

fn yes() -> bool {
    true
}

/// One thing, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T> OneOrMany<T> {
    /// The things, in their order.
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// Named things in the order in which they are written.
#[derive(Debug, Clone)]
pub(crate) struct Ordered<T>(pub(crate) Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Ordered<T> {
    /// A thing by its name.
    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, thing)| thing)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found: Vec<(String, T)> = Vec::new();
                while let Some((name, thing)) = map.next_entry::<String, T>()? {
                    if found.iter().any(|(known, _)| *known == name) {
                        return Err(de::Error::custom(format_args!("`{name}` is there twice")));
                    }
                    found.push((name, thing));
                }
                Ok(Ordered(found))
            }
        }

        deserializer.deserialize_map(Entries(std::marker::PhantomData))
    }
}

/// An object whose values are JSON.
pub(crate) type Object = Map<String, Value>;

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = r#"{"entrypoints": {"z": {"body": []}, "a": {"body": []}}}"#;

    fn case(rest: &str) -> Result<Case, CaseError> {
        Case::read(&format!(r#"{{"dsl": 1, "name": "x", "program": {PROGRAM}{rest}}}"#))
    }

    #[test]
    fn the_first_entrypoint_is_the_main_one_unless_another_is_named() {
        let first = case(r#", "session": []"#).expect("a case");
        assert_eq!(first.main(), "z");
        assert_eq!(first.checkpointer("z"), Checkpointer::Saver);
        assert_eq!(first.checkpointer("a"), Checkpointer::Inherit);
        assert_eq!(case(r#", "session": [], "main": "a""#).expect("a case").main(), "a");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = case(r#", "session": [], "main": "b""#).expect_err("no such entrypoint");
        assert!(matches!(&error, CaseError::Broken(text) if text.contains("`b`")), "{error}");
        let error = case(r#", "session": [{"op": "dance"}]"#).expect_err("no such operation");
        assert!(matches!(&error, CaseError::Unknown(text) if text.contains("dance")), "{error}");
        assert!(matches!(Case::read("{"), Err(CaseError::Broken(_))));
    }
}
