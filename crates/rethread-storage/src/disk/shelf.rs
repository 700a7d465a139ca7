//! Items of the store and entries of the cache: tables whose values may have an end.

use std::ops::Bound;

use fjall::{Keyspace, Readable, Slice};
use rethread_core::ids::Millis;
use rethread_core::store::Namespace;

use super::ages;
use super::sweep;
use super::tables::{Tables, unreadable};
use super::values::{Kept, damaged};
use crate::{ItemName, ItemRecord, Result};

/// One of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shelf {
    Items,
    Cache,
}

/// A change of one of the tables.
#[derive(Debug)]
pub(super) enum ShelfWrite {
    Put {
        shelf: Shelf,
        key: Vec<u8>,
        kept: Kept,
    },
    Remove {
        shelf: Shelf,
        keys: Vec<Vec<u8>>,
    },
    /// Sets the end of a value that is there.
    Touch {
        shelf: Shelf,
        key: Vec<u8>,
        expires_at: Millis,
    },
}

impl ShelfWrite {
    /// Whether it adds a value.
    pub(super) fn is_new(&self) -> bool {
        matches!(self, Self::Put { .. })
    }
}

impl Shelf {
    pub(super) fn table(self, tables: &Tables) -> &Keyspace {
        match self {
            Self::Items => &tables.items,
            Self::Cache => &tables.cache,
        }
    }

    /// What the sweeper calls values of the table whose time is over.
    pub(super) fn garbage(self) -> u8 {
        match self {
            Self::Items => sweep::ITEMS,
            Self::Cache => sweep::CACHE,
        }
    }

    /// What is stored under a key, also when its time is over.
    pub(super) fn read(self, tables: &Tables, key: &[u8]) -> Result<Option<Kept>> {
        let found = self.table(tables).get(key).map_err(unreadable)?;
        found.map(|bytes| Kept::decode(&bytes)).transpose()
    }

    /// At most `max` keys with a prefix, behind `after`.
    pub(super) fn keys(
        self,
        tables: &Tables,
        prefix: &[u8],
        after: Option<Vec<u8>>,
        max: usize,
    ) -> Result<Vec<Vec<u8>>> {
        let from = after.map_or_else(|| Bound::Included(prefix.to_vec()), Bound::Excluded);
        let behind = self.table(tables).range((from, Bound::Unbounded));
        let mut keys = Vec::new();
        for pair in behind.take(max) {
            let key = pair.key().map_err(unreadable)?;
            if !key.starts_with(prefix) || key[..] == ages::KEY {
                break;
            }
            keys.push(key.to_vec());
        }
        Ok(keys)
    }
}

/// Items whose namespaces begin with `prefix`, behind `after`; at most `max`.
pub(super) fn scan_items(
    tables: &Tables,
    prefix: &[String],
    after: Option<&ItemName>,
    max: usize,
    now: Millis,
) -> Result<Vec<(ItemName, ItemRecord)>> {
    let prefix = ItemName::sortable_prefix(prefix);
    let from = match after.map(ItemName::to_sortable) {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix.clone()),
    };
    let mut found = Vec::new();
    for pair in tables.view().range(&tables.items, (from, Bound::Unbounded)) {
        if found.len() == max {
            break;
        }
        let (key, value) = pair.into_inner().map_err(unreadable)?;
        if !key.starts_with(&prefix) || key[..] == ages::KEY {
            break;
        }
        if Kept::stored_lasts(&value, now)? {
            let Kept { value: record, expires_at } = Kept::decode(&value)?;
            found.push((name_of(&key)?, ItemRecord { record, expires_at }));
        }
    }
    Ok(found)
}

/// The namespaces that hold items and begin with `prefix`.
pub(super) fn item_namespaces(
    tables: &Tables,
    prefix: &[String],
    now: Millis,
) -> Result<Vec<Namespace>> {
    let prefix = ItemName::sortable_prefix(prefix);
    let view = tables.view();
    let mut found = Vec::new();
    let mut from = prefix.clone();
    // One seek for each namespace, plus a step for each item in front of it whose time is over.
    'namespaces: loop {
        for pair in view.range(&tables.items, from.clone()..) {
            let (key, value) = pair.into_inner().map_err(unreadable)?;
            if !key.starts_with(&prefix) || key[..] == ages::KEY {
                break 'namespaces;
            }
            if Kept::stored_lasts(&value, now)? {
                let namespace = name_of(&key)?.namespace;
                from = ItemName::behind_namespace(namespace.labels());
                found.push(namespace);
                continue 'namespaces;
            }
        }
        break;
    }
    Ok(found)
}

fn name_of(key: &Slice) -> Result<ItemName> {
    ItemName::from_sortable(key).ok_or_else(|| damaged("the name of an item"))
}
