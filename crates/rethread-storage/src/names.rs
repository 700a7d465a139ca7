//! Names of items and cache entries: how long they may be, and a byte form that sorts as they do.

use rethread_core::store::Namespace;

use crate::{CacheKey, ItemName, Result, StorageError};

/// Most bytes of one label of a namespace.
pub const LABEL_BYTES_MAX: usize = 1_024;
/// Most bytes of all labels of a namespace.
pub const NAMESPACE_BYTES_MAX: usize = 4_096;
/// Most bytes of the key of an item.
pub const KEY_BYTES_MAX: usize = 1_024;
/// Most bytes of the group of a cache entry.
pub const CACHE_GROUP_BYTES_MAX: usize = 400;
/// Most bytes of the name of a cache entry in its group.
pub const CACHE_ENTRY_BYTES_MAX: usize = 1_024;
/// The group of what attempts of tasks note of their progress. It is kept as cached results are,
/// and is none: clearing the whole cache leaves it. Groups of results begin with what made them,
/// so none has this name.
pub const PROGRESS_GROUP: &str = "progress";

/// The namespace of what coordinators say of their entrypoints, by name.
pub const ENTRYPOINTS: [&str; 2] = ["@rethread", "entrypoints"];

/// Ends a label, and once more a namespace. It sorts before everything that a label goes on with,
/// and no label begins with it.
const END: [u8; 2] = [0, 0];
/// Stands for a zero byte in a label.
const ZERO: [u8; 2] = [0, 0xff];

impl ItemName {
    /// Checks the lengths of labels, namespace and key.
    ///
    /// # Errors
    /// [`StorageError::TooLong`].
    pub fn check(&self) -> Result<()> {
        let labels = self.namespace.labels();
        for label in labels {
            within("a label of a namespace", label.len(), LABEL_BYTES_MAX)?;
        }
        let all = labels.iter().map(String::len).sum();
        within("a namespace", all, NAMESPACE_BYTES_MAX)?;
        within("the key of an item", self.key.len(), KEY_BYTES_MAX)
    }

    /// Bytes that sort as names do: by namespace, label by label, then by key.
    pub fn to_sortable(&self) -> Vec<u8> {
        let mut bytes = Self::sortable_namespace(self.namespace.labels());
        bytes.extend(self.key.as_bytes());
        bytes
    }

    /// What the sortable forms of all names begin with whose namespaces begin with these labels,
    /// and no others.
    pub fn sortable_prefix(labels: &[String]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for label in labels {
            push_label(&mut bytes, label);
        }
        bytes
    }

    /// What the sortable forms of all names begin with that live in exactly this namespace, and
    /// no others. The key follows.
    pub fn sortable_namespace(labels: &[String]) -> Vec<u8> {
        let mut bytes = Self::sortable_prefix(labels);
        bytes.extend(END);
        bytes
    }

    /// What stands behind the sortable forms of all names that live in exactly this namespace, and
    /// before everything that follows them.
    #[cfg(feature = "disk")]
    pub(crate) fn behind_namespace(labels: &[String]) -> Vec<u8> {
        let mut bytes = Self::sortable_prefix(labels);
        bytes.extend([END[0], END[1] + 1]);
        bytes
    }

    /// Reads the sortable form; none if it is not one.
    pub fn from_sortable(mut bytes: &[u8]) -> Option<Self> {
        let mut labels = Vec::new();
        while !bytes.starts_with(&END) {
            let (label, rest) = take_label(bytes)?;
            labels.push(label);
            bytes = rest;
        }
        let key = std::str::from_utf8(&bytes[END.len()..]).ok()?.to_owned();
        Some(Self { namespace: Namespace::new(labels).ok()?, key })
    }
}

impl CacheKey {
    /// Checks the lengths of group and entry.
    ///
    /// # Errors
    /// [`StorageError::TooLong`].
    pub fn check(&self) -> Result<()> {
        within("the group of a cache entry", self.group.len(), CACHE_GROUP_BYTES_MAX)?;
        within("the key of a cache entry", self.entry.len(), CACHE_ENTRY_BYTES_MAX)
    }

