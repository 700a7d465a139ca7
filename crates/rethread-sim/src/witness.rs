//! The witness: sees every request that reaches the storage and every body that starts, holds
//! them against the invariants, and counts which rare states were reached.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rethread_core::event::{Event, EventKind, RunOutcome};
use rethread_core::ids::{CallId, ExecutionId, InterruptId, PartitionId, RunId, ThreadKey};
use rethread_core::journal::{Entry, Fact};
use rethread_core::message::{AttemptOutcome, InboxMessage, TaskOrder};
use rethread_core::record::Record;
use rethread_storage::{Commit, Delivery, HandIn, JournalWrite, Lease};
use xxhash_rust::xxh3::xxh3_64;

use crate::goals::Goal;
use crate::trace::Trace;

/// Violations that are kept; the first one matters.
const VIOLATIONS_MAX: usize = 20;

/// Requests to the storage at one point of time.
const REQUESTS_MAX: u64 = 20_000;

/// A body of a task that starts.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub(crate) host: u32,
    /// The execution and the step, in the numbers of programs.
    pub(crate) program: u64,
    pub(crate) step: u32,
    pub(crate) run: RunId,
    pub(crate) call: CallId,
    pub(crate) attempt: u32,
}

/// Sees what happens.
#[derive(Debug)]
pub(crate) struct Witness {
    now: AtomicU64,
    activity: AtomicU64,
    /// Requests at the current point of time.
    requests: AtomicU64,
    state: Mutex<State>,
    facts: Mutex<Facts>,
}

#[derive(Debug)]
struct State {
    trace: Trace,
    violations: Vec<String>,
    goals: BTreeMap<Goal, u64>,
    next_stamp: u64,
    /// How often steps of programs have failed that are broken for some time.
    broken: BTreeMap<(u64, u32), u64>,
}

/// What the storage holds, as far as the invariants need it. It is put back with the storage.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// Calls with a recorded result.
    recorded: BTreeMap<CallId, Recorded>,
    /// The execution of each thread.
    executions: BTreeMap<ThreadKey, ExecutionId>,
    /// What bodies that called a step got.
    got: BTreeMap<(u64, u32), u64>,
    /// Attempts that were given to workers.
    attempts: BTreeMap<CallId, BTreeSet<(RunId, u32)>>,
    /// How often orders of a call were given to workers, and its body was started.
    given: BTreeMap<CallId, (u32, u32)>,
    /// The owner of each partition, by its last commit: epoch, nonce and number.
    owners: BTreeMap<PartitionId, (u64, u128, u64)>,
    /// How far the log of each run goes, and whether it has ended.
    logs: BTreeMap<RunId, (u64, bool)>,
    answered: BTreeMap<ThreadKey, BTreeSet<InterruptId>>,
    /// Executions that have begun: of a graph each step is one.
    begun: BTreeSet<ExecutionId>,
    /// The run that made the newest step of each thread, and the epoch in which it did.
    steps: BTreeMap<ThreadKey, (RunId, u64)>,
    /// Runs whose end by a cancel is written.
    cancelled: BTreeSet<RunId>,
    /// Whether something was put back to an earlier state.
    was_put_back: bool,
    /// The last commit of each owner that it was told of, by its nonce.
    acknowledged: BTreeMap<u128, (PartitionId, u64)>,
    /// Nonces of owners whose acknowledged commits were lost: they must notice.
    doubted: BTreeSet<u128>,
}

/// A recorded result.
#[derive(Debug, Clone, Copy)]
struct Recorded {
    execution: ExecutionId,
    digest: u64,
}

