//! Ownership of partitions.

use std::time::Duration;

use redis::Value;
use rethread_core::ids::{NodeId, OwnerToken, PartitionId};
use rethread_storage::{Acquisition, Lease, Result};
use uuid::Uuid;

use crate::error::{Effect, malformed};
use crate::link::After;
use crate::{RedisStorage, reply, script};

impl RedisStorage {
    pub(crate) async fn take_lease(
        &self,
        partition: PartitionId,
        node: &NodeId,
        ttl: Duration,
    ) -> Result<Acquisition> {
        let keys = self.keys().partition(partition)?;
        let nonce = fresh_nonce();
        let mut call = script::ACQUIRE.call(&[&keys.lease]);
        call.arg(node.as_str()).arg(format!("{nonce:032x}")).arg(millis(ttl));
        let what = "lease of a partition";
        let written = self.link.write(&script::ACQUIRE, &call, After::ACKNOWLEDGED).await?;
        let answer = written.done()?;
        let mut answer = reply::array(answer, what)?.into_iter();
        let mut next = || answer.next().unwrap_or_default();
        let state = reply::text(next(), what)?;
        match state.as_str() {
            "ACQUIRED" => {
                let token = OwnerToken { epoch: reply::number(next(), what)?, nonce };
                let last_commit = reply::number(next(), what)?;
                self.history().check(partition, last_commit)?;
                self.history().note(partition, token, last_commit);
                Ok(Acquisition::Acquired { lease: Lease { partition, token }, last_commit })
            }
            "HELD" => {
                let by = NodeId::new(reply::text(next(), what)?)
                    .map_err(|error| malformed(what, error.to_string()))?;
                let expires_in_ms = reply::number(next(), what)?;
                let (began, holder) = (reply::text(next(), what)?, reply::text(next(), what)?);
                self.check_beginning(partition, &holder, &began)?;
                Ok(Acquisition::Held { by, expires_in_ms })
            }
            other => Err(malformed(what, format!("`{other}` is not a state"))),
        }
    }

    /// Compares what was acknowledged here with the commit behind which the present holder began;
    /// either may be unknown.
    pub(crate) fn check_beginning(
        &self,
        partition: PartitionId,
        holder: &str,
        began: &str,
    ) -> Result<()> {
        match (holder.parse(), began.parse()) {
            (Ok(holder), Ok(began)) => self.history().check_beginning(partition, holder, began),
            _ => Ok(()),
        }
    }

    pub(crate) async fn extend_leases(
        &self,
        leases: &[Lease],
        ttl: Duration,
    ) -> Result<Vec<Lease>> {
        let mut calls = Vec::with_capacity(leases.len());
        for lease in leases {
            let keys = self.keys().partition(lease.partition)?;
            let mut call = script::RENEW.call(&[&keys.lease]);
            call.arg(lease.token.to_string()).arg(millis(ttl));
            calls.push(call);
        }
        let answers = self.link.write_all(&script::RENEW, calls, After::NOTHING).await?;
        let mut lost = Vec::new();
        for (lease, answer) in leases.iter().zip(answers) {
            if answer?.value != Value::Int(1) {
                lost.push(*lease);
            }
        }
        Ok(lost)
    }

    pub(crate) async fn free_lease(&self, lease: &Lease) -> Result<()> {
        let keys = self.keys().partition(lease.partition)?;
        let mut call = script::RELEASE.call(&[&keys.lease]);
        call.arg(lease.token.to_string());
        self.link.eval(&script::RELEASE, &call, Effect::Write).await?;
        Ok(())
    }
}

// Each of the two lacks six fixed bits, at the same places.
fn fresh_nonce() -> u128 {
    Uuid::new_v4().as_u128() ^ Uuid::new_v4().as_u128().rotate_left(64)
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(MILLIS_MAX)
}

// Lua counts in doubles, and Redis refuses times that overflow.
const MILLIS_MAX: u64 = 1 << 50;
