//! Numbers that a seed gives again and again.

use std::collections::VecDeque;

/// SplitMix64, behind numbers that are given.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: u64,
    given: VecDeque<u8>,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed, given: VecDeque::new() }
    }

    /// Takes its first numbers from bytes, so that a fuzzer can choose each of them.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { state: bytes.len() as u64, given: bytes.iter().copied().collect() }
    }

    pub(super) fn next(&mut self) -> u64 {
        if let Some(byte) = self.given.pop_front() {
            return byte.into();
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not zero.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(super) fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    /// Sometimes a value.
    pub(super) fn maybe<T>(
        &mut self,
        one_in: usize,
        make: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        self.chance(one_in).then(|| make(self))
    }

    /// Up to `max` values.
    pub(super) fn some<T>(&mut self, max: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(max + 1)).map(|_| make(self)).collect()
    }
}