    /// Bytes that name this entry and no other.
    #[cfg(feature = "disk")]
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Self::group_prefix(&self.group);
        bytes.extend_from_slice(&self.entry);
        bytes
    }

    /// What the bytes of all entries of a group begin with, and no others.
    #[cfg(feature = "disk")]
    pub(crate) fn group_prefix(group: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        push_label(&mut bytes, group);
        bytes
    }
}

fn within(what: &'static str, bytes: usize, max: usize) -> Result<()> {
    if bytes <= max { Ok(()) } else { Err(StorageError::TooLong { what, bytes, max }) }
}

fn push_label(bytes: &mut Vec<u8>, label: &str) {
    for byte in label.bytes() {
        match byte {
            0 => bytes.extend(ZERO),
            byte => bytes.push(byte),
        }
    }
    bytes.extend(END);
}

/// The first label, and what follows it.
fn take_label(bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut label = Vec::new();
    let mut rest = bytes;
    loop {
        if let Some(after) = rest.strip_prefix(&END) {
            return Some((String::from_utf8(label).ok()?, after));
        }
        let (byte, after) = match rest.strip_prefix(&ZERO) {
            Some(after) => (0, after),
            None => {
                rest.split_first().map(|(byte, after)| (*byte, after)).filter(|it| it.0 != 0)?
            }
        };
        label.push(byte);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [&str; 13] = [
        "a", "a\0", "a\0\0", "a\u{1}", "\0", "\0\0", "\u{1}", "ab", "b", "é", "/", "\u{ffff}", "z:",
    ];
    const KEYS: [&str; 6] = ["", "\0", "\0\0", "a", "\u{1}", "\u{10ffff}"];

    fn name(labels: &[&str], key: &str) -> ItemName {
        let namespace = Namespace::new(labels.iter().copied()).expect("valid labels");
        ItemName { namespace, key: key.to_owned() }
    }

    fn names() -> Vec<ItemName> {
        let mut names = Vec::new();
        for key in KEYS {
            for first in LABELS {
                names.push(name(&[first], key));
                names.extend(LABELS.map(|second| name(&[first, second], key)));
                names.extend(LABELS.map(|third| name(&[first, "a", third], key)));
            }
        }
        names
    }

    #[test]
    fn the_bytes_sort_as_the_names_and_survive() {
        let mut by_name = names();
        let mut by_bytes = by_name.clone();
        by_name.sort();
        by_bytes.sort_by_key(ItemName::to_sortable);
        assert_eq!(by_name, by_bytes);
        for name in by_name {
            assert_eq!(ItemName::from_sortable(&name.to_sortable()), Some(name));
        }
    }

    #[test]
    fn prefixes_are_those_of_the_labels() {
        let names = names();
        for prefix in names.iter().map(|name| name.namespace.labels()) {
            let start = ItemName::sortable_prefix(prefix);
            for name in &names {
                let begins = name.to_sortable().starts_with(&start);
                assert_eq!(begins, name.namespace.starts_with(prefix), "{name:?} {prefix:?}");
            }
        }
    }

    #[test]
    fn damage_is_noticed() {
        // A zero byte stands for nothing by itself.
        for bytes in [&b"a\0\x05\0\0\0\0k"[..], b"a\0\x05b\0\0\0\0k"] {
            assert_eq!(ItemName::from_sortable(bytes), None, "{bytes:?}");
        }
        for bytes in [&b""[..], b"a", b"a\0\0", b"\0\0key", b"a\0\0\0\0\xff", b"\xff\0\0\0\0k"] {
            assert_eq!(ItemName::from_sortable(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn lengths_are_checked() {
        let long = |n: usize| "x".repeat(n);
        assert_eq!(name(&[&long(1_024)], &long(1_024)).check(), Ok(()));
        let (label, key) = (name(&[&long(1_025)], ""), name(&["a"], &long(1_025)));
        let many = name(&[&*long(1_024); 5], "");
        for name in [label, key, many] {
            assert!(matches!(name.check(), Err(StorageError::TooLong { .. })), "{name:?}");
        }
    }
}
