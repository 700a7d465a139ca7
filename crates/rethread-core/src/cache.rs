//! Where results are cached: the names that tasks and entrypoints share through the cache.

use bytes::Bytes;

use crate::canonical::canonical;
use crate::ids::{CallId, CallKind};
use crate::message::CacheSlot;
use crate::payload::Payload;
use crate::policy::Cache;

/// Longer keys of users are stored as their digest.
const KEY_BYTES_MAX: usize = 1_000;

/// The group of all entries of a task or entrypoint: what is cleared as one.
pub fn group(kind: CallKind, name: &str) -> String {
    let kind = match kind {
        CallKind::Task => "task",
        CallKind::Entrypoint => "entrypoint",
        CallKind::Timer | CallKind::Interrupt | CallKind::Store => "other",
    };
    format!("{kind}:{name}")
}

/// Where the result of a call is cached: under the key that the user made, or under a digest of
/// version and input. The digest is made of the canonical form of the input, so it depends on
/// the value and on nothing else; 1, 1.0, true and "1" differ, the order of map keys does not
/// matter (D17).
pub fn slot(
    kind: CallKind,
    name: &str,
    version: Option<&str>,
    input: &Payload,
    key: Option<&str>,
    cache: Cache,
) -> CacheSlot {
    let entry = match key {
        Some(key) if key.len() <= KEY_BYTES_MAX => Bytes::from([b"k", key.as_bytes()].concat()),
        Some(key) => {
            let digest = CallId::content(CallId::ANYWHERE, kind, name, key.as_bytes());
            Bytes::from([b"l".as_slice(), &digest.to_be_bytes()].concat())
        }
        None => {
            let version = version.unwrap_or_default();
            let mut content = (version.len() as u64).to_be_bytes().to_vec();
            content.extend_from_slice(version.as_bytes());
            content.extend_from_slice(&canonical(input.as_bytes()));
            // The scope plays no part: equal calls of all runs share an entry.
            let digest = CallId::content(CallId::ANYWHERE, kind, name, &content);
            Bytes::from([b"d".as_slice(), &digest.to_be_bytes()].concat())
        }
    };
    CacheSlot { group: group(kind, name), entry, ttl_ms: cache.ttl_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(input: &Payload, version: Option<&str>, key: Option<&str>) -> Bytes {
        slot(CallKind::Task, "t", version, input, key, Cache::forever()).entry
    }

    fn value(value: impl serde::Serialize) -> Payload {
        Payload::encode(&value, "x").expect("encodes")
    }

    #[test]
    fn equal_values_share_an_entry_and_others_do_not() {
        assert_eq!(entry(&value((1, "a")), None, None), entry(&value((1, "a")), None, None));
        let inputs = [value((1,)), value((1.0,)), value((true,)), value(("1",)), value(((1,),))];
        for (nth, one) in inputs.iter().enumerate() {
            for other in &inputs[nth + 1..] {
                assert_ne!(entry(one, None, None), entry(other, None, None));
            }
        }
    }

    #[test]
    fn a_version_and_a_key_make_other_entries() {
        let input = value((1,));
        assert_ne!(entry(&input, None, None), entry(&input, Some("2"), None));
        assert_eq!(entry(&input, None, Some("k")), entry(&value((2,)), Some("2"), Some("k")));
        assert_ne!(entry(&input, None, Some("k")), entry(&input, None, Some("l")));
        let long = |end: &str| entry(&input, None, Some(&("k".repeat(5_000) + end)));
        assert!(long("a").len() < 100 && long("a") != long("b"), "a long key is digested");
    }
}
