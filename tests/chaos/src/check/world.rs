//! The lines of all files, put together by run, execution and body.

use std::collections::{BTreeMap, BTreeSet};

use super::Place;
use super::log::{Line, Log};
use super::losses::Losses;
use super::outages::{Outage, Outages};
use crate::history::{Contest, End, Entry, Fact, Kind, Reader};
use crate::ledger::{Effect, Phase};
use crate::program::Program;

/// What is known of all that happened.
pub(crate) struct World {
    pub(crate) log: Log,
    pub(crate) ledger: Vec<Line<Effect>>,
    pub(crate) runs: BTreeMap<String, Run>,
    pub(crate) executions: BTreeMap<u64, Execution>,
    /// Executions of each thread, in the order of their starts.
    pub(crate) threads: BTreeMap<String, Vec<u64>>,
    /// Starts of each body, by execution and step, in order of time: places in the ledger.
    pub(crate) starts: BTreeMap<(u64, u32), Vec<usize>>,
    /// The other lines of the ledger, likewise.
    pub(crate) ends: BTreeMap<(u64, u32), Vec<usize>>,
    pub(crate) outages: Outages,
    pub(crate) losses: Losses,
    /// Executions of which the server may have lost something.
    set_back: BTreeSet<u64>,
    /// The execution of each run.
    execution_of: BTreeMap<String, u64>,
    /// Requests to stop runs, by run.
    pub(crate) cancels: BTreeMap<String, Vec<Cancel>>,
}

/// A request to stop a run, by places in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cancel {
    /// Where it was asked for.
    pub(crate) invoked: usize,
    /// Where it was told that the run is stopped.
    pub(crate) acknowledged: Option<usize>,
}

/// One run, by places in the log.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// Where it was asked for.
    pub(crate) invoked: usize,
    /// False for answers to questions that have theirs.
    pub(crate) is_right: bool,
    /// Whether it is one of many that gave the same answers at the same time.
    pub(crate) in_crowd: bool,
    /// Where it was accepted.
    pub(crate) accepted: Option<usize>,
    /// Where a request for it failed for good.
    pub(crate) failed: Option<usize>,
    /// What each reader read.
    pub(crate) reads: BTreeMap<Reader, usize>,
}

/// One execution.
#[derive(Debug)]
pub(crate) struct Execution {
    pub(crate) program: Program,
    /// Its runs in the order in which they were asked for; wrong answers are left out, and so
    /// are those of a crowd that had no effect.
    pub(crate) runs: Vec<String>,
    /// How it was started, if others were started on its thread at the same time.
    pub(crate) contest: Option<Contest>,
}

impl World {
    pub(crate) fn new(log: Log, ledger: Vec<Line<Effect>>) -> Self {
        let outages = Outages::new(
            log.lines().iter().map(|line| &line.entry),
            ledger.iter().map(|line| &line.entry),
        );
        let losses = Losses::new(log.lines().iter().map(|line| &line.entry), &outages);
        let mut world = Self {
            log,
            ledger,
            runs: BTreeMap::new(),
            executions: BTreeMap::new(),
            threads: BTreeMap::new(),
            starts: BTreeMap::new(),
            ends: BTreeMap::new(),
            outages,
            losses,
            set_back: BTreeSet::new(),
            execution_of: BTreeMap::new(),
            cancels: BTreeMap::new(),
        };
        world.sort_entries();
        world.leave_out_the_crowd();
        world.sort_effects();
        world.set_back = world.losses.set_back(&world);
        world
    }

    fn sort_entries(&mut self) {
        for (place, line) in self.log.lines().iter().enumerate() {
            let kind = line.entry.kind;
            match &line.entry.fact {
                Fact::Start { thread, run, program, contest } => {
                    let execution = program.execution;
                    self.threads.entry(thread.clone()).or_default().push(execution);
                    let program = program.clone();
                    let (runs, contest) = (vec![run.clone()], *contest);
                    self.executions.insert(execution, Execution { program, runs, contest });
                    self.runs.insert(run.clone(), Run::asked(place, true));
                    self.execution_of.insert(run.clone(), execution);
                }
                Fact::Cancel { run, .. } => note_cancel(&mut self.cancels, run, kind, place),
                Fact::Resume { run, execution, is_right, in_crowd, .. } => {
                    let asked = Run { in_crowd: *in_crowd, ..Run::asked(place, *is_right) };
                    self.runs.insert(run.clone(), asked);
                    self.execution_of.insert(run.clone(), *execution);
                    if *is_right && let Some(known) = self.executions.get_mut(execution) {
                        known.runs.push(run.clone());
                    }
                }
                Fact::Retry { run, execution, .. } => {
                    self.runs.insert(run.clone(), Run::asked(place, true));
                    self.execution_of.insert(run.clone(), *execution);
                    if let Some(known) = self.executions.get_mut(execution) {
                        known.runs.push(run.clone());
                    }
                }
                Fact::Submit { run, .. } => {
                    let Some(run) = self.runs.get_mut(run) else { continue };
                    match kind {
                        Kind::Ok => run.accepted = run.accepted.or(Some(place)),
                        Kind::Fail => run.failed = Some(place),
                        _ => {}
                    }
                }
                Fact::Read { run, reader, .. } => {
                    let Some(run) = self.runs.get_mut(run) else { continue };
                    run.reads.insert(*reader, place);
                }
                _ => {}
            }
        }
    }

