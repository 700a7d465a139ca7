//! Finding calls whose orders are lost, and having them ordered again.
//!
//! Orders and reports do not get lost by themselves. A queue that somebody deletes, a store that
//! comes back without its newest data, or a report that cannot be read loses them all the same,
//! and the call would wait for ever.
//!
//! ```text
//!  which calls are in flight? ──► those that were the last time too ──► all of it written?
//!        ▲                                                                   │
//!        │                                            queues, then the inbox are read
//!        │                                                                   ▼
//!    after a while ◄──── missing for the first time ◄──── in neither, and nothing came of it
//!                        missing again: lost ──────────► ordered again
//! ```
//!
//! A call counts as missing only if it was in flight, and written, before the queues were read,
//! and no report of it was routed until after the inbox was: reports leave the inbox by way of
//! this owner. Whatever else happens to a thread meanwhile is no reason to believe less: a client
//! that asks a busy thread again and again must not keep it busy for ever. Its coordinator knows
//! what it has ordered since it was asked, and takes no attempt for lost that was not looked for.
//! An order that is found and belongs to no call does no harm: a worker runs it, and its report is
//! dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ractor::concurrency::JoinHandle;
use ractor::{ActorRef, MessagingErr};
use rethread_core::ids::{PartitionId, ThreadKey};
use rethread_core::message::{InboxMessage, OpenCall, OpenCalls};
use rethread_core::planted;
use tokio::time::Instant;

use crate::coordinator::{CoordinatorMessage, InFlightAnswer};
use crate::engine::Engine;
use crate::partition::slot::Phase;
use crate::partition::takeover::{self, InFlight, Standing};
use crate::partition::{OwnerMessage, OwnerState};

/// Wait before it is looked again for calls that were missing.
const CONFIRM_WAIT: Duration = Duration::from_secs(1);
/// A search that takes long is rare: it takes at most one part in so many of the time.
const TIMES_AS_LONG: u32 = 20;

/// Attempts in flight of all threads of a partition.
type Attempts = BTreeMap<(ThreadKey, OpenCall), u32>;

/// The search for lost orders of one partition.
#[derive(Debug)]
pub(super) struct Sweep {
    /// Time between two searches; zero: never.
    every: Duration,
    timer: Option<JoinHandle<Result<(), MessagingErr<OwnerMessage>>>>,
    round: u64,
    stage: Stage,
    /// How long the last search took.
    took: Duration,
    /// What was in flight the last time.
    seen: Attempts,
    /// What was missing the last time.
    missing: Attempts,
}

#[derive(Debug)]
enum Stage {
    Resting,
    /// Coordinators are asked what they have in flight.
    Asking {
        awaited: BTreeSet<ThreadKey>,
        found: Attempts,
    },
    /// What orders the attempts may not be written yet.
    Writing {
        candidates: Attempts,
        up_to: u64,
    },
    /// Queues and inbox are read.
    Searching {
        candidates: Attempts,
        began: Instant,
    },
}

/// What stands in queues and inbox; none if they could not be read, or not all of them.
#[derive(Debug)]
pub(crate) struct Searched(Option<InFlight>);

impl Sweep {
    /// A search that begins by a timer. Partitions take turns, so that not all of them read at
    /// the same time.
    pub(super) fn new(
        every: Duration,
        partition: PartitionId,
        partitions: u16,
        owner: &ActorRef<OwnerMessage>,
    ) -> Self {
        let (stage, seen, missing) = (Stage::Resting, Attempts::new(), Attempts::new());
        let (timer, took) = (None, Duration::ZERO);
        let mut sweep = Self { every, timer, round: 0, stage, took, seen, missing };
        sweep.arm(every * (u32::from(partition.0) + 1) / u32::from(partitions.max(1)), owner);
        sweep
    }

