//! Who a request is from.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use rethread_client::{Client, Thread, ThreadId};
use rethread_core::tenant;
use uuid::Uuid;

/// Whose things a request sees. Everything that is kept is kept under its tenant, so what is not
/// the caller's is not there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) enum Tenant {
    /// The one of requests without a token, and of tokens that name none.
    #[default]
    Standard,
    /// One that a token names: 1 to 64 letters, digits, `-` and `_`, and not `http` or `rethread`.
    Named(Arc<str>),
}

impl Tenant {
    /// The tenant of this name; none if it cannot be one.
    pub(crate) fn named(name: &str) -> Option<Self> {
        tenant::is_name(name).then(|| Self::Named(name.into()))
    }

    /// Its name; none of the standard one.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Standard => None,
            Self::Named(name) => Some(name),
        }
    }

    /// The label that its records and its part of the store stand under; no name of a tenant is
    /// that of the standard one.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Standard => "@".to_owned(),
            Self::Named(name) => format!("@{name}"),
        }
    }

    /// The label before the namespaces of its programs; none for the standard tenant.
    pub(crate) fn store_label(&self) -> Option<String> {
        matches!(self, Self::Named(_)).then(|| self.label())
    }

    /// The id that the engine knows a thread by.
    pub(crate) fn thread_id(&self, thread: Uuid) -> ThreadId {
        let text = match self {
            Self::Standard => thread.to_string(),
            Self::Named(name) => format!("@{name}/{thread}"),
        };
        ThreadId::new(text).expect("invariant: a tenant and a UUID are short")
    }

    /// A thread of it.
    pub(crate) fn thread(&self, client: &Client, thread: Uuid) -> Thread {
        client.thread_with_id(self.thread_id(thread))
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard => f.write_str("(standard)"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// Who asks. The authentication puts the [`Tenant`] of a token into the extensions of the
/// request; without it, it is the standard one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    pub(crate) tenant: Tenant,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self { tenant: parts.extensions.get().cloned().unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tenants_are_plain() {
        for name in ["a", "team-7", "A_b", &"x".repeat(64)] {
            assert!(Tenant::named(name).is_some(), "{name}");
        }
        for name in ["", "a.b", "a/b", "@a", "ä", &"x".repeat(65), "http", "rethread"] {
            assert_eq!(Tenant::named(name), None, "{name}");
        }
    }

    #[test]
    fn tenants_share_no_thread_and_no_label() {
        let id = Uuid::nil();
        let (standard, named) = (Tenant::Standard, Tenant::named("acme").expect("a name"));
        assert_eq!(standard.thread_id(id).as_str(), id.to_string());
        assert_eq!(named.thread_id(id).as_str(), format!("@acme/{id}"));
        assert_ne!(standard.label(), named.label());
        assert_eq!(standard.store_label(), None);
    }
}
