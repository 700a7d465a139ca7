//! Looks at the server and at the processes while all goes on: leases, memory, lengths.

use std::io;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::server::{Server, StoredLease};
use super::{Cluster, Node};
use crate::history::{Fact, Kind};

/// How often leases are looked at.
const LEASES_EVERY: Duration = Duration::from_millis(50);
/// One in so many looks is at memory and lengths too.
const SAMPLE_EVERY: u64 = 20;

impl Cluster {
    /// Notes each change of a lease, and now and then how much is used of what is limited. Runs
    /// for ever.
    pub(crate) async fn watch(&self) {
        let mut known = Vec::new();
        let mut server = None;
        let mut looks = interval(LEASES_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in 0_u64.. {
            looks.tick().await;
            let mut connected = match server.take() {
                Some(server) => server,
                None => match Server::connect(&self.redis.url()).await {
                    Ok(server) => server,
                    // It is down just now.
                    Err(_) => continue,
                },
            };
            let is_sample = number % SAMPLE_EVERY == 0;
            if self.look(&mut connected, &mut known, is_sample).await.is_ok() {
                server = Some(connected);
            }
        }
    }

    async fn look(
        &self,
        server: &mut Server,
        known: &mut Vec<StoredLease>,
        is_sample: bool,
    ) -> io::Result<()> {
        let leases = server.leases().await?;
        for (partition, lease) in leases.iter().enumerate() {
            let is_same = known.get(partition).is_some_and(|known| known.token == lease.token);
            if !is_same {
                self.history.say(
                    Kind::Info,
                    Fact::Lease {
                        partition,
                        holder: lease.holder.clone(),
                        token: lease.token.clone(),
                        epoch: lease.epoch,
                        commit: lease.commit,
                    },
                );
            }
        }
        *known = leases;
        if is_sample {
            let (inboxes, queues) = server.lengths().await?;
            let redis_bytes = server.used_memory().await?;
            let rss_kb =
                self.nodes.iter().filter_map(|node| Some((node.name().to_owned(), rss_kb(node)?)));
            let fact = Fact::Sample { inboxes, queues, redis_bytes, rss_kb: rss_kb.collect() };
            self.history.say(Kind::Info, fact);
        }
        Ok(())
    }
}

/// Memory of a process that is resident, in KiB.
fn rss_kb(node: &Node) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid()?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