    fn arm(&mut self, wait: Duration, owner: &ActorRef<OwnerMessage>) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
        if !self.every.is_zero() && !planted::is("sweeper-off") {
            self.timer = Some(owner.send_after(wait, || OwnerMessage::LookForLost));
        }
    }

    /// Notes a message that is routed: a report may have ended an attempt that is looked for.
    pub(super) fn note(&mut self, message: &InboxMessage) {
        let InboxMessage::Report(report) = message else { return };
        let call = (report.target.thread, report.target.open_call());
        self.missing.remove(&call);
        if let Some(candidates) = self.candidates() {
            candidates.remove(&call);
        }
    }

    /// A coordinator is gone, and with it the knowledge what it ordered since it was asked: the
    /// thread is not looked for this time.
    pub(super) fn pass_over(&mut self, thread: ThreadKey) {
        if let Some(candidates) = self.candidates() {
            candidates.retain(|(of, _), _| *of != thread);
        }
    }

    /// What the search that goes on looks for.
    fn candidates(&mut self) -> Option<&mut Attempts> {
        match &mut self.stage {
            Stage::Resting => None,
            Stage::Asking { found, .. } => Some(found),
            Stage::Writing { candidates, .. } | Stage::Searching { candidates, .. } => {
                Some(candidates)
            }
        }
    }

    /// Ends the questions: what was in flight the last time too is looked for. A partition in doubt
    /// is searched in any case.
    fn choose(&mut self, found: Attempts, up_to: u64, in_doubt: bool) {
        let is_seen = |call: &_, attempt: &u32| self.seen.get(call) == Some(attempt);
        let candidates: Attempts = found
            .iter()
            .filter(|(call, attempt)| is_seen(call, attempt))
            .map(|(call, attempt)| (*call, *attempt))
            .collect();
        self.seen = found;
        self.missing.retain(|call, attempt| candidates.get(call) == Some(attempt));
        self.stage = match candidates.is_empty() && !in_doubt {
            true => Stage::Resting,
            false => Stage::Writing { candidates, up_to },
        };
    }

    /// Ends the search; gives what was missing the last time too.
    fn conclude(&mut self, searched: Searched) -> BTreeMap<ThreadKey, OpenCalls> {
        let mut lost: BTreeMap<ThreadKey, OpenCalls> = BTreeMap::new();
        let stage = std::mem::replace(&mut self.stage, Stage::Resting);
        let Stage::Searching { candidates, began } = stage else { return lost };
        self.took = began.elapsed();
        let Searched(Some(there)) = searched else { return lost };
        let is_there = |(thread, open): &(ThreadKey, OpenCall)| {
            there.get(thread).is_some_and(|calls| calls.contains_key(open))
        };
        let before = std::mem::take(&mut self.missing);
        for (call, attempt) in candidates {
            if is_there(&call) {
                continue;
            }
            if before.get(&call) == Some(&attempt) {
                lost.entry(call.0).or_default().insert(call.1, attempt);
            } else {
                self.missing.insert(call, attempt);
            }
        }
        lost
    }
}

impl OwnerState {
    /// Begins a search, unless one goes on. Threads without calls in flight cost nothing.
    pub(super) fn look_for_lost(&mut self) {
        let wait = self.sweep.every.max(self.sweep.took * TIMES_AS_LONG);
        self.sweep.arm(wait, &self.myself);
        self.audit();
        match &mut self.sweep.stage {
            Stage::Resting => self.ask_for_calls(),
            Stage::Asking { found, .. } => {
                // Whoever has not answered by now is left out.
                let found = std::mem::take(found);
                self.search_for(found);
            }
            Stage::Writing { .. } | Stage::Searching { .. } => {}
        }
    }

    fn ask_for_calls(&mut self) {
        self.sweep.round += 1;
        let ask = CoordinatorMessage::TellInFlight;
        let mut found = Attempts::new();
        let mut awaited = BTreeSet::new();
        for (thread, slot) in &self.slots {
            match &slot.phase {
                Phase::Here(actor) if slot.may_have_calls => {
                    // One that just ended is reported, and answers nothing.
                    let asked = actor.cast(ask(self.sweep.round));
                    awaited.extend(asked.is_ok().then_some(*thread));
                }
                Phase::Away { in_flight: Some(calls) } => found.extend(of_thread(*thread, calls)),
                _ => {}
            }
        }
        if awaited.is_empty() {
            self.search_for(found);
        } else {
            self.sweep.stage = Stage::Asking { awaited, found };
        }
    }

    /// Takes what a coordinator has in flight. What it decided before stands in the outbox.
    pub(super) fn told_in_flight(&mut self, answer: InFlightAnswer) {
        let InFlightAnswer { thread, round, in_flight } = answer;
        if let Some(slot) = self.slots.get_mut(&thread)
            && matches!(slot.phase, Phase::Here(_))
        {
            slot.may_have_calls = !in_flight.is_empty();
        }
        let Stage::Asking { awaited, found } = &mut self.sweep.stage else { return };
        if round != self.sweep.round || !awaited.remove(&thread) {
            return;
        }
        found.extend(of_thread(thread, &in_flight));
        if awaited.is_empty() {
            let found = std::mem::take(found);
            self.search_for(found);
        }
    }

