//! What was done to whom, and for how long it may have had an effect.

use std::collections::BTreeMap;

use crate::history::{Entry, Fact, Kind};
use crate::ledger::{Effect, Phase};

/// How long after the end of a fault somebody may still be given up for it: the time after which
/// a worker counts as dead, and as long again for machines that are slow.
const AFTERMATH: u64 = 4_000_000_000;

/// The same for an order that was lost: until it is noticed that it is in nobody's hands.
const UNNOTICED: u64 = 20_000_000_000;

/// How long a worker that was asleep may take until it asks again whether its orders are still
/// its own: a quarter of a second at most, and as long again for machines that are slow.
const AWAKE: u64 = 500_000_000;

/// Names an end of a process that a program asked for.
const ABORT: &str = "abort";

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outage {
    pub(crate) number: u64,
    pub(crate) fault: String,
    pub(crate) target: String,
    pub(crate) from: u64,
    /// When its cause was gone; none if that is not known.
    pub(crate) until: Option<u64>,
}

/// All faults, and the processes that they hit.
#[derive(Debug, Default)]
pub(crate) struct Outages {
    pub(crate) all: Vec<Outage>,
    /// Ends of processes that programs asked for.
    aborts: Vec<Outage>,
    names: BTreeMap<u32, String>,
}

impl Outages {
    /// All that is told of in a history, and the ends of processes in a ledger.
    pub(crate) fn new<'a>(
        entries: impl Iterator<Item = &'a Entry>,
        effects: impl Iterator<Item = &'a Effect>,
    ) -> Self {
        let mut found = Self::default();
        for entry in entries {
            match (entry.kind, &entry.fact) {
                (_, Fact::Spawn { name, pid }) => {
                    found.names.insert(*pid, name.clone());
                }
                (Kind::Invoke, Fact::Fault { number, fault, target, .. }) => {
                    found.all.push(Outage {
                        number: *number,
                        fault: fault.clone(),
                        target: target.clone(),
                        from: entry.at,
                        until: None,
                    });
                }
                (Kind::Ok, Fact::Fault { number, .. }) => {
                    let began = found.all.iter_mut().find(|outage| outage.number == *number);
                    if let Some(outage) = began {
                        outage.until = Some(entry.at);
                    }
                }
                _ => {}
            }
        }
        for effect in effects.filter(|effect| effect.phase == Phase::Abort) {
            found.aborts.push(Outage {
                number: 0,
                fault: ABORT.to_owned(),
                target: found.names.get(&effect.pid).cloned().unwrap_or_default(),
                from: effect.at,
                until: Some(effect.at),
            });
        }
        found
    }

    /// Whether a process ended since a program asked for it.
    pub(crate) fn has_aborted(&self, pid: u32) -> bool {
        let name = self.names.get(&pid);
        name.is_some_and(|name| self.aborts.iter().any(|abort| abort.target == *name))
    }

    /// Whether between two times something may have cost the worker with this process id its
    /// orders.
    pub(crate) fn lost_orders(&self, pid: u32, from: u64, to: u64) -> bool {
        self.any(from, to, |outage| self.costs_orders(outage, pid))
    }

    /// Whether the process was asleep when something happened, and so shortly before the second
    /// time that it had no turn to learn of it.
    pub(crate) fn slept(&self, pid: u32, happened: u64, to: u64) -> bool {
        self.all.iter().any(|outage| {
            outage.fault == "stop-worker"
                && self.is_name(pid, &outage.target)
                && outage.from <= happened
                && outage.until.is_none_or(|until| to <= until.saturating_add(AWAKE))
        })
    }

    /// The faults of a kind whose cause was there at some time between two others.
    pub(crate) fn between(&self, fault: &str, from: u64, to: u64) -> impl Iterator<Item = &Outage> {
        self.all.iter().filter(move |outage| {
            outage.fault == fault
                && outage.from <= to
                && outage.until.is_none_or(|until| from <= until)
        })
    }

    /// Whether there is one.
    pub(crate) fn met(&self, fault: &str, from: u64, to: u64) -> bool {
        self.between(fault, from, to).next().is_some()
    }

    /// Whether a coordinator, or all processes, were hit between two times, or felt it still.
    pub(crate) fn hit_coordinators(&self, from: u64, to: u64) -> bool {
        self.any(from, to, |outage| {
            outage.target == "all" || outage.target.starts_with("coordinator")
        })
    }

    /// Like [`Outages::lost_orders`], with everything that may have kept it from the server for a moment.
    pub(crate) fn disturbed(&self, pid: u32, from: u64, to: u64) -> bool {
        self.any(from, to, |outage| outage.target == "redis" || self.is_name(pid, &outage.target))
    }

    /// Whether the worker was told to stop: it lets bodies end, but not what they wait for.
    pub(crate) fn drained(&self, pid: u32, from: u64, to: u64) -> bool {
        self.any(from, to, |outage| {
            matches!(&*outage.fault, "term-worker" | "scale-workers")
                && self.is_name(pid, &outage.target)
        })
    }

    /// How many faults between two times may have cost any worker its orders.
    pub(crate) fn count_lost(&self, from: u64, to: u64) -> usize {
        let is_lost = |outage: &&Outage| {
            (outage.target == "redis" || outage.target.starts_with("worker"))
                && overlaps(outage, from, to)
        };
        self.all.iter().chain(&self.aborts).filter(is_lost).count()
    }

    fn costs_orders(&self, outage: &Outage, pid: u32) -> bool {
        match outage.fault.as_str() {
            "kill-redis" | "pause-clients" | "lose-order" => true,
            "kill-worker" | "stop-worker" | "delay-link" | "limit-link" | "hold-link"
            | "hold-requests" | "hold-answers" | "black-hole" | "swallow-answers" | ABORT => {
                self.is_name(pid, &outage.target)
            }
            _ => false,
        }
    }

    fn is_name(&self, pid: u32, name: &str) -> bool {
        self.names.get(&pid).is_some_and(|known| known == name)
    }

    fn any(&self, from: u64, to: u64, matches: impl Fn(&Outage) -> bool) -> bool {
        let all = self.all.iter().chain(&self.aborts);
        all.into_iter().any(|outage| overlaps(outage, from, to) && matches(outage))
    }
}

fn overlaps(outage: &Outage, from: u64, to: u64) -> bool {
    let aftermath = if outage.fault == "lose-order" { UNNOTICED } else { AFTERMATH };
    let until = outage.until.map_or(u64::MAX, |until| until.saturating_add(aftermath));
    outage.from <= to && from <= until
}
