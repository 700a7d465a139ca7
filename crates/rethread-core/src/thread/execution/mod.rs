//! One run of an execution.

mod asks;
mod attempts;
mod bodies;
mod cancels;
mod children;
mod dispatch;
mod entries;
mod inline;
mod jobs;
mod limits;
mod nested;
mod outlook;
mod reports;
mod steps;
mod views;
mod writing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::checkpoint::ChildState;
use crate::event::Interrupt;
use crate::failure::Failure;
use crate::graph::Outcomes;
use crate::ids::{CallId, ExecutionId, Millis, PartitionId, RunId, ThreadId, ThreadKey, WorkerId};
use crate::journal::{Entry, Fact};
use crate::message::{CacheSlot, NestedCall, OpenCall, OpenCalls, Report};
use crate::payload::Payload;
use crate::policy::EntrypointOptions;
use crate::replay::{
    Body, BodyOutput, OnWake, Outcome, Program, ReplayMismatch, Rest, Scope, SlotIndex, Woken,
};
use crate::settings::{RunConfig, RunSettings};
use crate::tenant::Part;
use crate::thread::Limits;
use crate::thread::calls::{CallState, Calls};
use crate::thread::effect::JobOutcome;
use crate::thread::execution::attempts::Attempts;
use crate::thread::execution::children::Place;
pub(super) use crate::thread::execution::limits::weight;
use crate::thread::execution::steps::Footing;
pub(super) use crate::thread::execution::views::StepRecord;
use crate::thread::execution::writing::Writing;
use crate::thread::graphs::input_shown;
use crate::thread::index::{JournalIndex, last_settings};
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
    /// It has reached a limit of the engine.
    Exceeded(Failure),
    /// Only answers from people can make it go on.
    Asking(Vec<Interrupt>),
    /// Only another run can make it go on: a graph in it pauses.
    Paused,
    /// The code does not fit the journal.
    Mismatched(ReplayMismatch),
    /// The root body ended, and so did everything it started.
    Ended(Result<Ending, Failure>),
}

/// How an execution completed, or the step of a graph.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) output: BodyOutput,
    /// What the step came to, of a graph.
    pub(super) record: Option<StepRecord>,
    /// Whether the result came from the cache.
    pub(super) is_cached: bool,
    /// What child entrypoints with a history of their own have saved.
    pub(super) children: BTreeMap<String, ChildState>,
}