    fn search_for(&mut self, found: Attempts) {
        self.sweep.choose(found, self.outbox.pushed(), self.in_doubt);
        self.search_once_written();
    }

    /// Reads queues and inbox once all that was decided before is written.
    pub(super) fn search_once_written(&mut self) {
        let Stage::Writing { candidates, up_to } = &mut self.sweep.stage else { return };
        if self.outbox.written() < *up_to {
            return;
        }
        let (candidates, began) = (std::mem::take(candidates), Instant::now());
        self.sweep.stage = Stage::Searching { candidates, began };
        let (engine, partition) = (Arc::clone(&self.engine), self.lease.partition);
        let owner = self.myself.clone();
        tokio::spawn(async move {
            let searched = search(&engine, partition).await;
            // An owner that is gone has left the search to the next one.
            let _ = owner.cast(OwnerMessage::Searched(searched));
        });
    }

    /// Has those ordered again that were missing twice.
    pub(super) fn searched(&mut self, searched: Searched) {
        if self.in_doubt && searched.0.is_some() {
            self.end_doubt();
        }
        let lost = self.sweep.conclude(searched);
        if !self.sweep.missing.is_empty() {
            let wait = CONFIRM_WAIT.min(self.sweep.every).max(self.sweep.took);
            self.sweep.arm(wait, &self.myself);
        }
        for (thread, calls) in lost {
            let Some(slot) = self.slots.get_mut(&thread) else { continue };
            match &slot.phase {
                Phase::Here(actor) => {
                    // One that just ended is reported; its thread is loaded again.
                    let _ = actor.cast(CoordinatorMessage::Lost(calls));
                }
                Phase::Away { .. } => {
                    slot.lost = calls;
                    self.want(thread);
                }
                // The next search finds them again.
                Phase::Loading { .. } | Phase::Leaving(_) | Phase::Quarantined { .. } => {}
            }
        }
    }
}

impl OwnerState {
    /// Nothing of a newer version is left in queues and inbox: all that is in flight is known. What
    /// threads in memory have doubted is found to be lost, if it is.
    fn end_doubt(&mut self) {
        self.in_doubt = false;
        for slot in self.slots.values_mut() {
            slot.in_doubt = false;
        }
        tracing::info!(
            partition = %self.lease.partition,
            "nothing of a newer version is left: calls in progress wait no longer for it"
        );
    }
}

fn of_thread(
    thread: ThreadKey,
    calls: &OpenCalls,
) -> impl Iterator<Item = ((ThreadKey, OpenCall), u32)> {
    calls.iter().map(move |(open, attempt)| ((thread, *open), *attempt))
}

