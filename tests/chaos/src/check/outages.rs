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
    /// What was started with each process id, and when: ids come again.
    names: BTreeMap<u32, Vec<(u64, String)>>,
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
                    found.names.entry(*pid).or_default().push((entry.at, name.clone()));
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
                target: found.name_at(effect.pid, effect.at).unwrap_or_default().to_owned(),
                from: effect.at,
                until: Some(effect.at),
            });
        }
        found
    }

    /// Whether a process that ended at this time did since a program asked for it.
    pub(crate) fn has_aborted(&self, pid: u32, ended: u64) -> bool {
        let name = self.name_at(pid, ended);
        name.is_some_and(|name| self.aborts.iter().any(|abort| abort.target == name))
    }

    /// Whether between two times something may have cost the worker of a body its orders.
    pub(crate) fn lost_orders(&self, effect: &Effect, from: u64, to: u64) -> bool {
        self.any(from, to, |outage| self.costs_orders(outage, effect))
    }

    /// Whether the worker of a body was asleep when something happened, and so shortly before the
    /// body started that it had no turn to learn of it.
    pub(crate) fn slept(&self, effect: &Effect, happened: u64) -> bool {
        self.all.iter().any(|outage| {
            outage.fault == "stop-worker"
                && self.is_of(effect, &outage.target)
                && outage.from <= happened
                && outage.until.is_none_or(|until| effect.at <= until.saturating_add(AWAKE))
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

    /// Like [`Outages::lost_orders`], with everything that may have kept it from the server for a
    /// moment.
    pub(crate) fn disturbed(&self, effect: &Effect, from: u64, to: u64) -> bool {
        self.any(from, to, |outage| outage.target == "redis" || self.is_of(effect, &outage.target))
    }

    /// Whether the worker was told to stop: it lets bodies end, but not what they wait for.
    pub(crate) fn drained(&self, effect: &Effect, from: u64, to: u64) -> bool {
        self.any(from, to, |outage| {
            matches!(&*outage.fault, "term-worker" | "scale-workers")
                && self.is_of(effect, &outage.target)
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

    fn costs_orders(&self, outage: &Outage, effect: &Effect) -> bool {
        match outage.fault.as_str() {
            "kill-redis" | "pause-clients" | "lose-order" => true,
            "kill-worker" | "stop-worker" | "delay-link" | "limit-link" | "hold-link"
            | "hold-requests" | "hold-answers" | "black-hole" | "swallow-answers" | ABORT => {
                self.is_of(effect, &outage.target)
            }
            _ => false,
        }
    }

    /// Whether a process did something.
    fn is_of(&self, effect: &Effect, name: &str) -> bool {
        self.name_at(effect.pid, effect.at) == Some(name)
    }

    /// Whose process id it was at some time.
    fn name_at(&self, pid: u32, at: u64) -> Option<&str> {
        let names = self.names.get(&pid)?;
        let last = names.iter().rfind(|(since, _)| *since <= at).or_else(|| names.first());
        last.map(|(_, name)| name.as_str())
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
