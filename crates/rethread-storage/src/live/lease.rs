//! Who owns a partition, and which commit was its last.

use std::time::Duration;

use rethread_core::ids::{Millis, NodeId, OwnerToken, PartitionId};
use rethread_core::planted;

use crate::clock::millis;
use crate::{Acquisition, Lease, PartitionHolder, Result, StorageError};

/// Ownership and commit number of one partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ownership {
    epoch: u64,
    last_commit: u64,
    holder: Option<Holder>,
}

#[derive(Debug, Clone)]
struct Holder {
    node: NodeId,
    token: OwnerToken,
    expires: Millis,
    /// Whether the last commit was made under this token.
    has_committed: bool,
}

/// What a commit turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The next one: apply it.
    Next,
    /// The last one again: it is applied already.
    Repeated,
}

impl Ownership {
    /// A partition that nobody owns yet, with the counters it had.
    #[cfg(feature = "disk")]
    pub(crate) fn restored(epoch: u64, last_commit: u64) -> Self {
        Self { epoch, last_commit, holder: None }
    }

    /// The counters that must outlive a restart: epoch and number of the last commit.
    #[cfg(feature = "disk")]
    pub(crate) fn counters(&self) -> (u64, u64) {
        (self.epoch, self.last_commit)
    }

    /// Number of the last commit.
    pub(crate) fn last_commit(&self) -> u64 {
        self.last_commit
    }

    /// Who owns it, unless the lease has expired.
    pub(crate) fn holder(&self, now: Millis) -> Option<PartitionHolder> {
        let holder = self.holder.as_ref().filter(|holder| holder.expires > now)?;
        Some(PartitionHolder {
            node: holder.node.clone(),
            epoch: holder.token.epoch,
            expires_in_ms: holder.expires.0 - now.0,
        })
    }

    pub(crate) fn acquire(
        &mut self,
        partition: PartitionId,
        node: &NodeId,
        ttl: Duration,
        nonce: u128,
        now: Millis,
    ) -> Acquisition {
        if let Some(holder) = &self.holder
            && holder.node != *node
            && holder.expires > now
        {
            let expires_in_ms = holder.expires.0 - now.0;
            return Acquisition::Held { by: holder.node.clone(), expires_in_ms };
        }
        self.epoch += 1;
        let token = OwnerToken { epoch: self.epoch, nonce };
        let expires = now.plus(millis(ttl));
        self.holder = Some(Holder { node: node.clone(), token, expires, has_committed: false });
        Acquisition::Acquired { lease: Lease { partition, token }, last_commit: self.last_commit }
    }

    /// Whether the lease is still that of the token; if so, it is extended.
    pub(crate) fn renew(&mut self, token: OwnerToken, ttl: Duration, now: Millis) -> bool {
        match &mut self.holder {
            Some(holder) if is_same(holder.token, token) => {
                holder.expires = now.plus(millis(ttl));
                true
            }
            _ => false,
        }
    }

    pub(crate) fn release(&mut self, token: OwnerToken) {
        if self.holder.as_ref().is_some_and(|holder| holder.token == token) {
            self.holder = None;
        }
    }

    /// Forgets who holds it.
    pub(crate) fn forget_holder(&mut self) {
        self.holder = None;
    }

    /// Checks token and number of a commit, and counts it if it is the next one.
    pub(crate) fn advance(&mut self, lease: &Lease, number: u64) -> Result<Step> {
        let partition = lease.partition;
        let is_ours =
            |holder: &Holder| is_same(holder.token, lease.token) || planted::is("no-token-check");
        let Some(holder) = self.holder.as_mut().filter(|holder| is_ours(holder)) else {
            return Err(StorageError::Fenced { partition });
        };
        if planted::is("op-id-ignored") && number == self.last_commit && holder.has_committed {
            return Ok(Step::Next);
        }
        if number == self.last_commit + 1 || planted::is("seq-from-memory") {
            self.last_commit = number;
            holder.has_committed = true;
            return Ok(Step::Next);
        }
        if number == self.last_commit && holder.has_committed {
            return Ok(Step::Repeated);
        }
        let expected = number.saturating_sub(1);
        Err(StorageError::RolledBack { partition, expected, found: self.last_commit })
    }
}

fn is_same(one: OwnerToken, other: OwnerToken) -> bool {
    one == other || planted::is("counter-only-token") && one.epoch == other.epoch
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: PartitionId = PartitionId(0);
    const TTL: Duration = Duration::from_secs(10);

    fn node(name: &str) -> NodeId {
        NodeId::new(name).expect("an id")
    }

    fn taken(ownership: &mut Ownership, name: &str, now: u64) -> Lease {
        match ownership.acquire(P, &node(name), TTL, u128::from(now), Millis(now)) {
            Acquisition::Acquired { lease, .. } => lease,
            held @ Acquisition::Held { .. } => panic!("{name} should get it: {held:?}"),
        }
    }

    #[test]
    fn expiry_is_exclusive() {
        let mut ownership = Ownership::default();
        taken(&mut ownership, "a", 0);
        assert_eq!(
            ownership.acquire(P, &node("b"), TTL, 1, Millis(9_999)),
            Acquisition::Held { by: node("a"), expires_in_ms: 1 }
        );
        assert_eq!(taken(&mut ownership, "b", 10_000).token.epoch, 2);
    }

    #[test]
    fn an_expired_lease_is_ours_until_it_is_taken() {
        let mut ownership = Ownership::default();
        let lease = taken(&mut ownership, "a", 0);
        assert!(ownership.renew(lease.token, TTL, Millis(50_000)));
        taken(&mut ownership, "b", 60_000);
        assert!(!ownership.renew(lease.token, TTL, Millis(60_001)));
    }

    #[test]
    fn a_new_owner_cannot_pass_off_the_last_commit_as_its_own() {
        let mut ownership = Ownership::default();
        let old = taken(&mut ownership, "a", 0);
        assert_eq!(ownership.advance(&old, 1), Ok(Step::Next));
        assert_eq!(ownership.advance(&old, 1), Ok(Step::Repeated));
        let new = taken(&mut ownership, "a", 1);
        assert_eq!(
            ownership.advance(&new, 1),
            Err(StorageError::RolledBack { partition: P, expected: 0, found: 1 })
        );
    }
}