async fn search(engine: &Engine, partition: PartitionId) -> Searched {
    // Never closed.
    let Ok(_permit) = engine.loads.acquire().await else { return Searched(None) };
    match takeover::scan_in_flight(&*engine.storage, partition).await {
        Ok(Standing { in_flight, has_newer }) => {
            engine.failures.scans.worked();
            // What seems to be lost may be what cannot be read here.
            Searched((!has_newer).then_some(in_flight))
        }
        Err(error) => {
            engine.failures.scans.failed(&error);
            Searched(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rethread_core::ids::{CallId, ExecutionId, RunId, ThreadId, WorkerId};
    use rethread_core::message::{
        Action, AttemptOutcome, Cancel, Command, Multitask, Report, Target,
    };

    fn thread(name: &str) -> ThreadId {
        ThreadId::new(name).expect("an id")
    }

    fn run() -> RunId {
        "00000000-0000-0000-0000-000000000001".parse().expect("a UUID")
    }

    fn call(of: &str, number: u128) -> (ThreadKey, OpenCall) {
        let (execution, call) = (ExecutionId::from(run()), CallId::nth(number, 0));
        (thread(of).key(), OpenCall { execution, call })
    }

    fn attempts(calls: &[(ThreadKey, OpenCall)]) -> Attempts {
        calls.iter().map(|call| (*call, 1)).collect()
    }

    fn report((thread, open): (ThreadKey, OpenCall)) -> InboxMessage {
        let OpenCall { execution, call } = open;
        let target = Target { thread, execution, call, attempt: 1 };
        let worker = WorkerId::new("w").expect("an id");
        InboxMessage::Report(Report { target, worker, outcome: AttemptOutcome::Suspended })
    }

    fn command(of: &str) -> InboxMessage {
        InboxMessage::Command(Command {
            thread: thread(of),
            run: run(),
            settings: Box::default(),
            at: None,
            is_lenient: false,
            multitask: Multitask::default(),
            action: Action::Cancel(Cancel::default()),
        })
    }

    fn sweep() -> Sweep {
        let (stage, every, took) = (Stage::Resting, Duration::ZERO, Duration::ZERO);
        let (seen, missing) = (Attempts::new(), Attempts::new());
        Sweep { every, timer: None, round: 0, stage, took, seen, missing }
    }

    /// One search: what is in flight, what happens meanwhile, and what stands in the queues.
    fn search(
        sweep: &mut Sweep,
        in_flight: &[(ThreadKey, OpenCall)],
        meanwhile: &[InboxMessage],
        there: &[(ThreadKey, OpenCall)],
    ) -> Vec<(ThreadKey, OpenCall)> {
        sweep.choose(attempts(in_flight), 0, false);
        if let Stage::Writing { candidates, .. } = &mut sweep.stage {
            let (candidates, began) = (std::mem::take(candidates), Instant::now());
            sweep.stage = Stage::Searching { candidates, began };
        }
        meanwhile.iter().for_each(|message| sweep.note(message));
        let mut found = InFlight::new();
        for (thread, open) in there {
            found.entry(*thread).or_default().insert(*open, 1);
        }
        let lost = sweep.conclude(Searched(Some(found)));
        let of_thread = |(thread, calls): (ThreadKey, OpenCalls)| {
            calls.into_keys().map(move |open| (thread, open)).collect::<Vec<_>>()
        };
        lost.into_iter().flat_map(of_thread).collect()
    }

    #[test]
    fn a_call_is_lost_that_is_missing_twice_after_it_was_seen() {
        let (lost, there) = (call("t", 1), call("t", 2));
        let mut sweep = sweep();
        assert!(search(&mut sweep, &[lost, there], &[], &[there]).is_empty(), "seen");
        assert!(search(&mut sweep, &[lost, there], &[], &[there]).is_empty(), "missing");
        assert_eq!(search(&mut sweep, &[lost, there], &[], &[there]), [lost]);
    }

    #[test]
    fn what_was_found_in_between_is_not_lost() {
        let one = call("t", 1);
        let mut sweep = sweep();
        for there in [&[][..], &[], &[one], &[], &[one], &[]] {
            assert!(search(&mut sweep, &[one], &[], there).is_empty());
        }
        assert_eq!(search(&mut sweep, &[one], &[], &[]), [one]);
    }

    #[test]
    fn what_is_reported_meanwhile_is_not_missing() {
        let (reported, other) = (call("t", 1), call("t", 2));
        let all = [reported, other];
        let mut sweep = sweep();
        search(&mut sweep, &all, &[], &all);
        search(&mut sweep, &all, &[], &[]);
        assert_eq!(sweep.missing, attempts(&all));
        assert_eq!(search(&mut sweep, &all, &[report(reported)], &[]), [other]);
        assert!(sweep.missing.is_empty());
    }

    #[test]
    fn a_thread_that_is_asked_again_and_again_is_looked_for_all_the_same() {
        let lost = call("t", 1);
        let mut sweep = sweep();
        for _ in 0..2 {
            assert!(search(&mut sweep, &[lost], &[command("t")], &[]).is_empty());
            sweep.note(&command("t"));
        }
        assert_eq!(search(&mut sweep, &[lost], &[command("t")], &[]), [lost]);
    }

    #[test]
    fn a_thread_whose_coordinator_went_during_a_search_is_passed_over() {
        let (gone, other) = (call("t", 1), call("u", 1));
        let all = [gone, other];
        let mut sweep = sweep();
        search(&mut sweep, &all, &[], &[]);
        search(&mut sweep, &all, &[], &[]);
        sweep.choose(attempts(&all), 0, false);
        sweep.pass_over(thread("t").key());
        let Stage::Writing { candidates, .. } = &sweep.stage else { panic!("it has begun") };
        assert_eq!(*candidates, attempts(&[other]));
    }

    #[test]
    fn a_report_that_is_routed_between_two_searches_counts() {
        let one = call("t", 1);
        let mut sweep = sweep();
        search(&mut sweep, &[one], &[], &[]);
        search(&mut sweep, &[one], &[], &[]);
        sweep.note(&report(one));
        assert!(search(&mut sweep, &[one], &[], &[]).is_empty(), "it was ordered again since");
    }
}
