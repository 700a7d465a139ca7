//! Where the orders stand that a commit withdraws.
//!
//! A queue is not sorted by executions, and an index would cost a write for each order that is
//! never withdrawn. So the queues are looked through: a part at a time before the commit, which
//! itself looks at what came behind. Nobody but the owner adds orders, and it is in the commit;
//! what a worker gives back meanwhile goes to the end of its queue.

use rethread_core::ids::PartitionId;
use rethread_storage::{OrderGroup, Result};

use crate::error::{Effect, malformed};
use crate::{RedisStorage, reply, script};

const QUEUE: &str = "work queue";

/// What was seen of one queue.
#[derive(Debug)]
pub(crate) struct Sighting {
    /// Its key.
    pub(crate) queue: String,
    /// From where on it was not looked at, as a bound of XRANGE.
    pub(crate) unseen: String,
    /// Orders of the groups that were found.
    pub(crate) orders: Vec<String>,
}

impl RedisStorage {
    /// Looks for orders of these groups in all queues of a partition.
    pub(crate) async fn look_for(
        &self,
        partition: PartitionId,
        groups: &[OrderGroup],
    ) -> Result<Vec<Sighting>> {
        let queues = self.queues_of(partition).await?;
        let keys = self.keys().partition(partition)?;
        let mut sightings: Vec<_> = queues
            .iter()
            .map(|queue| Sighting {
                queue: keys.queue(queue),
                unseen: "-".to_owned(),
                orders: Vec::new(),
            })
            .collect();
        let mut done = 0;
        while done < sightings.len() {
            done += self.look_further(groups, &mut sightings[done..]).await?;
        }
        Ok(sightings)
    }

    /// Looks at a part of these queues; how many of them are done.
    async fn look_further(
        &self,
        groups: &[OrderGroup],
        sightings: &mut [Sighting],
    ) -> Result<usize> {
        let names: Vec<_> = sightings.iter().map(|sighting| &sighting.queue).collect();
        let mut call = script::FIND_ORDERS.call(&names);
        call.arg(groups.len());
        for OrderGroup(group) in groups {
            call.arg(&group[..]);
        }
        for sighting in sightings.iter() {
            call.arg(&sighting.unseen);
        }
        let answer = self.link.eval(&script::FIND_ORDERS, &call, Effect::Read).await?;
        let mut done = 0;
        for (sighting, found) in sightings.iter_mut().zip(reply::array(answer, QUEUE)?) {
            let mut found = reply::array(found, QUEUE)?.into_iter();
            let mut next =
                || found.next().ok_or_else(|| malformed(QUEUE, "what was seen of it is cut off"));
            let (last, is_end) = (reply::text(next()?, QUEUE)?, reply::number(next()?, QUEUE)?);
            if !last.is_empty() {
                sighting.unseen = format!("({last}");
            }
            for order in found {
                sighting.orders.push(reply::text(order, QUEUE)?);
            }
            done += usize::from(is_end == 1);
        }
        Ok(done)
    }
}
