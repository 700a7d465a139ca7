//! Pages of the threads of a partition, for adapters that keep them sorted by key.
//!
//! A page begins at a number: the first eight bytes of a key. Threads that share them are never
//! torn apart.

use bytes::Bytes;
use rethread_core::ids::ThreadKey;

use crate::ThreadPage;

/// The first key of the page that begins at `from`.
pub(crate) fn first_key(from: u64) -> ThreadKey {
    ThreadKey::from_bytes((u128::from(from) << 64).to_be_bytes())
}

/// About `max` of the threads, which come sorted.
pub(crate) fn page<E>(
    threads: impl Iterator<Item = Result<(ThreadKey, Bytes), E>>,
    max: usize,
) -> Result<ThreadPage, E> {
    let mut page = ThreadPage { threads: Vec::new(), next: None };
    for thread in threads {
        let (key, header) = thread?;
        let place = place(key);
        if page.threads.len() >= max.max(1)
            && page.threads.last().is_none_or(|(last, _)| self::place(*last) != place)
        {
            page.next = Some(place);
            break;
        }
        page.threads.push((key, header));
    }
    Ok(page)
}

fn place(key: ThreadKey) -> u64 {
    let (first, _) = key.as_bytes().split_at(size_of::<u64>());
    first.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn key(place: u64, rest: u64) -> ThreadKey {
        ThreadKey::from_bytes((u128::from(place) << 64 | u128::from(rest)).to_be_bytes())
    }

    #[test]
    fn pages_never_tear_threads_of_one_place_apart() {
        let keys = [key(0, 0), key(1, 0), key(1, 1), key(1, 2), key(u64::MAX, 0), key(u64::MAX, 9)];
        let mut from = Some(0);
        let mut seen = Vec::new();
        while let Some(start) = from {
            let behind = keys.iter().filter(|key| **key >= first_key(start));
            let threads = behind.map(|key| Ok::<_, Infallible>((*key, Bytes::new())));
            let page = page(threads, 2).unwrap_or_else(|never| match never {});
            seen.extend(page.threads.into_iter().map(|(key, _)| key));
            assert!(page.next.is_none_or(|next| next > start), "it goes on");
            from = page.next;
        }
        assert_eq!(seen, keys);
    }
}
