//! Tenants: parts of an installation that see nothing of each other.
//!
//! A thread whose id is `@NAME/..` belongs to the tenant of this name. What its bodies ask of the
//! store happens in namespaces under a first label `@NAME`, which they never see, and their cached
//! results stand in groups of their own. All other threads share the rest.
//!
//! First labels that begin with `@` are the engine's, so no body can name what is another's. Under
//! some of them the engine keeps what is its own: no tenant has their names.

use std::fmt;
use std::sync::Arc;

use crate::failure::{Failure, kind};
use crate::ids::ThreadId;
use crate::message::CacheSlot;
use crate::store::{Item, Namespace, StoreReply, StoreRequest};

/// What a name of a tenant is marked with.
const MARK: char = '@';
/// Longest name of a tenant, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Names that no tenant has: under `@http` gateways keep tokens and records of all tenants, under
/// `@rethread` coordinators say what they know.
const RESERVED: [&str; 2] = ["http", "rethread"];
/// Stands for any label in a listing.
const ANY: &str = "*";

/// Whether a tenant may have this name: 1 to [`NAME_BYTES_MAX`] letters, digits, `-` and `_` that
/// the engine does not use itself.
pub fn is_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_plain);
    fits && !RESERVED.contains(&name)
}

/// The part of store and cache that the bodies of a thread see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// `@NAME` of a tenant.
    label: Option<Arc<str>>,
}

impl Part {
    /// The part of a thread.
    pub fn of(thread: &ThreadId) -> Self {
        Self { label: label_of(thread.as_str()).map(Arc::from) }
    }

    /// A request of a body as the store is to get it.
    ///
    /// # Errors
    /// Of the kind [`kind::INVALID_NAMESPACE`], for a first label that begins with `@`.
    pub fn inward(&self, mut request: StoreRequest) -> Result<StoreRequest, Failure> {
        match &mut request {
            StoreRequest::Get { namespace, .. }
            | StoreRequest::Put { namespace, .. }
            | StoreRequest::Delete { namespace, .. } => {
                check(namespace.labels())?;
                if let Some(label) = &self.label {
                    *namespace = within(label, namespace.labels())?;
                }
            }
            StoreRequest::Search(search) => {
                check(&search.prefix)?;
                if let Some(label) = &self.label {
                    search.prefix.insert(0, label.to_string());
                }
            }
            StoreRequest::ListNamespaces(query) => {
                check(&query.prefix)?;
                if let Some(label) = &self.label {
                    // What a namespace ends with must not reach into the label.
                    let shortest = query.suffix.len().max(query.prefix.len());
                    query.prefix.resize(shortest, ANY.to_owned());
                    query.prefix.insert(0, label.to_string());
                    query.max_depth = query.max_depth.map(|depth| depth.saturating_add(1));
                }
            }
        }
        Ok(request)
    }

    /// What the store answers as the body is to get it.
    pub fn outward(&self, mut reply: StoreReply) -> StoreReply {
        if self.label.is_none() {
            return reply;
        }
        match &mut reply {
            StoreReply::Item(Some(item)) => strip(item),
            StoreReply::Items(items) => items.iter_mut().for_each(strip),
            StoreReply::Namespaces(namespaces) => {
                let stripped = namespaces.iter().filter_map(without_first);
                *namespaces = stripped.collect();
            }
            StoreReply::Item(None) | StoreReply::Done => {}
        }
        reply
    }

    /// Where a result is cached.
    #[must_use]
    pub fn slot(&self, mut slot: CacheSlot) -> CacheSlot {
        if let Some(label) = &self.label {
            slot.group = format!("{label}/{}", slot.group);
        }
        slot
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label.as_deref().unwrap_or("the common part"))
    }
}

/// The label of the tenant that a thread belongs to.
fn label_of(thread: &str) -> Option<&str> {
    let (label, _) = thread.split_once('/')?;
    is_name(label.strip_prefix(MARK)?).then_some(label)
}

fn check(labels: &[String]) -> Result<(), Failure> {
    match labels.first().filter(|label| label.starts_with(MARK)) {
        None => Ok(()),
        Some(label) => {
            let message = format!(
                "namespaces whose first label begins with `{MARK}` are the engine's: begin with \
                 another label than `{label}`"
            );
            Err(Failure::new(kind::INVALID_NAMESPACE, message).final_())
        }
    }
}

fn within(label: &str, labels: &[String]) -> Result<Namespace, Failure> {
    let all = std::iter::once(label).chain(labels.iter().map(String::as_str));
    Namespace::new(all)
        .map_err(|error| Failure::new(kind::INVALID_NAMESPACE, error.to_string()).final_())
}

fn strip(item: &mut Item) {
    if let Some(namespace) = without_first(&item.namespace) {
        item.namespace = namespace;
    }
}

