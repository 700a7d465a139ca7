//! What is printed at the end.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{Breach, INVARIANTS, Outage, Place, Run, Violation, World};
use crate::clock;
use crate::history::{End, Fact, Kind, Reader};
use crate::profile::Profile;

/// Violations of one invariant that are shown with their lines.
const SHOWN_MAX: usize = 3;
/// Lines that are shown of one violation.
const LINES_MAX: usize = 12;
/// Bytes that are shown of one line.
const LINE_BYTES: usize = 400;

/// Prints figures and violations; true if all invariants hold and the work of the profile was
/// done.
pub(crate) fn print(
    world: &World,
    violations: &[Violation],
    asked: Option<(&Profile, u64)>,
) -> bool {
    let figures = Figures::of(world);
    println!("runs      {}", figures.runs);
    println!("tasks     {} results, {} bodies started", figures.tasks, figures.starts);
    println!("repeated  {} bodies", figures.repeats);
    println!("unknown   {} requests whose outcome was unknown at first", figures.unknown);
    println!("refused   {} answers that came late", figures.refused);
    println!("faults    {}", world.faults().len());
    for (fault, times) in &figures.recoveries {
        let (half, most) = (percentile(times, 50), percentile(times, 99));
        println!("  {fault:<17} {:>3}   recovery p50 {half:>5} ms, p99 {most:>5} ms", times.len());
    }
    if world.losses.count() > 0 {
        println!(
            "losses    {} kills of the server cost acknowledged writes, {} executions may be set back",
            world.losses.count(),
            world.set_back()
        );
    }
    for invariant in &INVARIANTS {
        let found = violations.iter().filter(|found| found.invariant.id == invariant.id);
        let count = found.clone().count();
        let verdict = if count == 0 { "holds".to_owned() } else { format!("BROKEN {count} times") };
        println!("{:<12} {verdict}: {}", invariant.id, invariant.sentence);
        for violation in found.take(SHOWN_MAX) {
            show(world, &violation.breach);
        }
    }
    let is_enough = asked.is_none_or(|(profile, _)| figures.reach(profile, world.faults().len()));
    violations.is_empty() && is_enough
}

struct Figures {
    runs: u64,
    tasks: u64,
    starts: usize,
    repeats: usize,
    unknown: usize,
    refused: usize,
    /// Milliseconds by kind of fault, sorted.
    recoveries: BTreeMap<String, Vec<u64>>,
}

impl Figures {
    fn of(world: &World) -> Self {
        let mut calls = BTreeSet::new();
        let mut unknown = 0;
        for line in world.log.lines() {
            match (line.entry.kind, &line.entry.fact) {
                (_, Fact::Seen { call, .. }) => {
                    calls.insert(call.as_str());
                }
                (Kind::Info, Fact::Submit { .. }) => unknown += 1,
                _ => {}
            }
        }
        let is_refused =
            |run: &&Run| matches!(world.end_of(run), Some(End::Refused { .. })) && !run.is_right;
        let ended = world.runs.values().filter(|run| world.end_of(run).is_some());
        Self {
            runs: ended.count() as u64,
            tasks: calls.len() as u64,
            starts: world.starts.values().map(Vec::len).sum(),
            repeats: world.starts.values().map(|starts| starts.len().saturating_sub(1)).sum(),
            unknown,
            refused: world.runs.values().filter(is_refused).count(),
            recoveries: recoveries(world),
        }
    }

    fn reach(&self, profile: &Profile, faults: usize) -> bool {
        let is_enough = self.runs >= profile.runs && self.tasks >= profile.tasks;
        if !is_enough {
            println!("too little work: {} runs and {} tasks needed", profile.runs, profile.tasks);
        }
        let needed = profile.faults_per_minute * profile.time.as_secs() / 60;
        let is_rough = faults as u64 >= needed;
        if !is_rough {
            println!("too few faults: {needed} needed");
        }
        is_enough && is_rough
    }
}

/// For each fault, how long the run that suffered most waited for its next progress. What later
/// faults added to its wait is part of it.
fn recoveries(world: &World) -> BTreeMap<String, Vec<u64>> {
    // What the driver saw of each run, in order: its acceptance, results, and its end.
    let mut progress: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for line in world.log.lines() {
        match (line.entry.kind, &line.entry.fact) {
            (Kind::Ok, Fact::Submit { run, .. })
            | (_, Fact::Seen { run, .. } | Fact::Read { run, reader: Reader::Live, .. }) => {
                progress.entry(run).or_default().push(line.entry.at);
            }
            _ => {}
        }
    }
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for outage in world.faults() {
        let waited = progress.values().filter_map(|times| waited(outage, times));
        let most = waited.max().unwrap_or_default();
        found.entry(outage.fault.clone()).or_default().push(most);
    }
    for times in found.values_mut() {
        times.sort_unstable();
    }
    found
}

/// How long a run that was in progress when a fault began waited from then on.
fn waited(outage: &Outage, times: &[u64]) -> Option<u64> {
    let next = times.partition_point(|at| *at <= outage.from);
    let after = times.get(next)?;
    (next > 0).then(|| clock::ms_between(outage.from, *after))
}

fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

/// Prints the lines of a breach in order of time, with the faults that fell between them.
fn show(world: &World, breach: &Breach) {
    println!("  - {}", breach.text);
    let mut lines: Vec<(u64, String)> =
        breach.places.iter().map(|place| line(world, *place)).collect();
    let times = || lines.iter().map(|(at, _)| *at);
    if let (Some(from), Some(to)) = (times().min(), times().max()) {
        let is_between =
            |outage: &&Outage| outage.from <= to && from <= outage.until.unwrap_or(u64::MAX);
        let faults: Vec<_> = world.faults().iter().filter(is_between).map(told).collect();
        lines.extend(faults);
    }
    lines.sort();
    lines.dedup();
    let first = lines.first().map_or(0, |(at, _)| *at);
    for (at, text) in lines.iter().take(LINES_MAX) {
        println!("    +{:>6} ms {}", clock::ms_between(first, *at), shortened(text));
    }
    if lines.len() > LINES_MAX {
        println!("    and {} more lines", lines.len() - LINES_MAX);
    }
}

fn line(world: &World, place: Place) -> (u64, String) {
    let text = |json: serde_json::Result<String>| json.unwrap_or_else(|error| error.to_string());
    match place {
        Place::Entry(place) => {
            let line = &world.log.lines()[place];
            (line.entry.at, format!("{} {}", line.at, text(serde_json::to_string(&line.entry))))
        }
        Place::Effect(place) => {
            let line = &world.ledger[place];
            (line.entry.at, format!("{} {}", line.at, text(serde_json::to_string(&line.entry))))
        }
    }
}

fn told(outage: &Outage) -> (u64, String) {
    let until = match outage.until {
        Some(until) => format!("{} ms", clock::ms_between(outage.from, until)),
        None => "an unknown time".to_owned(),
    };
    let (number, fault, target) = (outage.number, &outage.fault, &outage.target);
    (outage.from, format!("fault {number}: {fault} on {target} for {until}"))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LINE_BYTES) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}