/// One run of an execution: the bodies that are being polled, and the journal that they replay
/// and write.
///
/// Replaying and living are the same loop: take the next outcome (from the journal, or one that
/// arrived and is written to it), deliver it, poll to rest.
pub(super) struct Execution {
    around: Surroundings,
    /// What its bodies see of store and cache.
    part: Part,
    id: ExecutionId,
    /// The body of the entrypoint.
    root: CallId,
    run: RunId,
    journal: Vec<Entry>,
    index: JournalIndex,
    /// Entries before this place have been taken up.
    cursor: usize,
    /// While no more than these entries have been taken up, bodies only repeat what they have
    /// shown before, and are silent.
    silent_until: usize,
    /// What the caller set for this run.
    settings: RunSettings,
    config: Arc<RunConfig>,
    began_at: Millis,
    bodies: BTreeMap<CallId, Body>,
    woken: Woken,
    scopes: BTreeMap<CallId, Arc<Scope>>,
    /// What each entrypoint's body is, also of those that are still to begin or have ended.
    begun: BTreeMap<CallId, EntrypointBody>,
    /// Bodies that ended, with nothing decided yet.
    ended_bodies: Vec<(CallId, Result<BodyOutput, Failure>)>,
    /// Bodies that wait for a further attempt.
    retries: BTreeMap<CallId, BodyRetry>,
    /// Bodies that are to be looked up in the cache, and those that the shell looks up.
    to_look_up: Vec<CallId>,
    looking_up: BTreeSet<CallId>,
    /// Results that the shell puts into the cache.
    filling: BTreeMap<CallId, BodyOutput>,
    /// Children that made a step, until they go on with the next one.
    stepping: BTreeMap<CallId, BodyOutput>,
    /// Children that pause behind a step until the next run.
    paused: BTreeSet<CallId>,
    /// Answers to what graphs ask first, by body.
    ahead: BTreeMap<CallId, Payload>,
    /// Results that were recorded in the steps in progress, by body.
    results: BTreeMap<CallId, Outcomes>,
    /// What child entrypoints with a history of their own have saved, by place.
    children: BTreeMap<String, ChildState>,
    /// The places of child entrypoints.
    places: BTreeMap<CallId, Place>,
    /// How many children a body has called, by node.
    child_counts: BTreeMap<(CallId, Option<String>), u32>,
    /// The answer to the first question that is asked.
    answer: Option<Payload>,
    /// Calls that bodies cancelled.
    cancelled: Vec<CallId>,
    calls: Calls,
    questions: Questions,
    /// How many changes of the questions the header shows.
    questions_shown: Option<u64>,
    /// Calls made in the replay, to be decided at its end.
    undecided: Vec<CallId>,
    /// What is known of attempts, by call.
    attempts: BTreeMap<CallId, Attempts>,
    /// What calls have written to the stream.
    writings: BTreeMap<CallId, Writing>,
    /// Calls whose writing counts no more, which readers are to be told, and the attempts that
    /// write anew.
    resets: Vec<(CallId, u32)>,
    /// How many calls were made in the replay after a load, once it is over.
    made_before_load: Option<usize>,
    /// Attempts that are known to be queued, running or reported.
    in_flight: OpenCalls,
    /// Whether there may be others, until the replay is over.
    in_doubt: bool,
    /// Calls without an outcome that the replay has made, if there may be others.
    doubted: BTreeSet<CallId>,
    /// Calls that were cancelled with an attempt that has not been reported yet.
    giving_up: BTreeMap<CallId, u32>,
    /// Jobs that are done and are to be taken up when the execution is live.
    done: Vec<(CallId, JobOutcome)>,
    /// Workers that run bodies of tasks which have made calls, and their attempts.
    callers: BTreeMap<CallId, (WorkerId, u32)>,
    /// Calls that tasks made: the attempt that made each, and its outcome for those that ask.
    nested: BTreeMap<CallId, Nested>,
    /// Calls of tasks that this run has shown, and those that tasks have made in it.
    shown: BTreeSet<CallId>,
    made_now: BTreeSet<CallId>,
    /// Recorded calls of tasks whose own call was not made at its place, after a reopening.
    leftover_calls: Vec<(CallId, u32, NestedCall)>,
    /// Recorded outcomes of calls that were not made at their place, after a reopening.
    leftovers: BTreeMap<CallId, Outcome>,
    arrived: VecDeque<Arrival>,
    /// Reports that are to be handled when the execution is live.
    held: Vec<HeldReport>,
    /// Reports for calls that are not made yet: something foreign comes first.
    unclaimed: Vec<Report>,
    /// Results of child bodies whose own calls have not all settled.
    ended_children: BTreeMap<CallId, BodyEnd>,
    root_end: Option<BodyEnd>,
    mismatch: Option<ReplayMismatch>,
    /// Whether a child that failed is tried again: only a replay finds what it has done before.
    is_outdated: bool,
    /// The limit of the engine that it has reached.
    exceeded: Option<Failure>,
    /// Bytes of the values in the journal.
    journal_bytes: usize,
    looked: bool,
    stuck_until: Option<Millis>,
}

/// An outcome that is still to be recorded and delivered.
#[derive(Debug)]
struct Arrival {
    call: CallId,
    outcome: Outcome,
    is_cached: bool,
}

