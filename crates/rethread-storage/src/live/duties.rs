//! Who makes which missing value of the cache.

use std::collections::HashMap;
use std::time::Duration;

use rethread_core::ids::Millis;

use crate::CacheKey;
use crate::clock::millis;

/// Duties are looked through for ended ones when there are twice as many as were left the last
/// time, and never below this number.
const SWEEP_MIN: usize = 64;

/// Duties to make values. Nobody takes them back when their time is over: others take them over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Duties {
    held: HashMap<CacheKey, Duty>,
    left_by_sweep: usize,
}

#[derive(Debug, Clone)]
struct Duty {
    holder: String,
    until: Millis,
}

impl Duties {
    /// Gives the duty to `holder`, or extends it, unless another has it: then false.
    pub(crate) fn take(
        &mut self,
        key: &CacheKey,
        holder: &str,
        hold: Duration,
        now: Millis,
    ) -> bool {
        if self.held.get(key).is_some_and(|duty| duty.holder != holder && duty.until > now) {
            return false;
        }
        if self.held.len() >= 2 * self.left_by_sweep.max(SWEEP_MIN) {
            self.held.retain(|_, duty| duty.until > now);
            self.left_by_sweep = self.held.len();
        }
        let duty = Duty { holder: holder.to_owned(), until: now.plus(millis(hold)) };
        self.held.insert(key.clone(), duty);
        true
    }

    /// Ends the duty if it is that of `holder`.
    pub(crate) fn abandon(&mut self, key: &CacheKey, holder: &str) {
        if self.held.get(key).is_some_and(|duty| duty.holder == holder) {
            self.held.remove(key);
        }
    }

    /// Ends the duty, whoever has it.
    pub(crate) fn end(&mut self, key: &CacheKey) {
        self.held.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const HOLD: Duration = Duration::from_millis(10);

    fn key(n: usize) -> CacheKey {
        CacheKey { group: "g".into(), entry: Bytes::from(n.to_string()) }
    }

    #[test]
    fn a_duty_ends_with_its_time() {
        let mut duties = Duties::default();
        assert!(duties.take(&key(1), "a", HOLD, Millis(0)));
        assert!(!duties.take(&key(1), "b", HOLD, Millis(9)));
        assert!(duties.take(&key(1), "a", HOLD, Millis(9)), "extended");
        assert!(!duties.take(&key(1), "b", HOLD, Millis(18)));
        assert!(duties.take(&key(1), "b", HOLD, Millis(19)));
    }

    #[test]
    fn ended_duties_do_not_pile_up() {
        let mut duties = Duties::default();
        for n in 0..10_000 {
            assert!(duties.take(&key(n), "a", HOLD, Millis(n as u64)));
            assert!(duties.held.len() <= 2 * SWEEP_MIN, "{} after {n}", duties.held.len());
        }
    }
}