impl Witness {
    pub(crate) fn new(keeps_lines: bool) -> Self {
        let state = State {
            trace: Trace::new(keeps_lines),
            violations: Vec::new(),
            goals: BTreeMap::new(),
            next_stamp: 1,
            broken: BTreeMap::new(),
        };
        Self {
            now: AtomicU64::new(0),
            activity: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            state: Mutex::new(state),
            facts: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the beginning of the world.
    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn set_now(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
        self.requests.store(0, Ordering::Relaxed);
    }

    /// Counts a request; false if there are so many at one point of time that somebody asks again
    /// and again without a pause.
    pub(crate) fn requested(&self) -> bool {
        let requests = self.requests.fetch_add(1, Ordering::Relaxed);
        if requests == REQUESTS_MAX {
            self.complain("I12", || "the storage is flooded with requests".into());
        }
        requests < REQUESTS_MAX
    }

    /// Counts everything that moves the world on.
    pub(crate) fn activity(&self) -> u64 {
        self.activity.load(Ordering::Relaxed)
    }

    pub(crate) fn acted(&self) {
        self.activity.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reach(&self, goal: Goal) {
        self.reach_times(goal, 1);
    }

    pub(crate) fn reach_times(&self, goal: Goal, times: u64) {
        if times > 0 {
            *self.state().goals.entry(goal).or_default() += times;
        }
    }

    pub(crate) fn complain(&self, invariant: &str, what: impl FnOnce() -> String) {
        let what = what();
        let now = self.now();
        let mut state = self.state();
        state.trace.add(now, 0, "VIOLATION", &[], || format!("{invariant}: {what}"));
        if state.violations.len() < VIOLATIONS_MAX {
            state.violations.push(format!("{invariant} at {now} ms: {what}"));
        }
    }

    pub(crate) fn has_complaints(&self) -> bool {
        !self.state().violations.is_empty()
    }

    pub(crate) fn note(
        &self,
        who: u32,
        what: &'static str,
        numbers: &[u64],
        text: impl FnOnce() -> String,
    ) {
        let now = self.now();
        self.state().trace.add(now, who, what, numbers, text);
    }

    /// The violations, the goals that were reached, and the trace.
    pub(crate) fn conclude(&self) -> (Vec<String>, BTreeMap<Goal, u64>, u64, Vec<String>) {
        let mut state = self.state();
        let violations = std::mem::take(&mut state.violations);
        let goals = std::mem::take(&mut state.goals);
        let digest = state.trace.digest();
        (violations, goals, digest, state.trace.take_lines())
    }

    /// What the storage holds now, to come back to.
    pub(crate) fn keep(&self) -> Facts {
        self.facts().clone()
    }

    /// The storage was put back to where it was when `facts` were kept.
    pub(crate) fn put_back(&self, facts: Facts) {
        let mut now = self.facts();
        let mut doubted = std::mem::take(&mut now.doubted);
        let acknowledged = std::mem::take(&mut now.acknowledged);
        for (nonce, (partition, number)) in &acknowledged {
            let stored = facts.owners.get(partition).map_or(0, |(_, _, number)| *number);
            if *number > stored {
                doubted.insert(*nonce);
            }
        }
        let got = BTreeMap::new();
        *now = Facts { was_put_back: true, got, doubted, acknowledged, ..facts };
    }

    /// An order was lost that no worker had had: no number of an attempt is lost with it.
    pub(crate) fn order_lost(&self) {
        self.note(0, "order lost", &[], String::new);
        self.reach(Goal::OrderLost);
    }

    // --- bodies ------------------------------------------------------------------------------

    /// A body starts; gives a number that no other start has.
    pub(crate) fn body_started(&self, body: Body) -> u64 {
        self.acted();
        let stamp = {
            let mut state = self.state();
            state.next_stamp += 1;
            state.next_stamp
        };
        self.note(
            body.host,
            "body",
            &[body.program, body.step.into(), body.attempt.into()],
            || {
                format!(
                    "{}/{} attempt {} run {} call {}",
                    body.program, body.step, body.attempt, body.run, body.call
                )
            },
        );
        let mut facts = self.facts();
        // An order that was taken back by a cancel while its delivery was under way may start its
        // body within the time for which a worker does not ask again (ADR 19).
        let is_recorded =
            facts.recorded.contains_key(&body.call) && !facts.cancelled.contains(&body.run);
        let counts = facts.given.entry(body.call).or_default();
        counts.1 += 1;
        let (given, starts) = *counts;
        let is_exact = !facts.was_put_back;
        drop(facts);
        if is_recorded && is_exact {
            self.complain("I3", || format!("body starts after its result was recorded: {body:?}"));
        }
        if starts > given && is_exact {
            self.complain("I3", || {
                format!("body starts {starts} times, its orders were given {given} times: {body:?}")
            });
        }
        stamp
    }

    /// Whether a step that is broken for some time fails once more.
    pub(crate) fn breaks(&self, program: u64, step: u32, times: u64) -> bool {
        let mut state = self.state();
        let count = state.broken.entry((program, step)).or_default();
        *count += 1;
        *count <= times
    }

    /// A body got the result of a step that it called.
    pub(crate) fn got(&self, program: u64, step: u32, stamp: u64) {
        let known = *self.facts().got.entry((program, step)).or_insert(stamp);
        if known != stamp && !self.facts().was_put_back {
            self.complain("I2", || {
                format!("step {program}/{step} gave {known} at first, and {stamp} now")
            });
        }
    }

    // --- storage -----------------------------------------------------------------------------

    /// A commit was applied, perhaps not for the first time.
    pub(crate) fn committed(&self, host: u32, commit: &Commit) {
        self.acted();
        let partition = commit.lease.partition;
        let token = commit.lease.token;
        self.note(host, "commit", &digest_of(commit), || {
            let orders = commit.orders.len();
            let threads = commit.threads.len();
            let number = commit.number;
            format!(
                "p{partition} #{number} epoch {} threads {threads} orders {orders}",
                token.epoch
            )
        });
        let mut facts = self.facts();
        if facts.doubted.contains(&token.nonce) {
            self.complain("I15", || {
                format!("partition {partition}: a commit behind lost ones, epoch {}", token.epoch)
            });
        }
        if let Some((epoch, nonce, number)) = facts.owners.get(&partition).copied() {
            if (epoch, nonce, number) == (token.epoch, token.nonce, commit.number) {
                drop(facts);
                return self.reach(Goal::CommitRepeated);
            }
            let falls = token.epoch < epoch;
            let differs = token.epoch == epoch && token.nonce != nonce;
            if falls || differs || commit.number != number + 1 {
                self.complain("I4", || {
                    format!(
                        "partition {partition}: commit #{} of epoch {} behind #{number} of {epoch}",
                        commit.number, token.epoch
                    )
                });
            }
            if epoch != token.epoch {
                self.reach(Goal::Takeover);
            }
        }
        facts.owners.insert(partition, (token.epoch, token.nonce, commit.number));
        for write in &commit.threads {
            for events in &write.events {
                self.see_events(&mut facts, events.run, events.first_seq, &events.records);
            }
            self.see_journal(&mut facts, write.thread, token.epoch, &write.journal);
        }
        for order in &commit.orders {
            let Ok(order) = TaskOrder::from_record(&order.order) else {
                self.complain("I13", || "an order cannot be read".into());
                continue;
            };
            // A storage that was put back may give orders again whose reports an owner had read.
            if facts.recorded.contains_key(&order.target.call) && !facts.was_put_back {
                let target = order.target;
                self.complain("P2", || {
                    format!("ordered although its result is recorded: {target:?}")
                });
            }
        }
        if !commit.withdrawn.is_empty() {
            self.reach(Goal::OrdersWithdrawn);
        }
        if !commit.dead_letters.is_empty() {
            self.reach(Goal::DeadLetter);
        }
    }

    /// The owner was told that a commit was applied.
    pub(crate) fn acknowledged(&self, commit: &Commit) {
        let Lease { partition, token } = commit.lease;
        self.facts().acknowledged.insert(token.nonce, (partition, commit.number));
    }

    fn see_events(&self, facts: &mut Facts, run: RunId, first: u64, records: &[bytes::Bytes]) {
        for (record, seq) in records.iter().zip(first..) {
            let (last, has_ended) = facts.logs.get(&run).copied().unwrap_or_default();
            if seq != last + 1 || has_ended {
                self.complain("I7", || format!("event {seq} of run {run} stands behind {last}"));
            }
            let Ok(event) = Event::from_record(record) else {
                self.complain("I13", || format!("event {seq} of run {run} cannot be read"));
                continue;
            };
            let mut ends = false;
            if let EventKind::RunEnded(outcome) = &event.kind {
                ends = true;
                match outcome {
                    RunOutcome::Cancelled => {
                        facts.cancelled.insert(run);
                        self.reach(Goal::Cancelled);
                    }
                    RunOutcome::Parked(mismatch) => {
                        self.complain("I8", || format!("run {run} was parked: {mismatch}"));
                    }
                    _ => {}
                }
            }
            facts.logs.insert(run, (seq, ends));
        }
    }

    fn see_journal(&self, facts: &mut Facts, thread: ThreadKey, epoch: u64, write: &JournalWrite) {
        let (records, is_replaced) = match write {
            JournalWrite::Append(records) => (records, false),
            JournalWrite::Replace(records) => (records, true),
            JournalWrite::Keep => return,
        };
        if is_replaced {
            facts.answered.remove(&thread);
        }
        let entries: Vec<_> =
            records.iter().filter_map(|record| Entry::from_record(record).ok()).collect();
        if entries.len() < records.len() {
            self.complain("I13", || "a journal entry cannot be read".into());
        }
        // The step in progress; what stands before it is kept in case the run is taken back.
        let in_progress = entries.iter().rev().find_map(|entry| match &entry.fact {
            Fact::Began(began) => Some(began.execution),
            _ => None,
        });
        if let Some(execution) = in_progress.filter(|it| is_replaced && facts.begun.contains(it)) {
            // The thread was put back: what it lost by that runs again.
            facts.recorded.retain(|_, result| result.execution != execution);
            facts.was_put_back = true;
        }
        for entry in entries {
            match entry.fact {
                Fact::Began(began) => {
                    facts.executions.insert(thread, began.execution);
                    let is_new = facts.begun.insert(began.execution);
                    if is_new && began.goes_on {
                        let before = facts.steps.insert(thread, (began.run, epoch));
                        if before.is_some_and(|(run, in_)| run == began.run && in_ != epoch) {
                            self.reach(Goal::StepTakenOver);
                        }
                    }
                }
                Fact::Stepped(_) => self.reach(Goal::InnerStep),
                Fact::Answered { interrupt, .. }
                    if !facts.answered.entry(thread).or_default().insert(interrupt) =>
                {
                    self.complain("I6", || format!("interrupt {interrupt} is answered twice"));
                }
                Fact::Completed { delivery, value, .. } => {
                    if let Some(execution) = facts.executions.get(&thread).copied() {
                        let digest = xxh3_64(value.as_bytes());
                        self.see_result(facts, delivery.call, Recorded { execution, digest });
                    }
                }
                _ => {}
            }
        }
    }

    fn see_result(&self, facts: &mut Facts, call: CallId, result: Recorded) {
        let known = *facts.recorded.entry(call).or_insert(result);
        if known.digest != result.digest && !facts.was_put_back {
            self.complain("I2", || format!("call {call} has two results"));
        }
    }

    /// Orders were given to a worker.
    pub(crate) fn given(&self, host: u32, deliveries: &[Delivery], is_reclaimed: bool) {
        for delivery in deliveries {
            self.acted();
            let Ok(order) = TaskOrder::from_record(&delivery.order) else {
                self.complain("I13", || "an order cannot be read".into());
                continue;
            };
            let numbers = [delivery.receipt.id.0, delivery.receipt.id.1, delivery.fetches.into()];
            self.note(host, if is_reclaimed { "reclaim" } else { "fetch" }, &numbers, || {
                let target = &order.target;
                format!(
                    "{:?} {} call {} attempt {} run {}",
                    delivery.receipt.id, order.name, target.call, target.attempt, order.run
                )
            });
            if is_reclaimed {
                self.reach(Goal::OrderReclaimed);
            }
            let mut facts = self.facts();
            facts.given.entry(order.target.call).or_default().0 += 1;
            let is_cancelled = facts.cancelled.contains(&order.run);
            let attempt = order.target.attempt + delivery.given.saturating_sub(1);
            let attempts = facts.attempts.entry(order.target.call).or_default();
            let is_new = attempts.insert((order.run, attempt));
            // A storage that forgot its newest writes forgot which numbers it had given, too, and so
            // did everybody who could know. What its workers still hand in it refuses.
            let is_repeated = !is_new && !facts.was_put_back;
            drop(facts);
            if is_repeated {
                let target = &order.target;
                self.complain("I3", || format!("attempt {attempt} is given twice: {target:?}"));
            }
            if is_cancelled {
                let (run, target) = (order.run, &order.target);
                self.complain("I20", || {
                    format!(
                        "order given after the cancel of run {run} was acknowledged: {target:?}"
                    )
                });
            }
        }
    }

    /// What a worker handed in was applied. `is_taken` says of each part whether it was its
    /// worker's to finish.
    pub(crate) fn handed_in(&self, host: u32, parts: &[HandIn], is_taken: &[bool]) {
        self.acted();
        for (part, is_taken) in parts.iter().zip(is_taken) {
            let id = part.finished.as_ref().map_or((0, 0), |receipt| receipt.id);
            let numbers = [id.0, id.1, u64::from(*is_taken), part.messages.len() as u64];
            self.note(host, "hand in", &numbers, || {
                format!("{id:?} taken {is_taken} messages {}", part.messages.len())
            });
            let report = part.messages.last().and_then(|last| InboxMessage::from_record(last).ok());
            let Some(InboxMessage::Report(report)) = report else { continue };
            if report.outcome == AttemptOutcome::Cancelled {
                self.reach(Goal::BodyCancelled);
            }
            if !is_taken {
                self.reach(Goal::LateReportRefused);
                continue;
            }
            if part.finished.is_none() {
                continue;
            }
            let is_to_be_repeated = match &report.outcome {
                AttemptOutcome::Asked { .. } => true,
                outcome => !outcome.is_lasting(),
            };
            if is_to_be_repeated {
                self.facts().attempts.remove(&report.target.call);
            }
            match &report.outcome {
                AttemptOutcome::Completed(value) | AttemptOutcome::Cached(value) => {
                    let digest = xxh3_64(value.as_bytes());
                    let result = Recorded { execution: report.target.execution, digest };
                    self.see_result(&mut self.facts(), report.target.call, result);
                }
                AttemptOutcome::Suspended => self.reach(Goal::SlotGivenUp),
                _ => {}
            }
        }
    }

    /// The log of a run, as a reader sees it at the end, must be what was written.
    pub(crate) fn check_log(&self, run: RunId, events: u64) {
        let known = self.facts().logs.get(&run).map_or(0, |(last, _)| *last);
        if known != events {
            self.complain("I7", || format!("run {run} has {events} events, {known} were written"));
        }
    }
}

/// What a commit writes, without the nonce of its token.
fn digest_of(commit: &Commit) -> [u64; 4] {
    let mut digest = u64::from(commit.lease.partition.0);
    let mut add = |bytes: &[u8]| digest = crate::random::mix(digest, xxh3_64(bytes));
    for write in &commit.threads {
        write.header.iter().for_each(|header| add(header));
        match &write.journal {
            JournalWrite::Append(entries) | JournalWrite::Replace(entries) => {
                entries.iter().for_each(|entry| add(entry));
            }
            JournalWrite::Keep => {}
        }
        write.events.iter().flat_map(|events| &events.records).for_each(|event| add(event));
        write.checkpoints.iter().for_each(|checkpoint| add(&checkpoint.record));
    }
    commit.orders.iter().for_each(|order| add(&order.order));
    let consumed = commit.consumed.map_or(0, |cursor| cursor.0);
    [digest, commit.number, commit.lease.token.epoch, consumed]
}
