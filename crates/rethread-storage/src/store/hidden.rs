//! Namespaces that are kept for the engine's own use.

use rethread_core::store::Namespace;

use crate::ItemName;

/// What their first label begins with.
const MARK: char = '@';

/// Whether what is asked for under a prefix leaves hidden namespaces out.
pub(super) fn are_left_out(prefix: &[String]) -> bool {
    !prefix.first().is_some_and(|label| label.starts_with(MARK))
}

/// Whether a namespace is hidden.
pub(super) fn is_hidden(namespace: &Namespace) -> bool {
    namespace.labels().first().is_some_and(|label| label.starts_with(MARK))
}

/// A name behind those of all items in hidden namespaces.
pub(super) fn behind_all() -> ItemName {
    let label = format!("{MARK}{}", char::MAX);
    let namespace = Namespace::new([label]).expect("invariant: a label without dots");
    ItemName { namespace, key: String::new() }
}