fn without_first(namespace: &Namespace) -> Option<Namespace> {
    Namespace::new(namespace.labels().get(1..)?.iter().cloned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;
    use crate::store::{NamespaceQuery, Search};

    fn part(thread: &str) -> Part {
        Part::of(&ThreadId::new(thread).expect("an id"))
    }

    fn namespace(labels: &[&str]) -> Namespace {
        Namespace::new(labels.iter().copied()).expect("labels")
    }

    fn get(labels: &[&str]) -> StoreRequest {
        StoreRequest::Get { namespace: namespace(labels), key: "k".into(), refresh_ttl: false }
    }

    #[test]
    fn threads_are_of_a_tenant_by_their_id() {
        for (thread, label) in [
            ("@acme/1", Some("@acme")),
            ("@a-B_9/x/y", Some("@a-B_9")),
            ("acme/1", None),
            ("@acme", None),
            ("@/1", None),
            ("@a.b/1", None),
            ("@a b/1", None),
            ("1/@acme/2", None),
            // What is kept there is the engine's.
            ("@http/1", None),
            ("@rethread/1", None),
        ] {
            assert_eq!(part(thread).label.as_deref(), label, "{thread}");
        }
        let longest = format!("@{}/1", "x".repeat(NAME_BYTES_MAX));
        assert!(part(&longest).label.is_some());
        assert!(part(&longest.replacen('x', "xx", 1)).label.is_none());
    }

    #[test]
    fn what_is_asked_is_asked_in_the_part_and_the_answer_does_not_show_it() {
        let acme = part("@acme/1");
        assert_eq!(acme.inward(get(&["a", "b"])), Ok(get(&["@acme", "a", "b"])));
        let item = |labels: &[&str]| Item {
            namespace: namespace(labels),
            key: "k".into(),
            value: Payload::NULL,
            created_at: Default::default(),
            updated_at: Default::default(),
            score: None,
        };
        let reply = StoreReply::Item(Some(Box::new(item(&["@acme", "a"]))));
        assert_eq!(acme.outward(reply), StoreReply::Item(Some(Box::new(item(&["a"])))));
        let reply = StoreReply::Items(vec![item(&["@acme", "a"]), item(&["@acme", "b", "c"])]);
        let shown = StoreReply::Items(vec![item(&["a"]), item(&["b", "c"])]);
        assert_eq!(acme.outward(reply), shown);
        let search = |prefix: &[&str]| {
            let prefix = prefix.iter().map(|label| (*label).to_owned()).collect();
            StoreRequest::Search(Box::new(Search::under(prefix)))
        };
        assert_eq!(acme.inward(search(&[])), Ok(search(&["@acme"])));
        assert_eq!(acme.inward(search(&["a"])), Ok(search(&["@acme", "a"])));
    }

    #[test]
    fn listings_count_labels_without_that_of_the_tenant() {
        let labels = |labels: &[&str]| labels.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let acme = part("@acme/1");
        let query = |prefix: &[&str], suffix: &[&str], max_depth| {
            let (prefix, suffix) = (labels(prefix), labels(suffix));
            let query = NamespaceQuery { prefix, suffix, max_depth, ..NamespaceQuery::default() };
            StoreRequest::ListNamespaces(Box::new(query))
        };
        let cases = [
            (query(&[], &[], None), query(&["@acme"], &[], None)),
            (query(&["a"], &[], Some(2)), query(&["@acme", "a"], &[], Some(3))),
            (query(&[], &["*", "z"], None), query(&["@acme", "*", "*"], &["*", "z"], None)),
        ];
        for (asked, expected) in cases {
            assert_eq!(acme.inward(asked), Ok(expected));
        }
        let reply = StoreReply::Namespaces(vec![namespace(&["@acme", "a"])]);
        assert_eq!(acme.outward(reply), StoreReply::Namespaces(vec![namespace(&["a"])]));
    }

    #[test]
    fn nobody_names_the_part_of_another() {
        for thread in ["@acme/1", "plain"] {
            let part = part(thread);
            let listing = NamespaceQuery { prefix: vec!["@b".into()], ..NamespaceQuery::default() };
            for request in [
                get(&["@b", "a"]),
                get(&["@http"]),
                StoreRequest::Search(Box::new(Search::under(vec!["@acme".into()]))),
                StoreRequest::ListNamespaces(Box::new(listing)),
            ] {
                let failure = part.inward(request).expect_err("refused");
                assert_eq!(
                    (failure.kind.as_str(), failure.retryable),
                    (kind::INVALID_NAMESPACE, Some(false))
                );
            }
            // Users may be called so.
            assert!(part.inward(get(&["users", "@ada"])).is_ok());
        }
    }

    #[test]
    fn threads_of_no_tenant_are_untouched() {
        let plain = part("plain");
        assert_eq!(plain.inward(get(&["a"])), Ok(get(&["a"])));
        let reply = StoreReply::Namespaces(vec![namespace(&["a", "b"])]);
        assert_eq!(plain.outward(reply.clone()), reply);
        let slot = CacheSlot { group: "task:t".into(), entry: Default::default(), ttl_ms: None };
        assert_eq!(plain.slot(slot.clone()), slot);
        assert_eq!(part("@acme/1").slot(slot).group, "@acme/task:t");
    }
}
