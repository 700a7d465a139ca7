//! The store, as bodies and sessions use it.

use rethread::{Error, Filter, Result, Store};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::data::Data;

/// More than any case puts.
const LIMIT: usize = 1_000;

/// Which namespaces are listed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamespaceQuery {
    #[serde(default)]
    prefix: Vec<String>,
    #[serde(default)]
    suffix: Vec<String>,
    max_depth: Option<usize>,
}

pub(crate) async fn put(
    store: &Store,
    namespace: Vec<String>,
    key: String,
    value: &Value,
) -> Result<()> {
    store.put(namespace, key, &Data(value.clone())).await
}

pub(crate) async fn get(store: &Store, namespace: Vec<String>, key: String) -> Result<Value> {
    Ok(store.get::<Data>(namespace, key).await?.map(|item| item.value.0).unwrap_or_default())
}

/// The items under a prefix, sorted by namespace and key.
pub(crate) async fn search(
    store: &Store,
    prefix: Vec<String>,
    filter: Option<&Value>,
) -> Result<Value> {
    let mut search = store.search(prefix).limit(LIMIT);
    for (key, wanted) in filter.and_then(Value::as_object).into_iter().flatten() {
        for filter in filters(wanted)? {
            search = search.filter(key, filter);
        }
    }
    let mut items = search.items::<Data>().await?;
    items.sort_by(|a, b| (&a.namespace, &a.key).cmp(&(&b.namespace, &b.key)));
    let rows = items
        .into_iter()
        .map(|item| json!({ "ns": item.namespace, "key": item.key, "value": item.value.0 }));
    Ok(rows.collect())
}

/// What is asked of one key: a value to be equal to, or comparisons.
fn filters(wanted: &Value) -> Result<Vec<Filter>> {
    let comparisons = wanted
        .as_object()
        .filter(|entries| !entries.is_empty() && entries.keys().all(|name| name.starts_with('$')));
    let Some(comparisons) = comparisons else { return Ok(vec![Filter::eq(wanted)]) };
    let filter = |(name, operand): (&String, &Value)| {
        Ok(match name.as_str() {
            "$eq" => Filter::eq(operand),
            "$ne" => Filter::ne(operand),
            "$gt" => Filter::gt(operand),
            "$gte" => Filter::ge(operand),
            "$lt" => Filter::lt(operand),
            "$lte" => Filter::le(operand),
            _ => return Err(Error::msg(format_args!("there is no comparison `{name}`"))),
        })
    };
    comparisons.iter().map(filter).collect()
}

pub(crate) async fn namespaces(store: &Store, query: NamespaceQuery) -> Result<Value> {
    let mut list = store.list_namespaces().prefix(query.prefix).suffix(query.suffix);
    if let Some(depth) = query.max_depth {
        list = list.max_depth(depth);
    }
    Ok(json!(list.await?))
}
