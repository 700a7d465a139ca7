//! One run of an execution.

mod asks;
mod entries;
mod nested;
mod reports;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::event::Interrupt;
use crate::failure::{Failure, kind};
use crate::ids::{CallId, ExecutionId, Millis, PartitionId, RunId, ThreadId, ThreadKey, WorkerId};
use crate::journal::{Began, Entry, Fact};
use crate::message::{NestedCall, OpenCall, Report};
use crate::payload::Payload;
use crate::replay::{
    Body, BodyOutput, OnWake, Outcome, Program, ReplayMismatch, Rest, Scope, ScopeInfo, SlotIndex,
    start_caught,
};
use crate::thread::Limits;
use crate::thread::calls::{CallState, Calls};
use crate::thread::index::JournalIndex;
use crate::thread::question::Questions;
use crate::thread::turn::{RunLog, Turn};

/// What an execution needs from around it.
#[derive(Clone)]
pub(super) struct Surroundings {
    pub(super) thread: ThreadId,
    pub(super) key: ThreadKey,
    pub(super) partition: PartitionId,
    pub(super) program: Arc<dyn Program>,
    pub(super) on_wake: OnWake,
    pub(super) limits: Limits,
}

/// Where a run of an execution stands.
#[derive(Debug)]
pub(super) enum Standing {
    /// It goes on when something arrives.
    Working,
    /// Before deciding that it stopped, look once more.
    LookAgain,
    /// Only answers from people can make it go on.
    Asking(Vec<Interrupt>),
    /// The code does not fit the journal.
    Mismatched(ReplayMismatch),
    /// The root body ended, and so did everything it started.
    Ended(Result<BodyOutput, Failure>),
}

/// One run of an execution: the bodies that are being polled, and the journal that they replay
/// and write.
///
/// Replaying and living are the same loop: take the next outcome (from the journal, or one that
/// arrived and is written to it), deliver it, poll to rest.
pub(super) struct Execution {
    around: Surroundings,
    id: ExecutionId,
    run: RunId,
    journal: Vec<Entry>,
    index: JournalIndex,
    /// Entries before this place have been taken up.
    cursor: usize,
    /// While no more than these entries have been taken up, bodies only repeat what they have
    /// shown before, and are silent.
    silent_until: usize,
    bodies: BTreeMap<CallId, Body>,
    scopes: BTreeMap<CallId, Arc<Scope>>,
    calls: Calls,
    questions: Questions,
    /// Calls made in the replay, to be decided at its end.
    undecided: Vec<CallId>,
    /// Failed attempts by call: how many, the newest attempt, and when the next may start.
    attempts: BTreeMap<CallId, Attempts>,
    /// Number of the next custom event of each attempt and the worker that runs it.
    emitted: BTreeMap<(CallId, u32, WorkerId), u64>,
    /// Attempts that are known to be queued, running or reported.
    in_flight: BTreeSet<OpenCall>,
    /// Workers that run bodies of tasks which have made calls.
    callers: BTreeMap<CallId, WorkerId>,
    /// Calls that tasks made: the attempt that made each, and its outcome for those that ask.
    nested: BTreeMap<CallId, Nested>,
    /// Recorded calls of tasks whose own call was not made at its place, after a reopening.
    leftover_calls: Vec<(CallId, u32, NestedCall)>,
    /// Recorded outcomes of calls that were not made at their place, after a reopening.
    leftovers: BTreeMap<CallId, Outcome>,
    arrived: VecDeque<(CallId, Outcome)>,
    /// Reports that are to be handled when the execution is live.
    held: Vec<HeldReport>,
    /// Reports for calls that are not made yet: something foreign comes first.
    unclaimed: Vec<Report>,
    /// Results of child bodies whose own calls have not all settled.
    ended_children: BTreeMap<CallId, Outcome>,
    root_result: Option<Result<BodyOutput, Failure>>,
    mismatch: Option<ReplayMismatch>,
    looked: bool,
    stuck_until: Option<Millis>,
}

