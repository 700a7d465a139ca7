//! Long-term memory across threads: what is asked of the store, and what it answers.
//!
//! The rules are those of LangGraph's `BaseStore`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::Millis;
use crate::payload::Payload;

/// Results of a search, and of a listing, unless a limit is given.
pub const SEARCH_LIMIT: usize = 10;
/// Namespaces of a listing unless a limit is given.
pub const NAMESPACES_LIMIT: usize = 100;

/// Where an item lives: one or more labels, from the general to the special.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Namespace(Vec<String>);

/// Labels that cannot be a namespace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NamespaceError {
    /// There are no labels.
    #[error("a namespace needs at least one label")]
    Empty,
    /// A label is empty.
    #[error("label {position} of the namespace is empty")]
    EmptyLabel {
        /// Its position, from 0.
        position: usize,
    },
    /// A label has a dot in it.
    #[error("label `{label}` of the namespace has a dot in it; use several labels instead")]
    Dot {
        /// The label.
        label: String,
    },
    /// The first label is reserved.
    #[error("the first label of a namespace may not be `langgraph`")]
    Reserved,
}

impl Namespace {
    /// The namespace of these labels.
    ///
    /// # Errors
    /// [`NamespaceError`] for no labels, empty labels, labels with a dot, and `langgraph` as the
    /// first one.
    pub fn new<L: Into<String>>(
        labels: impl IntoIterator<Item = L>,
    ) -> Result<Self, NamespaceError> {
        let labels: Vec<String> = labels.into_iter().map(Into::into).collect();
        if labels.is_empty() {
            return Err(NamespaceError::Empty);
        }
        if let Some(position) = labels.iter().position(String::is_empty) {
            return Err(NamespaceError::EmptyLabel { position });
        }
        if let Some(label) = labels.iter().find(|label| label.contains('.')) {
            return Err(NamespaceError::Dot { label: label.clone() });
        }
        if labels[0] == "langgraph" {
            return Err(NamespaceError::Reserved);
        }
        Ok(Self(labels))
    }

    /// Its labels.
    pub fn labels(&self) -> &[String] {
        &self.0
    }

    /// Whether it begins with these labels; every namespace begins with none.
    pub fn starts_with(&self, prefix: &[String]) -> bool {
        self.0.starts_with(prefix)
    }
}

impl TryFrom<Vec<String>> for Namespace {
    type Error = NamespaceError;

    fn try_from(labels: Vec<String>) -> Result<Self, NamespaceError> {
        Self::new(labels)
    }
}

impl From<Namespace> for Vec<String> {
    fn from(namespace: Namespace) -> Self {
        namespace.0
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// One thing that is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Where it lives.
    pub namespace: Namespace,
    /// Its name there.
    pub key: String,
    /// The value: a map.
    pub value: Payload,
    /// When it was first put.
    pub created_at: Millis,
    /// When it was put last.
    pub updated_at: Millis,
    /// How near it is to the query of a search, greater is nearer; none without a query.
    pub score: Option<f32>,
}

/// What is asked of the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StoreRequest {
    /// One item, or none.
    #[serde(rename = "g")]
    Get {
        /// Where it lives.
        namespace: Namespace,
        /// Its name there.
        key: String,
        /// Whether its time to live begins anew.
        refresh_ttl: bool,
    },
    /// Puts an item, replacing the one of the same name.
    #[serde(rename = "p")]
    Put {
        /// Where it lives.
        namespace: Namespace,
        /// Its name there.
        key: String,
        /// The value: a map.
        value: Payload,
        /// How long it lives, in milliseconds; none: for ever.
        ttl_ms: Option<u64>,
        /// Whether the index, if there is one, takes it up.
        is_indexed: bool,
    },
    /// Removes an item; no error if there is none.
    #[serde(rename = "d")]
    Delete {
        /// Where it lives.
        namespace: Namespace,
        /// Its name there.
        key: String,
    },
    /// Items under a prefix.
    #[serde(rename = "s")]
    Search(Box<Search>),
    /// Namespaces that are known.
    #[serde(rename = "n")]
    ListNamespaces(Box<NamespaceQuery>),
}

/// Which items are searched for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// Labels that the namespaces begin with; may be empty.
    pub prefix: Vec<String>,
    /// All of these must hold.
    pub filter: Vec<Condition>,
    /// A text to rank by; needs an index.
    pub query: Option<String>,
    /// Most items.
    pub limit: usize,
    /// How many of the first are left out.
    pub offset: usize,
    /// Whether times to live of what is found begin anew.
    pub refresh_ttl: bool,
}

impl Search {
    /// All items under a prefix, [`SEARCH_LIMIT`] of them.
    pub fn under(prefix: Vec<String>) -> Self {
        Self {
            prefix,
            filter: Vec::new(),
            query: None,
            limit: SEARCH_LIMIT,
            offset: 0,
            refresh_ttl: true,
        }
    }
}

/// A condition on one entry of a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The key of the entry.
    pub key: String,
    /// How it is compared.
    pub comparison: Comparison,
    /// What it is compared with.
    pub operand: Payload,
}

/// How an entry of a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Comparison {
    /// Equal; a map matches a map that has at least its entries.
    #[serde(rename = "=")]
    Eq,
    /// Not equal.
    #[serde(rename = "!")]
    Ne,
    /// Greater.
    #[serde(rename = ">")]
    Gt,
    /// Greater or equal.
    #[serde(rename = "g")]
    Gte,
    /// Less.
    #[serde(rename = "<")]
    Lt,
    /// Less or equal.
    #[serde(rename = "l")]
    Lte,
}

/// Which namespaces are listed: sorted, each once. One is known from its first use on, looking
/// for an item included, as in LangGraph's in-memory store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamespaceQuery {
    /// Labels that they begin with; `*` is any label.
    pub prefix: Vec<String>,
    /// Labels that they end with; `*` is any label.
    pub suffix: Vec<String>,
    /// Cuts them to this many labels.
    pub max_depth: Option<usize>,
    /// Most namespaces.
    pub limit: usize,
    /// How many of the first are left out.
    pub offset: usize,
}

impl Default for NamespaceQuery {
    fn default() -> Self {
        Self {
            prefix: Vec::new(),
            suffix: Vec::new(),
            max_depth: None,
            limit: NAMESPACES_LIMIT,
            offset: 0,
        }
    }
}

/// What the store answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StoreReply {
    /// To [`StoreRequest::Get`].
    #[serde(rename = "g")]
    Item(Option<Box<Item>>),
    /// To [`StoreRequest::Put`] and [`StoreRequest::Delete`].
    #[serde(rename = "p")]
    Done,
    /// To [`StoreRequest::Search`].
    #[serde(rename = "s")]
    Items(Vec<Item>),
    /// To [`StoreRequest::ListNamespaces`].
    #[serde(rename = "n")]
    Namespaces(Vec<Namespace>),
}