    /// Of a crowd, those that had an effect belong to the execution.
    fn leave_out_the_crowd(&mut self) {
        let without_effect: BTreeSet<String> = self
            .runs
            .iter()
            .filter(|(_, run)| run.in_crowd && !self.has_effect(run))
            .map(|(id, _)| id.clone())
            .collect();
        if without_effect.is_empty() {
            return;
        }
        for execution in self.executions.values_mut() {
            execution.runs.retain(|run| !without_effect.contains(run));
        }
    }

    /// Whether a run did something: neither refused nor joined to another.
    pub(crate) fn has_effect(&self, run: &Run) -> bool {
        self.end_of(run).is_some_and(|end| !matches!(end, End::Refused { .. } | End::Joined { .. }))
    }

    fn sort_effects(&mut self) {
        for (place, line) in self.ledger.iter().enumerate() {
            let key = (line.entry.execution, line.entry.step);
            let list =
                if line.entry.phase == Phase::Start { &mut self.starts } else { &mut self.ends };
            list.entry(key).or_default().push(place);
        }
        for places in self.starts.values_mut().chain(self.ends.values_mut()) {
            places.sort_by_key(|place| self.ledger[*place].entry.at);
        }
    }

    /// What was done to the processes.
    pub(crate) fn faults(&self) -> &[Outage] {
        &self.outages.all
    }

    /// The execution that a line is about.
    pub(super) fn execution_at(&self, place: Place) -> Option<u64> {
        let place = match place {
            Place::Effect(place) => return Some(self.effect(place).execution),
            Place::Entry(place) => place,
        };
        match &self.entry(place).fact {
            Fact::Start { program, .. } => Some(program.execution),
            Fact::Resume { execution, .. }
            | Fact::Retry { execution, .. }
            | Fact::Cancel { execution, .. } => Some(*execution),
            Fact::Submit { run, .. } | Fact::Seen { run, .. } | Fact::Read { run, .. } => {
                self.execution_of.get(run).copied()
            }
            // The last one decides how its thread rests.
            Fact::Thread { thread, .. } => self.threads.get(thread)?.last().copied(),
            _ => None,
        }
    }

    /// Whether the server may have lost something of what a line is about.
    pub(super) fn is_set_back(&self, place: Place) -> bool {
        self.execution_at(place).is_some_and(|execution| self.set_back.contains(&execution))
    }

    /// How many executions the server may have lost something of.
    pub(crate) fn set_back(&self) -> usize {
        self.set_back.len()
    }

    pub(crate) fn entry(&self, place: usize) -> &Entry {
        &self.log.lines()[place].entry
    }

    pub(crate) fn effect(&self, place: usize) -> &Effect {
        &self.ledger[place].entry
    }

    /// How a run ended, for whoever read it to its end.
    pub(crate) fn end_of(&self, run: &Run) -> Option<&End> {
        let mut ends = run.reads.values().filter_map(|place| match &self.entry(*place).fact {
            Fact::Read { end, .. } if !matches!(end, End::Unread { .. }) => Some(end),
            _ => None,
        });
        ends.next()
    }

    /// How the last run of an execution ended.
    pub(crate) fn result_of(&self, execution: &Execution) -> Option<&End> {
        self.end_of(self.runs.get(execution.runs.last()?)?)
    }

    /// The executions that have a result.
    pub(crate) fn done(&self) -> impl Iterator<Item = (&u64, &Execution)> {
        let is_done = |execution| matches!(self.result_of(execution), Some(End::Done { .. }));
        self.executions.iter().filter(move |(_, execution)| is_done(execution))
    }
}

impl Run {
    fn asked(invoked: usize, is_right: bool) -> Self {
        Self { invoked, is_right, ..Self::default() }
    }
}

fn note_cancel(cancels: &mut BTreeMap<String, Vec<Cancel>>, run: &str, kind: Kind, place: usize) {
    let cancels = cancels.entry(run.to_owned()).or_default();
    match (kind, cancels.last_mut()) {
        (Kind::Invoke, _) => cancels.push(Cancel { invoked: place, acknowledged: None }),
        (Kind::Ok, Some(last)) => last.acknowledged = Some(place),
        _ => {}
    }
}