#[derive(Debug)]
struct HeldReport {
    report: Report,
    /// Whether the journal has it.
    is_recorded: bool,
}

#[derive(Debug)]
struct Nested {
    attempt: u32,
    outcome: Option<Outcome>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Attempts {
    failures: u32,
    newest: u32,
    retry_at: Millis,
}

impl Execution {
    /// Runs an execution from the top of its journal, which begins with [`Fact::Began`].
    ///
    /// `shown` says how many entries belong to what this run has shown before: all of them when
    /// the engine reloads a run, none when the run is new.
    pub(super) fn new(
        around: Surroundings,
        id: ExecutionId,
        run: RunId,
        journal: Vec<Entry>,
        shown: usize,
        in_flight: BTreeSet<OpenCall>,
    ) -> Self {
        Self {
            around,
            id,
            run,
            index: JournalIndex::new(&journal),
            journal,
            cursor: 0,
            silent_until: shown,
            bodies: BTreeMap::new(),
            scopes: BTreeMap::new(),
            calls: Calls::default(),
            questions: Questions::default(),
            undecided: Vec::new(),
            attempts: BTreeMap::new(),
            emitted: BTreeMap::new(),
            in_flight,
            callers: BTreeMap::new(),
            nested: BTreeMap::new(),
            leftover_calls: Vec::new(),
            leftovers: BTreeMap::new(),
            arrived: VecDeque::new(),
            held: Vec::new(),
            unclaimed: Vec::new(),
            ended_children: BTreeMap::new(),
            root_result: None,
            mismatch: None,
            looked: false,
            stuck_until: None,
        }
    }

    pub(super) fn id(&self) -> ExecutionId {
        self.id
    }

    /// The journal, given back when the run has stopped.
    pub(super) fn into_journal(self) -> Vec<Entry> {
        self.journal
    }

    /// Calls with an attempt that is queued or running.
    pub(super) fn in_flight(&self) -> BTreeSet<OpenCall> {
        let open = |call| OpenCall { execution: self.id, call };
        self.calls.in_flight().map(open).chain(self.in_flight.iter().copied()).collect()
    }

    /// When [`Execution::handle_timeout`] has something to do.
    pub(super) fn next_due(&self) -> Option<Millis> {
        let due = self.calls.next_due().filter(|_| self.is_live());
        due.into_iter().chain(self.stuck_until).min()
    }

    /// Goes on as far as possible and says where that is.
    pub(super) fn advance(&mut self, now: Millis, turn: &mut Turn, log: &mut RunLog) -> Standing {
        loop {
            if self.run_bodies(now, turn, log) == Pace::Yielded {
                self.keep_held(now, turn);
                return Standing::Working;
            }
            if self.mismatch.is_some() {
                break;
            }
            // Before anything is scheduled.
            if self.is_live() && self.unclaimed_mismatch(now).is_some() {
                break;
            }
            let moved = if self.cursor < self.journal.len() {
                self.take_entry()
            } else {
                self.set_unclaimed_aside(now, turn)
                    || self.decide_undecided(now, turn)
                    || self.record_questions(now, turn)
                    || self.handle_held(now, turn)
                    || self.deliver_arrived(now, turn, log)
                    || self.end_children()
            };
            if !moved {
                break;
            }
            self.looked = false;
            self.stuck_until = None;
        }
        self.tell_blocked_children(turn);
        let standing = self.standing(now);
        self.keep_held(now, turn);
        standing
    }

    fn standing(&mut self, now: Millis) -> Standing {
        if let Some(mismatch) = &self.mismatch {
            return Standing::Mismatched(mismatch.clone());
        }
        if !self.is_live() {
            return self.standing_when_stuck(now);
        }
        if self.calls.has_open_work() {
            return Standing::Working;
        }
        let children_run = self.bodies.keys().any(|scope| *scope != CallId::root(self.id));
        match &self.root_result {
            Some(Ok(_)) if self.questions.has_open() => Standing::Asking(self.open_questions()),
            Some(Ok(_)) if children_run => Standing::Working,
            Some(result) => Standing::Ended(result.clone()),
            None if !self.questions.has_open() || self.has_locals() => Standing::Working,
            None if !self.looked => {
                self.looked = true;
                Standing::LookAgain
            }
            None => Standing::Asking(self.open_questions()),
        }
    }

