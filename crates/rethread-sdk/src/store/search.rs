use std::sync::Arc;

use rethread_core::store::{NamespaceQuery, Search, StoreReply, StoreRequest};
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::store::backend::StoreBackend;
use crate::store::filter::Filter;
use crate::store::item::Item;
use crate::store::namespace::IntoNamespace;
use crate::store::request::{StoreCall, awaits_its_call, unexpected};

/// A search that is being described; [`StoreSearch::items`] begins it. See
/// [`Store::search`](crate::Store::search).
#[derive(Debug, Clone)]
#[must_use = "nothing is searched until its `items` are awaited"]
pub struct StoreSearch {
    backend: Arc<dyn StoreBackend>,
    search: Search,
    /// The first filter that could not be encoded.
    error: Option<rethread_core::payload::PayloadError>,
}

impl StoreSearch {
    pub(super) fn new(backend: Arc<dyn StoreBackend>, prefix: Vec<String>) -> Self {
        Self { backend, search: Search::under(prefix), error: None }
    }

    /// Finds only items whose entry `key` compares so; a plain value stands for [`Filter::eq`].
    /// Several filters must all hold.
    pub fn filter(mut self, key: impl Into<String>, filter: impl Into<Filter>) -> Self {
        match filter.into().on(key.into()) {
            Ok(condition) => self.search.filter.push(condition),
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
        self
    }

    /// Ranks what is found by its nearness to a text; needs a store with an index.
    pub fn query(mut self, text: impl Into<String>) -> Self {
        self.search.query = Some(text.into());
        self
    }

    /// Sets how many items are given at most. Default 10.
    pub fn limit(mut self, limit: usize) -> Self {
        self.search.limit = limit;
        self
    }

    /// Leaves out this many of the first. Default 0.
    pub fn offset(mut self, offset: usize) -> Self {
        self.search.offset = offset;
        self
    }

    /// Sets whether the times to live of what is found begin anew. Default true.
    pub fn refresh_ttl(mut self, refresh: bool) -> Self {
        self.search.refresh_ttl = refresh;
        self
    }

    /// The items that are found; their order is not promised, except by nearness to a query.
    ///
    /// # Errors
    /// When awaited: when a value is not a `T`, for a query without an index, and what the
    /// storage says.
    pub fn items<T: DeserializeOwned>(self) -> StoreCall<Vec<Item<T>>> {
        let request = match self.error {
            Some(error) => Err(Error::from(error)),
            None => Ok(StoreRequest::Search(Box::new(self.search))),
        };
        StoreCall::new(self.backend, request, items)
    }
}

fn items<T: DeserializeOwned>(reply: StoreReply) -> Result<Vec<Item<T>>> {
    match reply {
        StoreReply::Items(items) => items.into_iter().map(Item::read).collect(),
        other => unexpected(&other),
    }
}

/// The request for namespaces: a future of their labels. See
/// [`Store::list_namespaces`](crate::Store::list_namespaces).
#[derive(Debug)]
#[must_use = "nothing is listed until it is awaited"]
pub struct ListNamespaces(StoreCall<Vec<Vec<String>>>);

impl ListNamespaces {
    pub(super) fn new(backend: Arc<dyn StoreBackend>) -> Self {
        let request = Ok(StoreRequest::ListNamespaces(Box::default()));
        Self(StoreCall::new(backend, request, namespaces))
    }

    /// Lists only those that begin with these labels; `*` is any label.
    pub fn prefix(self, prefix: impl IntoNamespace) -> Self {
        self.change(|query| query.prefix = prefix.into_labels())
    }

    /// Lists only those that end with these labels; `*` is any label.
    pub fn suffix(self, suffix: impl IntoNamespace) -> Self {
        self.change(|query| query.suffix = suffix.into_labels())
    }

    /// Cuts them to this many labels; what is then equal is listed once.
    pub fn max_depth(self, labels: usize) -> Self {
        self.change(|query| query.max_depth = Some(labels))
    }

    /// Sets how many are given at most. Default 100.
    pub fn limit(self, limit: usize) -> Self {
        self.change(|query| query.limit = limit)
    }

    /// Leaves out this many of the first. Default 0.
    pub fn offset(self, offset: usize) -> Self {
        self.change(|query| query.offset = offset)
    }

    fn change(mut self, change: impl FnOnce(&mut NamespaceQuery)) -> Self {
        self.0.change(|request| {
            if let StoreRequest::ListNamespaces(query) = request {
                change(query);
            }
            Ok(())
        });
        self
    }
}

awaits_its_call!(ListNamespaces, Vec<Vec<String>>);

fn namespaces(reply: StoreReply) -> Result<Vec<Vec<String>>> {
    match reply {
        StoreReply::Namespaces(namespaces) => Ok(namespaces.into_iter().map(Into::into).collect()),
        other => unexpected(&other),
    }
}
