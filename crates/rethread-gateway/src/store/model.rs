use std::borrow::Cow;
use std::time::Duration;

use rethread_client::Item as StoredItem;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::caller::Tenant;
use crate::error::{ApiError, ApiResult};
use crate::json::{Object, Shown, Wanted};
use crate::page::{Limit, Offset};
use crate::times::{self, Time};

/// Labels, from the general to the special. The standard tenant sees all that have no tenant;
/// another sees those under its own label, without it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Labels(Vec<String>);

impl JsonSchema for Labels {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Labels".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "prefixItems": [{ "type": "string", "pattern": "^(?!langgraph$)[^.@][^.]*$" }],
            "items": { "type": "string", "pattern": "^[^.]+$" },
            "description": "Labels, from the general to the special. No label has a dot; the \
                first one is not `langgraph` and does not begin with `@`.",
        })
    }
}

impl Labels {
    /// Labels that are joined with dots.
    pub(super) fn parse(joined: &str) -> Self {
        match joined {
            "" => Self(Vec::new()),
            joined => Self(joined.split('.').map(str::to_owned).collect()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The namespace of an item, as the engine knows it.
    ///
    /// # Errors
    /// 400 for none, and one that is reserved; 422 for a label that is none.
    pub(super) fn namespace(self, tenant: &Tenant) -> ApiResult<Vec<String>> {
        if self.0.is_empty() {
            return Err(ApiError::bad_request("a namespace needs at least one label"));
        }
        self.prefix(tenant)
    }

    /// The beginning of namespaces, as the engine knows it.
    ///
    /// # Errors
    /// As for [`Labels::namespace`], which may be empty here.
    pub(super) fn prefix(self, tenant: &Tenant) -> ApiResult<Vec<String>> {
        let Self(labels) = self;
        check(&labels)?;
        if let Some(first) = labels.first().filter(|it| *it == "langgraph" || it.starts_with('@')) {
            return Err(ApiError::bad_request(format_args!(
                "namespaces that begin with `{first}` are reserved: choose another first label"
            )));
        }
        Ok(tenant.store_label().into_iter().chain(labels).collect())
    }

    /// The end of namespaces.
    ///
    /// # Errors
    /// 422 for a label that is none.
    pub(super) fn suffix(self) -> ApiResult<Vec<String>> {
        check(&self.0)?;
        Ok(self.0)
    }
}

fn check(labels: &[String]) -> ApiResult<()> {
    match labels.iter().find(|label| label.is_empty() || label.contains('.')) {
        None => Ok(()),
        Some(label) => Err(ApiError::invalid(format_args!(
            "`{label}` is no label: labels are not empty and have no dots"
        ))),
    }
}

/// What the tenant sees of a namespace of its own.
pub(super) fn shown(tenant: &Tenant, mut namespace: Vec<String>) -> Vec<String> {
    if tenant.store_label().is_some() && !namespace.is_empty() {
        namespace.remove(0);
    }
    namespace
}

/// One thing that is remembered.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Item {
    namespace: Vec<String>,
    key: String,
    value: Object,
    created_at: Time,
    updated_at: Time,
}

impl Item {
    pub(super) fn new(tenant: &Tenant, item: StoredItem<Shown>) -> Self {
        let value = match item.value {
            Shown(Value::Object(members)) => members,
            // The store takes nothing else.
            Shown(other) => Object::from_iter([("value".to_owned(), other)]),
        };
        Self {
            namespace: shown(tenant, item.namespace),
            key: item.key,
            value,
            created_at: Time(times::millis(item.created_at)),
            updated_at: Time(times::millis(item.updated_at)),
        }
    }
}

/// An item that is to be put.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ItemPut {
    #[schemars(length(min = 1))]
    pub(super) namespace: Labels,
    pub(super) key: String,
    pub(super) value: Object,
    pub(super) index: Option<Indexed>,
    /// Minutes that it lives, from now and from each time it is read.
    #[schemars(range(max = 52_560_000), extend("exclusiveMinimum" = 0))]
    pub(super) ttl: Option<f64>,
}

/// Whether searches by text find an item.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`true`, `false` or a list of paths")]
pub(super) enum Indexed {
    Whether(bool),
    /// By these parts; the index of the store decides which.
    Parts(#[allow(dead_code, reason = "the index of the store decides")] Vec<String>),
}

impl Indexed {
    pub(super) fn is_indexed(&self) -> bool {
        !matches!(self, Self::Whether(false))
    }
}

/// Which item is shown.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct ItemQuery {
    /// Its labels, joined with dots.
    #[schemars(regex(pattern = r"^(?!langgraph($|\.))[^.@][^.]*(\.[^.]+)*$"))]
    pub(super) namespace: String,
    pub(super) key: String,
    /// Whether its time to live begins anew; by default it does.
    pub(super) refresh_ttl: Option<bool>,
}

/// Which item is removed.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ItemDelete {
    #[schemars(length(min = 1))]
    pub(super) namespace: Labels,
    pub(super) key: String,
}

/// Which items are found.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ItemsSearch {
    /// How their namespaces begin.
    #[serde(default)]
    pub(super) namespace_prefix: Labels,
    /// What their values have: an entry is compared with `$eq`, `$ne`, `$gt`, `$gte`, `$lt`,
    /// `$lte`, or equal to what is given.
    #[serde(default)]
    pub(super) filter: Wanted<Object>,
    /// Ranks them by their nearness to a text, if the store has an index.
    pub(super) query: Option<String>,
    #[serde(default)]
    pub(super) limit: Limit,
    #[serde(default)]
    pub(super) offset: Offset,
    /// Whether their times to live begin anew; by default they do.
    pub(super) refresh_ttl: Option<bool>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ItemsFound {
    pub(super) items: Vec<ItemFound>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ItemFound {
    #[serde(flatten)]
    pub(super) item: Item,
    /// How near it is to the text, greater is nearer; null without one.
    pub(super) score: Option<f32>,
}

/// Which namespaces are listed. `*` stands for any label.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct NamespacesSearch {
    #[serde(default)]
    pub(super) prefix: Labels,
    #[serde(default)]
    pub(super) suffix: Labels,
    /// They are cut to this many labels.
    pub(super) max_depth: Option<Limit>,
    #[serde(default)]
    pub(super) limit: Limit<100>,
    #[serde(default)]
    pub(super) offset: Offset,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NamespacesFound {
    pub(super) namespaces: Vec<Vec<String>>,
}

/// How long an item lives that is put for so many minutes.
///
/// # Errors
/// 422 for no time, and for more than a hundred years.
pub(super) fn lifetime(minutes: f64) -> ApiResult<Duration> {
    let fits = minutes > 0.0 && minutes <= 52_560_000.0;
    let seconds = if fits { (minutes * 60.0).max(0.001) } else { f64::NAN };
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| ApiError::invalid("ttl: must be more than 0 and at most 52560000 minutes"))
}
