//! The canonical form of a payload: equal values have equal bytes.
//!
//! A hash map is encoded in the order in which it happens to iterate, which differs from process
//! to process. The identity of a call must not depend on it (nor must the key of a cached result,
//! a known fault of LangGraph's), so identities are made from a form in which maps are sorted by key.

use std::borrow::Cow;

/// Deeper values are taken as they are.
const DEPTH_MAX: usize = 128;

/// The value with the entries of all maps sorted by the bytes of their keys.
///
/// Borrows when there is nothing to sort. Bytes that are not one MessagePack value are returned
/// as they are.
pub fn canonical(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut scan = Scan { bytes, has_map: false };
    match scan.skip(0, 0) {
        Some(end) if end == bytes.len() && scan.has_map => {
            let mut sorted = Vec::with_capacity(bytes.len());
            scan.sort(0, &mut sorted);
            Cow::Owned(sorted)
        }
        _ => Cow::Borrowed(bytes),
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    /// Whether a map with more than one entry was seen.
    has_map: bool,
}

/// What follows a marker.
pub(crate) enum Shape {
    /// This many bytes, the marker included.
    Scalar(usize),
    /// This many values after this many bytes.
    Array { head: usize, len: usize },
    /// This many pairs of values after this many bytes.
    Map { head: usize, len: usize },
}

/// The place behind the value at `at`; none for bytes that are no whole value, or one that is
/// nested too deeply.
pub(crate) fn end_of(bytes: &[u8], at: usize) -> Option<usize> {
    Scan { bytes, has_map: false }.skip(at, 0)
}

/// What stands at `at`.
pub(crate) fn shape_at(bytes: &[u8], at: usize) -> Option<Shape> {
    Scan { bytes, has_map: false }.shape(at)
}

impl Scan<'_> {
    fn length(&self, at: usize, width: usize) -> Option<usize> {
        let bytes = self.bytes.get(at..at + width)?;
        Some(bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    /// Reads the marker at a place, by the MessagePack specification.
    fn shape(&self, at: usize) -> Option<Shape> {
        let marker = *self.bytes.get(at)?;
        let low = usize::from(marker & 0x0f);
        let sized = |width: usize, extra: usize| {
            Some(Shape::Scalar(1 + width + extra + self.length(at + 1, width)?))
        };
        match marker {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Some(Shape::Scalar(1)),
            0x80..=0x8f => Some(Shape::Map { head: 1, len: low }),
            0x90..=0x9f => Some(Shape::Array { head: 1, len: low }),
            0xa0..=0xbf => Some(Shape::Scalar(1 + usize::from(marker & 0x1f))),
            0xc1 => None,
            0xc4 | 0xd9 => sized(1, 0),
            0xc5 | 0xda => sized(2, 0),
            0xc6 | 0xdb => sized(4, 0),
            0xc7 => sized(1, 1),
            0xc8 => sized(2, 1),
            0xc9 => sized(4, 1),
            0xcc | 0xd0 => Some(Shape::Scalar(2)),
            0xcd | 0xd1 => Some(Shape::Scalar(3)),
            0xca | 0xce | 0xd2 => Some(Shape::Scalar(5)),
            0xcb | 0xcf | 0xd3 => Some(Shape::Scalar(9)),
            0xd4..=0xd8 => Some(Shape::Scalar(2 + (1 << (marker - 0xd4)))),
            0xdc => Some(Shape::Array { head: 3, len: self.length(at + 1, 2)? }),
            0xdd => Some(Shape::Array { head: 5, len: self.length(at + 1, 4)? }),
            0xde => Some(Shape::Map { head: 3, len: self.length(at + 1, 2)? }),
            0xdf => Some(Shape::Map { head: 5, len: self.length(at + 1, 4)? }),
        }
    }

    /// The place behind the value at `at`.
    fn skip(&mut self, at: usize, depth: usize) -> Option<usize> {
        if depth > DEPTH_MAX {
            return None;
        }
        let (mut next, values) = match self.shape(at)? {
            Shape::Scalar(len) => return (at + len <= self.bytes.len()).then_some(at + len),
            Shape::Array { head, len } => (at + head, len),
            Shape::Map { head, len } => {
                self.has_map |= len > 1;
                (at + head, len.checked_mul(2)?)
            }
        };
        for _ in 0..values {
            next = self.skip(next, depth + 1)?;
        }
        Some(next)
    }

    /// Writes the value at `at`, which [`Scan::skip`] has found whole, and returns the place
    /// behind it.
    fn sort(&self, at: usize, out: &mut Vec<u8>) -> usize {
        match self.shape(at) {
            None => at,
            Some(Shape::Scalar(len)) => {
                out.extend_from_slice(&self.bytes[at..at + len]);
                at + len
            }
            Some(Shape::Array { head, len }) => {
                out.extend_from_slice(&self.bytes[at..at + head]);
                (0..len).fold(at + head, |next, _| self.sort(next, out))
            }
            Some(Shape::Map { head, len }) => {
                out.extend_from_slice(&self.bytes[at..at + head]);
                let mut next = at + head;
                let mut entries = Vec::with_capacity(len);
                for _ in 0..len {
                    let mut entry = Vec::new();
                    next = self.sort(next, &mut entry);
                    let key = entry.len();
                    next = self.sort(next, &mut entry);
                    entries.push((key, entry));
                }
                entries.sort_by(|(a_key, a), (b_key, b)| a[..*a_key].cmp(&b[..*b_key]));
                out.extend(entries.into_iter().flat_map(|(_, entry)| entry));
                next
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;
    use serde::Serialize;
    use serde::ser::SerializeMap;

    /// A map in a given order.
    struct Pairs<V>(Vec<(&'static str, V)>);

    impl<V: Serialize> Serialize for Pairs<V> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(self.0.len()))?;
            for (key, value) in &self.0 {
                map.serialize_entry(key, value)?;
            }
            map.end()
        }
    }

    fn form(value: &impl Serialize) -> Vec<u8> {
        let payload = Payload::encode(value, "x").expect("encodes");
        canonical(payload.as_bytes()).into_owned()
    }

    #[test]
    fn the_order_of_keys_does_not_count() {
        let a = Pairs(vec![("x", Pairs(vec![("p", 1), ("q", 2)])), ("y", Pairs(vec![]))]);
        let b = Pairs(vec![("y", Pairs(vec![])), ("x", Pairs(vec![("q", 2), ("p", 1)]))]);
        assert_eq!(form(&(1, a, "z")), form(&(1, b, "z")));
    }

    #[test]
    fn everything_else_counts() {
        let forms = [
            form(&Pairs(vec![("x", 1), ("y", 2)])),
            form(&Pairs(vec![("x", 2), ("y", 1)])),
            form(&Pairs(vec![("x", 1)])),
            form(&vec![1, 2]),
            form(&vec![2, 1]),
            form(&1),
            form(&1.0),
            form(&true),
            form(&"1"),
        ];
        for (i, a) in forms.iter().enumerate() {
            assert!(forms[i + 1..].iter().all(|b| a != b), "form {i} is not unique");
        }
    }

    #[test]
    fn sorted_bytes_are_still_the_value() {
        let value = Pairs(vec![("b", vec![1.5]), ("a", vec![2.5, 3.5])]);
        let sorted = Payload::from_bytes(form(&value).into());
        let read: std::collections::BTreeMap<String, Vec<f64>> =
            sorted.decode("x").expect("decodes");
        assert_eq!(read["a"], [2.5, 3.5]);
    }

    #[test]
    fn damaged_bytes_are_taken_as_they_are() {
        let deep: Vec<u8> = std::iter::repeat_n(0x91, 100_000).collect();
        for bytes in [&[0xdf, 0xff, 0xff, 0xff, 0xff][..], &[0x82, 0x01], &[0xc1], &[], &deep] {
            assert_eq!(canonical(bytes), bytes);
        }
    }
}