/// How the body of an entrypoint ended for good.
#[derive(Debug)]
struct BodyEnd {
    result: Result<BodyOutput, Failure>,
    is_cached: bool,
}

/// What an entrypoint's body is.
#[derive(Debug)]
struct EntrypointBody {
    name: String,
    input: Payload,
    options: EntrypointOptions,
    /// What it starts from.
    footing: Footing,
    /// Whether it makes steps.
    is_graph: bool,
    /// Where its result is cached.
    cache: Option<CacheSlot>,
    /// The attempt in progress, from 1.
    attempt: u32,
    /// When the attempt has taken too long.
    deadline: Option<Millis>,
    /// When it has shown no progress for too long.
    idle_until: Option<Millis>,
}

/// A further attempt of a body.
#[derive(Debug, Clone, Copy)]
struct BodyRetry {
    attempt: u32,
    not_before: Millis,
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

impl Execution {
    /// Runs an execution from the top of its journal, which begins with [`Fact::Began`].
    ///
    /// `shown` says how many entries belong to what this run has shown before: all of them when
    /// the engine reloads a run, none when the run is new. `in_doubt` says whether more may be in
    /// flight than `in_flight` names.
    pub(super) fn new(
        around: Surroundings,
        id: ExecutionId,
        run: RunId,
        journal: Vec<Entry>,
        shown: usize,
        in_flight: OpenCalls,
        in_doubt: bool,
    ) -> Self {
        let index = JournalIndex::new(&journal);
        let settings = last_settings(&journal).cloned().unwrap_or_default();
        let began = journal
            .iter()
            .rev()
            .find(|entry| matches!(entry.fact, Fact::Began(_) | Fact::RunBegan { .. }));
        let root = match journal.first() {
            Some(Entry { fact: Fact::Began(began), .. }) if began.execution == id => {
                Some(began.root)
            }
            _ => None,
        };
        Self {
            part: Part::of(&around.thread),
            around,
            id,
            mismatch: root.is_none().then(|| ReplayMismatch {
                position: 0,
                expected: format!("the beginning of execution {id}"),
                found: "has a journal without it".into(),
            }),
            root: root.unwrap_or(CallId::root(id)),
            run,
            index,
            config: Arc::new(settings.config.clone()),
            settings,
            began_at: began.map(|entry| entry.at).unwrap_or_default(),
            journal_bytes: journal.iter().map(|entry| limits::weight(&entry.fact)).sum(),
            journal,
            cursor: 0,
            silent_until: shown,
            bodies: BTreeMap::new(),
            woken: Woken::default(),
            scopes: BTreeMap::new(),
            begun: BTreeMap::new(),
            ended_bodies: Vec::new(),
            retries: BTreeMap::new(),
            to_look_up: Vec::new(),
            looking_up: BTreeSet::new(),
            filling: BTreeMap::new(),
            stepping: BTreeMap::new(),
            paused: BTreeSet::new(),
            ahead: BTreeMap::new(),
            results: BTreeMap::new(),
            children: BTreeMap::new(),
            places: BTreeMap::new(),
            child_counts: BTreeMap::new(),
            answer: None,
            cancelled: Vec::new(),
            calls: Calls::default(),
            questions: Questions::default(),
            questions_shown: None,
            undecided: Vec::new(),
            attempts: BTreeMap::new(),
            writings: BTreeMap::new(),
            resets: Vec::new(),
            made_before_load: None,
            in_flight,
            in_doubt,
            doubted: BTreeSet::new(),
            giving_up: BTreeMap::new(),
            done: Vec::new(),
            callers: BTreeMap::new(),
            nested: BTreeMap::new(),
            shown: BTreeSet::new(),
            made_now: BTreeSet::new(),
            leftover_calls: Vec::new(),
            leftovers: BTreeMap::new(),
            arrived: VecDeque::new(),
            held: Vec::new(),
            unclaimed: Vec::new(),
            ended_children: BTreeMap::new(),
            root_end: None,
            is_outdated: false,
            exceeded: None,
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
    pub(super) fn in_flight(&self) -> OpenCalls {
        let open = |call| OpenCall { execution: self.id, call };
        let attempt = |call| match self.calls.get(call).map(|call| call.state) {
            Some(CallState::InFlight { attempt }) => attempt,
            _ => 1,
        };
        let mine = self.calls.in_flight().map(|call| (open(call), attempt(call)));
        let given_up = self.giving_up.iter().map(|(call, attempt)| (open(*call), *attempt));
        let others = self.in_flight.iter().map(|(open, attempt)| (*open, *attempt));
        mine.chain(given_up).chain(others).collect()
    }

    pub(super) fn run(&self) -> RunId {
        self.run
    }

    /// Whether calls may be in flight that [`Execution::in_flight`] does not name: until the replay
    /// is over, and for those that it has made and has not decided on.
    pub(super) fn is_in_doubt(&self) -> bool {
        let is_undecided = |call: &CallId| {
            self.calls.get(*call).is_some_and(|call| call.state == CallState::Undecided)
        };
        self.in_doubt || self.doubted.iter().any(is_undecided)
    }

    /// Whether it must be replayed from its journal to go on.
    pub(super) fn is_outdated(&self) -> bool {
        self.is_outdated
    }

    /// An attempt of an execution that was given up has ended.
    pub(super) fn forget_in_flight(&mut self, open: OpenCall) {
        self.in_flight.remove(&open);
    }

    /// When [`Execution::handle_timeout`] has something to do.
    pub(super) fn next_due(&self) -> Option<Millis> {
        let live = [self.calls.next_due(), self.next_body_due()];
        let live = live.into_iter().flatten().filter(|_| self.is_live());
        live.chain(self.stuck_until).min()
    }

    /// Goes on as far as possible and says where that is.
    pub(super) fn advance(&mut self, now: Millis, turn: &mut Turn, log: &mut RunLog) -> Standing {
        loop {
            // Before anything is written anew.
            self.show_resets(now, turn, log);
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
                self.take_entry(turn, log)
            } else {
                self.note_end_of_replay();
                self.take_done(now, turn)
                    || self.set_unclaimed_aside(now, turn)
                    || self.cancel_what_was_asked(now, turn)
                    || self.look_up_bodies(turn)
                    || self.decide_undecided(now, turn)
                    || self.record_questions(now, turn)
                    || self.handle_held(now, turn)
                    || self.settle_ended_bodies(now, turn)
                    || self.make_child_steps(now, turn, log)
                    || self.deliver_arrived(now, turn, log)
                    || self.end_children(now, turn, log)
                    || self.begin_due_attempts(now, turn)
                    || self.dispatch_held(turn)
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
        if let Some(failure) = &self.exceeded {
            return Standing::Exceeded(failure.clone());
        }
        if !self.is_live() {
            return self.standing_when_stuck(now);
        }
        if self.calls.has_open_work() || self.has_open_bodies() {
            return Standing::Working;
        }
        let children_run = self.bodies.keys().any(|scope| *scope != self.root);
        let ends_well = self.root_end.as_ref().map(|end| end.result.is_ok());
        match ends_well {
            Some(true) if self.questions.has_open() => Standing::Asking(self.open_questions()),
            Some(true) if children_run => Standing::Working,
            Some(_) => self.end(),
            None if self.has_locals() => Standing::Working,
            None if !self.questions.has_open() && self.paused.is_empty() => Standing::Working,
            None if !self.looked => {
                self.looked = true;
                Standing::LookAgain
            }
            None if !self.questions.has_open() => Standing::Paused,
            None => Standing::Asking(self.open_questions()),
        }
    }

    fn end(&mut self) -> Standing {
        let Some(BodyEnd { result, is_cached }) = self.root_end.take() else {
            return Standing::Working;
        };
        let children = std::mem::take(&mut self.children);
        let record = self.step_record();
        Standing::Ended(result.map(|output| Ending { output, record, is_cached, children }))
    }

    fn open_questions(&self) -> Vec<Interrupt> {
        self.questions.open(|scope| self.calls.place(scope), |scope| self.calls.path(scope))
    }

    /// The same if they have changed since they were last asked for.
    pub(super) fn changed_questions_to_answer(&mut self) -> Option<Vec<Interrupt>> {
        let state = self.is_live().then(|| self.questions.changes());
        let is_changed = state.is_none() || state != self.questions_shown;
        self.questions_shown = state;
        is_changed.then(|| self.questions_to_answer())
    }

    /// Open questions that may be answered while the run goes on: none in a replay.
    pub(super) fn questions_to_answer(&self) -> Vec<Interrupt> {
        if !self.is_live() {
            return Vec::new();
        }
        self.open_questions()
    }

    /// Until when nothing happens here, if all that goes on are timers.
    pub(super) fn sleeps_until(&self) -> Option<Millis> {
        let sleeps = self.is_live()
            && self.calls.only_wait_for_time()
            && self.in_flight.is_empty()
            && self.giving_up.is_empty()
            && self.looking_up.is_empty()
            && self.filling.is_empty()
            && !self.has_locals()
            && !self.bodies.values().any(|body| body.is_woken() || body.may_wait_for_foreign());
        self.next_due().filter(|_| sleeps)
    }

    /// Whether it is moved on by something that would be lost with the memory.
    pub(super) fn is_bound_to_memory(&self) -> bool {
        let is_moved_by_others = !self.in_flight().is_empty() || self.sleeps_until().is_some();
        !self.is_live()
            || self.has_locals()
            || self.bodies.values().any(Body::is_woken)
            || !is_moved_by_others
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
            let Some(scope) = self.woken.take() else { return Pace::Rested };
            let Some(body) = self.bodies.get_mut(&scope).filter(|body| body.is_woken()) else {
                continue;
            };
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
                    self.ended_bodies.push((scope, result));
                }
            }
        }
    }

