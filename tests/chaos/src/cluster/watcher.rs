//! Looks at the server and at the processes while all goes on: leases, memory, lengths.

use std::io;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::logs::{LogTail, RolledBack};
use super::server::{Server, StoredLease};
use super::{Cluster, Node};
use crate::clock;
use crate::history::{Fact, Kind};

/// How often leases are looked at.
const LEASES_EVERY: Duration = Duration::from_millis(50);
/// One in so many looks is at memory and lengths too.
const SAMPLE_EVERY: u64 = 20;

impl Cluster {
    /// Notes each change of a lease, and now and then how much is used of what is limited. Runs
    /// for ever.
    pub(crate) async fn watch(&self) {
        let mut known = Known::default();
        let mut logs: Vec<_> = self.nodes.iter().map(|node| LogTail::of(node.log())).collect();
        let mut server = None;
        let mut looks = interval(LEASES_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in 0_u64.. {
            looks.tick().await;
            let is_sample = number % SAMPLE_EVERY == 0;
            if is_sample {
                self.say_rolled_back(&mut logs);
            }
            let mut connected = match server.take() {
                Some(server) => server,
                None => match Server::connect(&self.redis.url()).await {
                    Ok(server) => server,
                    // It is down just now.
                    Err(_) => continue,
                },
            };
            if self.look(&mut connected, &mut known, is_sample).await.is_ok() {
                server = Some(connected);
            }
        }
    }

    async fn look(
        &self,
        server: &mut Server,
        known: &mut Known,
        is_sample: bool,
    ) -> io::Result<()> {
        let begun = clock::now();
        let leases = server.leases().await?;
        for (partition, lease) in leases.iter().enumerate() {
            let before = known.leases.get(partition);
            let is_same = before.is_some_and(|known| known.token == lease.token);
            if let Some(before) = before
                && (lease.commit < before.commit || lease.epoch < before.epoch)
            {
                self.history.say(
                    Kind::Info,
                    Fact::Fallen {
                        partition,
                        since: known.at,
                        had: before.commit,
                        commit: lease.commit,
                        has_same_token: is_same,
                    },
                );
            }
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
        *known = Known { at: begun, leases };
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

    /// Notes what the processes have logged of rollbacks since the last time.
    fn say_rolled_back(&self, logs: &mut [LogTail]) {
        for (node, log) in self.nodes.iter().zip(logs) {
            // One that cannot be read now is read the next time.
            for line in log.lines().unwrap_or_default() {
                if let Some(told) = RolledBack::parse(&line) {
                    let RolledBack { partition, expected, found } = told;
                    let name = node.name().to_owned();
                    let fact = Fact::RolledBack { name, partition, expected, found };
                    self.history.say(Kind::Info, fact);
                }
            }
        }
    }
}

/// What the last look at the leases found.
#[derive(Debug, Default)]
struct Known {
    /// When that look began.
    at: u64,
    leases: Vec<StoredLease>,
}

/// Memory of a process that is resident, in KiB.
fn rss_kb(node: &Node) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid()?)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
