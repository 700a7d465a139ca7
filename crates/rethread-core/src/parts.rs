//! Lists and maps taken apart and put together without decoding what is in them.
//!
//! Whoever merges values of users (the fields of a graph's state) must not change a byte of them:
//! numbers, bytes and keys of any type stay what they were.

use bytes::{BufMut, Bytes, BytesMut};

use crate::canonical::{Shape, end_of, shape_at};
use crate::payload::Payload;

/// The elements of a list; none for a value that is no list.
pub fn elements(list: &Payload) -> Option<Vec<Payload>> {
    match shape_at(list.as_bytes(), 0)? {
        Shape::Array { head, len } => values(list, head, len),
        Shape::Scalar(_) | Shape::Map { .. } => None,
    }
}

/// The keys and values of a map, in its order; none for a value that is no map.
pub fn entries(map: &Payload) -> Option<Vec<(Payload, Payload)>> {
    let Shape::Map { head, len } = shape_at(map.as_bytes(), 0)? else { return None };
    let mut values = values(map, head, len.checked_mul(2)?)?.into_iter();
    let pair = || Some((values.next()?, values.next()?));
    Some(std::iter::from_fn(pair).collect())
}

/// The entries of a map whose keys are texts; none for a value that is no map, or that has
/// another key.
pub fn fields(map: &Payload) -> Option<Vec<(String, Payload)>> {
    let entries = entries(map)?.into_iter();
    entries.map(|(key, value)| Some((text(&key)?.to_owned(), value))).collect()
}

/// A text; none for a value that is none.
pub fn text(value: &Payload) -> Option<&str> {
    text_in(value.as_bytes())
}

fn text_in(bytes: &[u8]) -> Option<&str> {
    let head = match bytes.first()? {
        0xa0..=0xbf => 1,
        0xd9 => 2,
        0xda => 3,
        0xdb => 5,
        _ => return None,
    };
    std::str::from_utf8(bytes.get(head..)?).ok()
}

/// A list of these elements.
pub fn list<'a>(elements: impl IntoIterator<Item = &'a Payload>) -> Payload {
    let mut body = BytesMut::new();
    let mut len = 0_usize;
    for element in elements {
        body.extend_from_slice(element.as_bytes());
        len += 1;
    }
    whole(0x90, 0xdc, len, &[&body])
}

/// A list and further ones behind it, as one; none if one of them is no list.
///
/// The elements of the first list are not looked at one by one: what it costs beside copying the
/// bytes is in proportion to the others.
pub fn joined(first: &Payload, others: &[&Payload]) -> Option<Payload> {
    let Shape::Array { head, mut len } = shape_at(first.as_bytes(), 0)? else { return None };
    let mut bodies = vec![first.as_bytes().get(head..)?];
    for other in others {
        let bytes = other.as_bytes();
        let Shape::Array { head, len: more } = shape_at(bytes, 0)? else { return None };
        if end_of(bytes, 0)? != bytes.len() {
            return None;
        }
        len += more;
        bodies.push(&bytes[head..]);
    }
    Some(whole(0x90, 0xdc, len, &bodies))
}

/// Whether a value is a list.
pub fn is_list(value: &Payload) -> bool {
    matches!(shape_at(value.as_bytes(), 0), Some(Shape::Array { .. }))
}

/// The values of some fields of a map, without taking the others out; none for a value that is no
/// map.
pub fn pick<const N: usize>(map: &Payload, names: [&str; N]) -> Option<[Option<Payload>; N]> {
    let bytes = map.as_bytes();
    let Shape::Map { head, len } = shape_at(bytes, 0)? else { return None };
    let mut found = names.map(|_| None);
    let mut at = head;
    for _ in 0..len {
        let key = end_of(bytes, at)?;
        let value = end_of(bytes, key)?;
        let name = text_in(&bytes[at..key]);
        if let Some(place) = names.iter().position(|known| name == Some(*known)) {
            found[place] = Some(map.part(key..value));
        }
        at = value;
    }
    Some(found)
}

/// A map of these entries. A key that comes twice stands in it twice.
pub fn map<'a>(entries: impl IntoIterator<Item = (&'a Payload, &'a Payload)>) -> Payload {
    let mut body = BytesMut::new();
    let mut len = 0_usize;
    for (key, value) in entries {
        body.extend_from_slice(key.as_bytes());
        body.extend_from_slice(value.as_bytes());
        len += 1;
    }
    whole(0x80, 0xde, len, &[&body])
}

/// A map whose keys are texts.
pub fn map_of_fields<'a>(fields: impl IntoIterator<Item = (&'a str, &'a Payload)>) -> Payload {
    let fields: Vec<_> = fields.into_iter().map(|(name, value)| (of_text(name), value)).collect();
    map(fields.iter().map(|(name, value)| (name, *value)))
}

/// The value that is a text.
pub fn of_text(text: &str) -> Payload {
    let mut bytes = BytesMut::with_capacity(text.len() + 5);
    match text.len() {
        len @ 0..32 => bytes.put_u8(0xa0 | narrow::<u8>(len)),
        len @ 32..0x100 => {
            bytes.put_u8(0xd9);
            bytes.put_u8(narrow(len));
        }
        len @ 0x100..0x1_0000 => {
            bytes.put_u8(0xda);
            bytes.put_u16(narrow(len));
        }
        len => {
            bytes.put_u8(0xdb);
            bytes.put_u32(narrow(len));
        }
    }
    bytes.extend_from_slice(text.as_bytes());
    Payload::from_bytes(bytes.freeze())
}

