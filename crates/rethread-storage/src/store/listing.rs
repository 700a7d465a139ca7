//! Which namespaces hold items.

use rethread_core::store::{Namespace, NamespaceQuery};

use super::{StoreEngine, StoreFailure, hidden};
use crate::Storage;

/// Stands for any label.
const ANY: &str = "*";

impl StoreEngine {
    pub(super) async fn list(
        &self,
        storage: &dyn Storage,
        query: &NamespaceQuery,
    ) -> Result<Vec<Namespace>, StoreFailure> {
        let known = query.prefix.iter().position(|label| label == ANY);
        let known = &query.prefix[..known.unwrap_or(query.prefix.len())];
        let all = storage.item_namespaces(known).await?;
        let leaves_hidden_out = hidden::are_left_out(&query.prefix);
        let is_seen = |namespace: &&Namespace| {
            is_meant(namespace, query) && !(leaves_hidden_out && hidden::is_hidden(namespace))
        };
        let mut found: Vec<_> = all.iter().filter(is_seen).cloned().collect();
        if let Some(depth) = query.max_depth {
            // Cut to no labels, nothing is left to name.
            found = found.iter().filter_map(|namespace| cut(namespace, depth)).collect();
        }
        found.sort();
        found.dedup();
        Ok(found.into_iter().skip(query.offset).take(query.limit).collect())
    }
}

fn cut(namespace: &Namespace, depth: usize) -> Option<Namespace> {
    Namespace::new(namespace.labels().iter().take(depth).cloned()).ok()
}

fn is_meant(namespace: &Namespace, query: &NamespaceQuery) -> bool {
    let labels = namespace.labels();
    let NamespaceQuery { prefix, suffix, .. } = query;
    let fits = |(label, wanted): (&String, &String)| wanted == ANY || label == wanted;
    labels.len() >= prefix.len().max(suffix.len())
        && labels.iter().zip(prefix).all(fits)
        && labels.iter().rev().zip(suffix.iter().rev()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(labels: &[&str]) -> Vec<String> {
        labels.iter().map(|label| (*label).to_owned()).collect()
    }

    #[test]
    fn prefixes_and_suffixes_may_have_gaps() {
        let namespace = Namespace::new(["users", "ada", "notes"]).expect("labels");
        let table: [(&[&str], &[&str], bool); 14] = [
            (&[], &[], true),
            (&["users"], &[], true),
            (&["*"], &[], true),
            (&["users", "*", "notes"], &[], true),
            (&["users", "*", "files"], &[], false),
            (&["*", "ada"], &["*", "notes"], true),
            (&["user"], &[], false),
            (&[], &["notes"], true),
            (&[], &["ada", "*"], true),
            (&[], &["users", "ada", "notes"], true),
            (&[], &["ada"], false),
            (&["users", "ada", "notes"], &["users", "ada", "notes"], true),
            (&["*", "*", "*", "*"], &[], false),
            (&[], &["*", "*", "*", "*"], false),
        ];
        for (prefix, suffix, expected) in table {
            let (prefix, suffix) = (texts(prefix), texts(suffix));
            let query = NamespaceQuery { prefix, suffix, ..NamespaceQuery::default() };
            assert_eq!(is_meant(&namespace, &query), expected, "{query:?}");
        }
    }
}
