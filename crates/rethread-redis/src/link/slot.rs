//! To which slot of a cluster a command belongs.

use redis::{Arg, Cmd};

/// Number of slots of every cluster.
pub(super) const SLOTS: u16 = 16_384;

/// The key that decides where a command runs; none: anywhere.
///
/// Knows the commands of this crate: most have their key in the second place.
pub(super) fn key_of(cmd: &Cmd) -> Option<&[u8]> {
    let mut words = cmd.args_iter().map(|arg| match arg {
        Arg::Simple(word) => word,
        _ => b"".as_slice(),
    });
    match words.next()? {
        b"EVALSHA" => words.nth(2),
        b"XREAD" | b"XREADGROUP" => words.skip_while(|word| *word != b"STREAMS").nth(1),
        b"XGROUP" | b"XINFO" => words.nth(1),
        b"INFO" | b"PING" | b"SCRIPT" | b"CLUSTER" => None,
        _ => words.next(),
    }
}

/// The slot of a key: only what stands in its first pair of braces counts, if it has one.
pub(super) fn slot_of(key: &[u8]) -> u16 {
    let position = |from: usize, byte: u8| key[from..].iter().position(|it| *it == byte);
    let tag = position(0, b'{').and_then(|open| {
        let length = position(open + 1, b'}')?;
        (length > 0).then(|| &key[open + 1..=open + length])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_server() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot_of(b"foo"), 12_182);
        assert_eq!(slot_of(b"a{foo}b{bar}"), 12_182);
        assert_eq!(slot_of(b"{}foo"), crc16(b"{}foo") % SLOTS);
    }

    #[test]
    fn the_key_is_found_in_each_kind_of_command() {
        let cmd = |words: &[&str]| {
            let mut cmd = redis::cmd(words[0]);
            cmd.arg(&words[1..]);
            cmd
        };
        let key = |words: &[&str]| key_of(&cmd(words)).map(<[u8]>::to_vec);
        assert_eq!(key(&["HGET", "k", "f"]), Some(b"k".to_vec()));
        assert_eq!(key(&["EVALSHA", "hash", "2", "k", "l"]), Some(b"k".to_vec()));
        assert_eq!(key(&["XINFO", "CONSUMERS", "k", "w"]), Some(b"k".to_vec()));
        assert_eq!(key(&["XREAD", "COUNT", "1", "STREAMS", "k", "0"]), Some(b"k".to_vec()));
        assert_eq!(key(&["SCRIPT", "LOAD", "code"]), None);
    }
}