/// Most elements for which room is made before they are seen.
const RESERVED_MAX: usize = 1_024;

fn values(of: &Payload, head: usize, len: usize) -> Option<Vec<Payload>> {
    let bytes = of.as_bytes();
    // The head of a value may say anything: it is not trusted with memory.
    let mut values = Vec::with_capacity(len.min(RESERVED_MAX));
    let mut at = head;
    for _ in 0..len {
        let end = end_of(bytes, at)?;
        values.push(of.part(at..end));
        at = end;
    }
    (at == bytes.len()).then_some(values)
}

/// A head for `len` values and the values: the small form, or that of 16 or 32 bits.
fn whole(small: u8, sized: u8, len: usize, bodies: &[&[u8]]) -> Payload {
    let size: usize = bodies.iter().map(|body| body.len()).sum();
    let mut bytes = BytesMut::with_capacity(size + 5);
    match len {
        0..16 => bytes.put_u8(small | narrow::<u8>(len)),
        16..0x1_0000 => {
            bytes.put_u8(sized);
            bytes.put_u16(narrow(len));
        }
        _ => {
            bytes.put_u8(sized + 1);
            bytes.put_u32(narrow(len));
        }
    }
    for body in bodies {
        bytes.extend_from_slice(body);
    }
    Payload::from_bytes(Bytes::from(bytes))
}

fn narrow<T: TryFrom<usize>>(len: usize) -> T {
    let Ok(len) = T::try_from(len) else {
        panic!("invariant: a value has fewer than 4 billion parts and bytes")
    };
    len
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;

    fn payload(value: impl Serialize) -> Payload {
        Payload::encode(&value, "x").expect("encodes")
    }

    #[test]
    fn lists_are_taken_apart_and_put_together_exactly() {
        for len in [0_u32, 1, 15, 16, 300, 70_000] {
            let given = payload((0..len).collect::<Vec<_>>());
            let parts = elements(&given).expect("a list");
            assert_eq!(parts.len(), len as usize);
            assert_eq!(list(&parts), given);
        }
        assert_eq!(elements(&payload("text")), None);
        assert_eq!(elements(&Payload::NULL), None);
    }

    #[test]
    fn lists_are_joined_and_fields_picked() {
        for (first, others) in [(0, [0, 1]), (14, [1, 1]), (16, [300, 0]), (70_000, [1, 2])] {
            let numbers = |from: u32, len: u32| (from..from + len).collect::<Vec<_>>();
            let lists = [numbers(0, first), numbers(first, others[0]), numbers(7, others[1])];
            let encoded = lists.clone().map(payload);
            let joined = joined(&encoded[0], &[&encoded[1], &encoded[2]]);
            assert_eq!(joined, Some(payload(lists.concat())));
        }
        assert_eq!(joined(&payload([1]), &[&payload("text")]), None);
        assert_eq!(joined(&payload("text"), &[]), None);
        let map = payload(std::collections::BTreeMap::from([("a", 1), ("b", 2)]));
        assert_eq!(pick(&map, ["b", "c"]), Some([Some(payload(2)), None]));
        assert_eq!(pick(&payload([1]), ["a"]), None);
        assert!(is_list(&payload([1])) && !is_list(&map));
    }

    #[test]
    fn maps_keep_keys_of_any_type() {
        let given = payload(std::collections::BTreeMap::from([(7, "a"), (8, "b")]));
        let parts = entries(&given).expect("a map");
        assert_eq!(map(parts.iter().map(|(key, value)| (key, value))), given);
        assert_eq!(fields(&given), None);
        for len in [0_u32, 1, 15, 16, 300] {
            let given: std::collections::BTreeMap<_, _> =
                (0..len).map(|n| (format!("{n:05}"), n)).collect();
            let given = payload(given);
            let parts = fields(&given).expect("keys are texts");
            let again = map_of_fields(parts.iter().map(|(name, value)| (name.as_str(), value)));
            assert_eq!(again, given);
        }
    }

    #[test]
    fn texts_are_written_as_serde_writes_them() {
        for len in [0, 31, 32, 255, 256, 65_535, 65_536] {
            let given = "x".repeat(len);
            assert_eq!(of_text(&given), payload(&given));
            assert_eq!(text(&of_text(&given)), Some(given.as_str()));
        }
        assert_eq!(text(&payload(7)), None);
    }

    #[test]
    fn what_is_cut_off_has_no_parts() {
        let given = payload(vec!["abc", "def"]);
        let cut = Payload::from_bytes(Bytes::copy_from_slice(&given.as_bytes()[..4]));
        assert_eq!(elements(&cut), None);
        let more = Payload::from_bytes(Bytes::from_static(&[0x91, 1, 2]));
        assert_eq!(elements(&more), None);
        let lies = Payload::from_bytes(Bytes::from_static(&[0xdd, 0xff, 0xff, 0xff, 0xff]));
        assert_eq!(elements(&lies), None);
    }
}