    fn arrive(&mut self, call: CallId, outcome: Outcome) {
        self.arrive_from(call, outcome, false);
    }

    fn arrive_from(&mut self, call: CallId, outcome: Outcome, is_cached: bool) {
        self.calls.set_state(call, CallState::Arrived);
        self.arrived.push_back(Arrival { call, outcome, is_cached });
    }

    /// Appends an entry that is not delivered, or is delivered by the caller.
    fn append(&mut self, now: Millis, fact: Fact, turn: &mut Turn) {
        debug_assert!(self.is_live(), "only a live execution writes its journal");
        self.weigh(&fact);
        let entry = Entry { at: now, fact };
        turn.append(entry.clone());
        self.journal.push(entry);
        self.cursor = self.journal.len();
    }

    /// Gives an outcome to the body that waits for it here, if it has not ended. False if it goes
    /// on and does not wait for that: it was begun anew since.
    #[must_use]
    fn deliver(&mut self, scope: CallId, slot: SlotIndex, at: Millis, outcome: Outcome) -> bool {
        let Some(body) = self.bodies.get(&scope) else { return true };
        if !body.deliver(slot, outcome) {
            return false;
        }
        body.scope().set_now(at);
        self.show_progress(scope, at);
        true
    }

    /// The same for an outcome that was just recorded. The run is parked if it cannot be delivered.
    fn deliver_recorded(&mut self, scope: CallId, slot: SlotIndex, at: Millis, outcome: Outcome) {
        if !self.deliver(scope, slot, at, outcome) {
            let found = self.found_instead();
            self.mismatch(format!("the body of {scope} to wait for what was recorded"), found);
        }
    }
}

#[derive(PartialEq, Eq)]
enum Pace {
    Rested,
    Yielded,
}