    fn open_questions(&self) -> Vec<Interrupt> {
        self.questions.open(|scope| self.calls.place(scope))
    }

    fn has_locals(&self) -> bool {
        self.bodies.values().any(|body| body.scope().locals() > 0)
    }

    fn is_live(&self) -> bool {
        self.cursor == self.journal.len()
    }

    /// Whether what bodies show now has been shown before.
    fn is_silent(&self) -> bool {
        self.cursor <= self.silent_until
    }

    fn run_bodies(&mut self, now: Millis, turn: &mut Turn, log: &mut RunLog) -> Pace {
        loop {
            let woken = self.bodies.iter().find(|(_, body)| body.is_woken());
            let Some((&scope, _)) = woken else { return Pace::Rested };
            let Some(body) = self.bodies.get_mut(&scope) else { return Pace::Rested };
            let rest = body.run();
            let asks = body.scope().take_asks();
            for ask in asks {
                self.handle_ask(scope, ask, now, turn, log);
            }
            match rest {
                Rest::Waiting => {}
                Rest::Yielded => return Pace::Yielded,
                Rest::Ended(result) => {
                    self.bodies.remove(&scope);
                    if scope == CallId::root(self.id) {
                        self.root_result = Some(result);
                    } else {
                        self.ended_children.insert(scope, result.map(|output| output.value));
                    }
                }
            }
        }
    }

    /// Passes on the results of children whose calls have all settled: until then a crash would
    /// lose track of calls that nobody waits for.
    fn end_children(&mut self) -> bool {
        let settled =
            self.ended_children.keys().copied().find(|scope| self.calls.all_settled(*scope));
        let Some(scope) = settled else { return false };
        if let Some(outcome) = self.ended_children.remove(&scope) {
            self.arrive(scope, outcome);
        }
        true
    }

    fn arrive(&mut self, call: CallId, outcome: Outcome) {
        self.calls.set_state(call, CallState::Arrived);
        self.arrived.push_back((call, outcome));
    }

    /// Appends an entry that is not delivered, or is delivered by the caller.
    fn append(&mut self, now: Millis, fact: Fact, turn: &mut Turn) {
        debug_assert!(self.is_live(), "only a live execution writes its journal");
        let entry = Entry { at: now, fact };
        turn.append(entry.clone());
        self.journal.push(entry);
        self.cursor = self.journal.len();
    }

    fn start_body(
        &mut self,
        scope: CallId,
        name: &str,
        input: &Payload,
        began: Option<&Began>,
    ) -> Result<(), Failure> {
        let future = start_caught(&*self.around.program, name, input)
            .map_err(|refusal| Failure::new(kind::ERROR, refusal.to_string()).final_())?;
        let info = ScopeInfo {
            scope,
            thread: self.around.thread.clone(),
            run: self.run,
            execution: self.id,
            name: name.to_owned(),
            attempt: 1,
            previous: began.and_then(|began| began.previous.clone()),
            answers: Vec::new(),
        };
        let body_scope = Scope::gated(info);
        self.scopes.insert(scope, Arc::clone(&body_scope));
        let on_wake = Arc::clone(&self.around.on_wake);
        self.bodies.insert(scope, Body::new(body_scope, future, on_wake));
        Ok(())
    }

    /// Gives an outcome to the body that waits for it here.
    fn deliver(&mut self, scope: CallId, slot: SlotIndex, at: Millis, outcome: Outcome) {
        if let Some(body) = self.bodies.get(&scope) {
            body.scope().set_now(at);
            body.deliver(slot, outcome);
        }
    }
}

#[derive(PartialEq, Eq)]
enum Pace {
    Rested,
    Yielded,
}
