//! Bytes and names as they stand in keys.

use std::fmt::Write as _;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Two digits for each byte.
pub(crate) fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// The bytes that [`push_hex`] wrote; none for anything else.
pub(crate) fn read_hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let value = |digit: u8| DIGITS.iter().position(|it| *it == digit).map(|at| at as u8);
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

/// Letters, digits, `-` and `_` stay, so that operators can read names; any other byte becomes
/// `=` and two hexadecimal digits. No two names give the same result.
pub(crate) fn push_escaped(text: &mut String, name: &[u8]) {
    for &byte in name {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "={byte:02x}");
        }
    }
}

/// A name as it stands in keys.
pub(crate) fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    push_escaped(&mut text, name.as_bytes());
    text
}
