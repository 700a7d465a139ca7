//! The state machine of one thread: commands and reports in, effects out.
//!
//! ```text
//!                 handle_command  handle_report  handle_called  handle_timeout  handle_wake ..
//!                       └───────────────┴──────┬────────┴──────────────┴──────────────┘
//!                                              ▼
//!   ThreadMachine ──► Execution ──► bodies (user code, polled in place)
//!        │               │  journal: replayed, then written
//!        ▼               ▼
//!      one Turn: everything that this input changed
//!        │
//!        ▼
//!   poll_effect: Write (one atomic step) · Dispatch, Tell (after it) · LookAgain
//! ```
//!
//! A thread runs one execution at a time. Each command begins a run of it; a run plays the bodies
//! from the top of the journal, and ends when the execution ends, fails, asks people, or does
//! not fit its journal.

mod answers;
mod behind;
mod calls;
mod commands;
mod edits;
mod effect;
mod endings;
mod execution;
mod explain;
mod graph_commands;
mod graph_edits;
mod graphs;
mod index;
mod limits;
mod multitask;
mod question;
mod rollback;
mod steps;
mod turn;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

pub use effect::{
    Activity, Effect, Job, JobOutcome, JournalChange, RunEvents, WaitingChange, Write, WriteNumber,
};

pub use limits::Limits;

use crate::checkpoint::{Checkpoint, Progress};
use crate::event::{EventKind, RunOutcome};
use crate::header::{ThreadHeader, ThreadStatus};
use crate::ids::{CallId, ExecutionId, Millis, PartitionId, RunId, ThreadId};
use crate::journal::{Began, Entry, Fact};
use crate::message::{CallNews, Called, Command, Emitted, OpenCall, OpenCalls, Report, WorkerMail};
use crate::replay::{OnWake, Program};
use crate::settings::RunDurability;
use behind::Behind;
use execution::{Execution, Standing, Surroundings};
use turn::{RunLog, Turn};

/// Questions that the header shows while a run is in progress. It is written each time that one is
/// asked; the others can be answered too.
const ASKING_SHOWN_MAX: usize = 100;

/// Most steps of a graph that one input to the machine leads to before others get their turn.
const STEPS_AT_ONCE: usize = 16;

/// What a machine is made with.
#[derive(Clone)]
pub struct Setup {
    /// The thread.
    pub thread: ThreadId,
    /// Its partition, for orders.
    pub partition: PartitionId,
    /// The code to run.
    pub program: Arc<dyn Program>,
    /// Called when something outside of the engine wakes a body; answer with
    /// [`ThreadMachine::handle_wake`].
    pub on_wake: OnWake,
    /// Limits of the execution.
    pub limits: Limits,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("thread", &self.thread)
            .field("partition", &self.partition)
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

/// What is stored of a thread.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The header.
    pub header: ThreadHeader,
    /// The journal.
    pub journal: Vec<Entry>,
    /// The checkpoint that holds the saved value.
    pub base: Option<Checkpoint>,
    /// Number of the last event of the header's run.
    pub last_event: u64,
    /// Calls of the thread, of whatever execution, whose orders are queued or assigned, or whose
    /// reports stand unread in the inbox.
    pub in_flight: OpenCalls,
    /// Whether there may be more in flight, of which a newer version knows. Then calls without an
    /// outcome count as being in flight, until [`ThreadMachine::handle_lost`] says otherwise.
    pub in_doubt: bool,
    /// The commands that wait for the run in progress, in order.
    pub waiting: Vec<Command>,
}

/// The state machine of one thread.
pub struct ThreadMachine {
    setup: Setup,
    header: Option<ThreadHeader>,
    base: Option<Checkpoint>,
    log: Option<RunLog>,
    /// Commands that wait for the run in progress.
    waiting: VecDeque<Command>,
    /// Whether more may be in flight than is known, of a run that was parked or is to be loaded.
    in_doubt: bool,
    /// When the thread has something to do, as it is written; none after a load.
    activity: Option<Activity>,
    state: State,
    /// What stands in the journal before the execution.
    behind: Behind,
    turn: Turn,
    writes: WriteNumber,
    effects: VecDeque<Effect>,
}

enum State {
    /// No run is in progress. The journal of an execution that can go on is kept, and what is
    /// still queued or running of it: calls that were cancelled, or all if the run was, and those
    /// of code that did not fit the journal.
    Resting { journal: Vec<Entry>, in_flight: OpenCalls },
    /// A run is in progress.
    Running(Box<Execution>),
}

impl State {
    fn at_rest(journal: Vec<Entry>) -> Self {
        Self::Resting { journal, in_flight: OpenCalls::new() }
    }
}

impl ThreadMachine {
    /// A thread that has never run.
    pub fn new(setup: Setup) -> Self {
        Self {
            setup,
            header: None,
            base: None,
            log: None,
            waiting: VecDeque::new(),
            in_doubt: false,
            activity: None,
            state: State::at_rest(Vec::new()),
            behind: Behind::default(),
            turn: Turn::default(),
            writes: 0,
            effects: VecDeque::new(),
        }
    }

    /// A thread as it is stored; a run in progress goes on from its journal.
    pub fn load(setup: Setup, now: Millis, stored: Stored) -> Self {
        let Stored { header, journal, base, last_event, in_flight, in_doubt, waiting } = stored;
        let mut machine = Self::new(setup);
        let (behind, journal) = Behind::split(journal, header.run);
        machine.behind = behind;
        machine.log = Some(RunLog { run: header.run, last_seq: last_event });
        machine.base = base;
        machine.waiting = waiting.into();
        // However else a run ends, it leaves nothing in flight that its execution still needs.
        let may_be_in_flight =
            matches!(header.status, ThreadStatus::Running | ThreadStatus::Parked(_));
        machine.in_doubt = in_doubt && may_be_in_flight;
        let running = match (&header.status, header.execution) {
            (ThreadStatus::Running, Some(execution)) => Some((execution, header.run)),
            _ => None,
        };
        machine.header = Some(header);
        match running {
            Some((execution, run)) => {
                let shown = if shows_nothing(&journal, last_event) { 0 } else { journal.len() };
                machine.run_execution(execution, run, journal, shown, in_flight);
                machine.advance(now);
            }
            None => {
                machine.behind.run_ended();
                machine.state = State::Resting { journal, in_flight };
            }
        }
        machine.finish_turn(now);
        machine
    }

    /// The header as of the last write, or none if the thread has never run.
    pub fn header(&self) -> Option<&ThreadHeader> {
        self.header.as_ref()
    }

    /// Whether a run is in progress.
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// Whether a run is in progress that waits for something in this process, as a future that is
    /// marked as local, or is still being replayed: a machine that is loaded again would not find
    /// it, or would begin anew.
    pub fn is_bound_to_memory(&self) -> bool {
        match &self.state {
            State::Running(execution) => execution.is_bound_to_memory(),
            State::Resting { .. } => false,
        }
    }

    /// Calls with an attempt that is queued or running: what the shell must remember when it
    /// drops the machine to save memory.
    pub fn in_flight(&self) -> OpenCalls {
        match &self.state {
            State::Running(execution) => execution.in_flight(),
            State::Resting { in_flight, .. } => in_flight.clone(),
        }
    }

    /// Whether there may be more in flight, of which a newer version knows: to be remembered with
    /// [`ThreadMachine::in_flight`].
    pub fn is_in_doubt(&self) -> bool {
        match &self.state {
            State::Running(execution) => execution.is_in_doubt(),
            State::Resting { .. } => self.in_doubt,
        }
    }

    /// A client asks for something. The outcome is an event of the command's run.
    pub fn handle_command(&mut self, now: Millis, command: Command) {
        let is_latest = self.header.as_ref().is_some_and(|header| header.run == command.run);
        if is_latest || self.waiting.iter().any(|waiting| waiting.run == command.run) {
            return;
        }
        self.do_command(now, command);
        self.finish_turn(now);
    }

    fn do_command(&mut self, now: Millis, command: Command) {
        let run = command.run;
        if let Err(refusal) = self.try_command(now, command) {
            let mut log = RunLog::new(run);
            let outcome = RunOutcome::Refused(refusal);
            self.turn.event(&mut log, now, EventKind::RunEnded(outcome));
        }
    }

    /// A worker reports the end of an attempt. Reports of executions that are over are dropped.
    pub fn handle_report(&mut self, now: Millis, report: Report) {
        match &mut self.state {
            State::Running(execution) if execution.id() == report.target.execution => {
                execution.handle_report(report);
                self.advance(now);
            }
            State::Running(execution) => execution.forget_in_flight(report.target.open_call()),
            State::Resting { journal, in_flight } => {
                in_flight.remove(&report.target.open_call());
                let is_parked = self.header.as_ref().is_some_and(|header| {
                    matches!(header.status, ThreadStatus::Parked(_) | ThreadStatus::Cancelled)
                        && header.execution == Some(report.target.execution)
                });
                if is_parked && report.outcome.is_lasting() {
                    let entry = Entry { at: now, fact: Fact::Held(report) };
                    journal.push(entry.clone());
                    self.turn.append(entry);
                }
            }
        }
        self.finish_turn(now);
    }

    /// An attempt that was in flight is lost: neither is its order queued or with a worker, nor
    /// does its report stand in the inbox. Another one is ordered, if the call still needs it.
    /// Nothing changes if the attempt is no longer the one in flight. Says whether it was.
    pub fn handle_lost(&mut self, now: Millis, open: OpenCall, attempt: u32) -> bool {
        let was_in_flight = match &mut self.state {
            State::Running(execution) => execution.handle_lost(now, open, attempt, &mut self.turn),
            State::Resting { in_flight, .. } => forget(in_flight, open, attempt),
        };
        if was_in_flight {
            self.advance(now);
        }
        self.finish_turn(now);
        was_in_flight
    }

    /// Workers came that may know tasks which others did not know.
    pub fn handle_new_workers(&mut self, now: Millis) {
        if let State::Running(execution) = &mut self.state {
            execution.offer_unknown_tasks(&mut self.turn);
        }
        self.advance(now);
        self.finish_turn(now);
    }

    /// A task body made calls.
    pub fn handle_called(&mut self, now: Millis, called: Called) {
        if let (State::Running(execution), Some(log)) = (&mut self.state, &mut self.log)
            && execution.id() == called.target.execution
        {
            execution.handle_called(now, called, &mut self.turn, log);
            self.replay_if_outdated();
            self.advance(now);
        } else if self.header.as_ref().and_then(|it| it.execution) != Some(called.target.execution)
        {
            // Nobody will ever answer what belongs to an execution that is over.
            let Called { target, worker, .. } = called;
            let (call, news) = (target.call, CallNews::Cancelled);
            self.turn.tell(worker, WorkerMail { target, call, news });
        }
        self.finish_turn(now);
    }

    /// A task body wrote to the custom stream.
    pub fn handle_emitted(&mut self, now: Millis, emitted: Emitted) {
        if let (State::Running(execution), Some(log)) = (&mut self.state, &mut self.log)
            && execution.id() == emitted.target.execution
        {
            execution.handle_emitted(now, emitted, &mut self.turn, log);
            if execution.has_exceeded() {
                self.advance(now);
            }
        }
        self.finish_turn(now);
    }

    /// What came of [`Effect::Perform`]. What nobody waits for is dropped.
    pub fn handle_done(&mut self, now: Millis, call: CallId, outcome: JobOutcome) {
        if let State::Running(execution) = &mut self.state {
            execution.handle_done(call, outcome);
            self.advance(now);
        }
        self.finish_turn(now);
    }

    /// Something outside of the engine woke a body, or [`Effect::LookAgain`] was performed.
    pub fn handle_wake(&mut self, now: Millis) {
        self.advance(now);
        self.finish_turn(now);
    }

    /// The time of [`ThreadMachine::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Millis) {
        if let State::Running(execution) = &mut self.state {
            execution.handle_timeout(now, &mut self.turn);
        }
        self.advance(now);
        self.finish_turn(now);
    }

    /// The next effect to perform.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`ThreadMachine::handle_timeout`] must be called, unless something else comes first.
    pub fn poll_timeout(&self) -> Option<Millis> {
        match &self.state {
            State::Running(execution) => execution.next_due(),
            State::Resting { .. } => None,
        }
    }

    fn finish_turn(&mut self, now: Millis) {
        self.begin_waiting(now);
        self.show_activity();
        self.turn.finish(&mut self.writes, &mut self.effects);
    }

    // --- runs --------------------------------------------------------------------------------

    fn take_rest(&mut self) -> (Vec<Entry>, OpenCalls) {
        match &mut self.state {
            State::Resting { journal, in_flight } => {
                (std::mem::take(journal), std::mem::take(in_flight))
            }
            State::Running(_) => Default::default(),
        }
    }

    pub(super) fn begin_run(
        &mut self,
        now: Millis,
        run: RunId,
        journal: Vec<Entry>,
        in_flight: OpenCalls,
        continues: bool,
    ) {
        let Some(header) = &mut self.header else { return };
        let Some(execution) = header.execution else { return };
        header.status = ThreadStatus::Running;
        header.run = run;
        header.updated_at = now;
        let started = EventKind::RunStarted {
            entrypoint: header.entrypoint.clone(),
            root: match journal.first() {
                Some(Entry { fact: Fact::Began(began), .. }) => began.root,
                _ => CallId::root(execution),
            },
            checkpoint: header.head,
            is_exit: index::is_exit(&journal),
            continues,
            before: match self.setup.program.is_graph(&header.entrypoint) {
                true => index::step_progress(&journal).into_shown(),
                false => index::standing_progress(&journal).into_shown(),
            },
            unkept: match journal.first() {
                Some(Entry { at, fact: Fact::Began(began) })
                    if began.run == run
                        && !began.is_changed
                        && began.settings.durability == RunDurability::Exit =>
                {
                    let checkpoint = Self::first_checkpoint(began, *at, Progress::default());
                    Some(Box::new(checkpoint))
                }
                _ => None,
            },
        };
        self.turn.set_header(header.clone());
        self.turn.set_activity(Activity::Due(Millis::default()));
        self.activity = Some(Activity::Due(Millis::default()));
        let mut log = RunLog::new(run);
        self.turn.event(&mut log, now, started);
        self.log = Some(log);
        self.run_execution(execution, run, journal, 0, in_flight);
        self.advance(now);
    }

    fn run_execution(
        &mut self,
        execution: ExecutionId,
        run: RunId,
        journal: Vec<Entry>,
        shown: usize,
        in_flight: OpenCalls,
    ) {
        let around = Surroundings {
            thread: self.setup.thread.clone(),
            key: self.setup.thread.key(),
            partition: self.setup.partition,
            program: Arc::clone(&self.setup.program),
            on_wake: Arc::clone(&self.setup.on_wake),
            limits: self.setup.limits,
        };
        let in_doubt = std::mem::take(&mut self.in_doubt);
        let execution = Execution::new(around, execution, run, journal, shown, in_flight, in_doubt);
        self.state = State::Running(Box::new(execution));
    }

    /// Goes on as far as possible. A graph makes a few steps at a time at most.
    fn advance(&mut self, now: Millis) {
        for _ in 0..STEPS_AT_ONCE {
            if !self.advance_in_step(now) {
                return;
            }
        }
        self.turn.look_again();
    }

    /// Goes on within the step in progress; says whether it was made and the next one is to begin.
    fn advance_in_step(&mut self, now: Millis) -> bool {
        let (State::Running(execution), Some(log)) = (&mut self.state, &mut self.log) else {
            return false;
        };
        match execution.advance(now, &mut self.turn, log) {
            Standing::Working => self.show_questions(now),
            Standing::LookAgain => self.turn.look_again(),
            Standing::Asking(open) => {
                let progress = Progress { interrupts: open.clone(), ..Progress::default() };
                let status = ThreadStatus::Interrupted(open.clone());
                self.stop(now, status, progress, RunOutcome::Interrupted(open));
            }
            Standing::Paused => self.pause(now),
            Standing::Mismatched(mismatch) => self.park(now, mismatch),
            Standing::Exceeded(failure) => self.exceed(now, failure),
            Standing::Ended(Ok(ending)) if ending.goes_on() => return self.make_step(now, ending),
            Standing::Ended(Ok(ending)) => self.complete(now, ending),
            Standing::Ended(Err(failure)) => {
                let progress = Progress { failure: Some(failure.clone()), ..Progress::default() };
                let status = ThreadStatus::Failed(failure.clone());
                self.stop(now, status, progress, RunOutcome::Failed(failure));
            }
        }
        false
    }

    /// Plays the execution from the top, as after a load.
    fn replay_if_outdated(&mut self) {
        let is_outdated = matches!(&self.state, State::Running(it) if it.is_outdated());
        let (in_flight, in_doubt) = (self.in_flight(), self.is_in_doubt());
        match std::mem::replace(&mut self.state, State::at_rest(Vec::new())) {
            State::Running(execution) if is_outdated => {
                self.in_doubt = in_doubt;
                let (id, run) = (execution.id(), execution.run());
                let journal = execution.into_journal();
                let shown = journal.len();
                self.run_execution(id, run, journal, shown, in_flight);
            }
            other => self.state = other,
        }
    }

    /// Keeps in the header what the run in progress asks while something else in it goes on.
    fn show_questions(&mut self, now: Millis) {
        let (State::Running(execution), Some(header)) = (&mut self.state, &mut self.header) else {
            return;
        };
        let Some(mut asking) = execution.changed_questions_to_answer() else { return };
        asking.truncate(ASKING_SHOWN_MAX);
        if header.asking != asking {
            header.asking = asking;
            header.updated_at = now;
            self.turn.set_header(header.clone());
        }
    }

    /// The checkpoint that the execution started from, with what came of it.
    pub(super) fn checkpoint_of(
        &self,
        began: &Began,
        at: Millis,
        progress: Progress,
    ) -> Checkpoint {
        match &self.base {
            // An earlier run may have made it, and a command have changed what it holds.
            Some(base) if began.goes_on && base.id == began.checkpoint => Checkpoint {
                values: began.values.clone(),
                saved: began.previous.clone(),
                input: Some(began.input.clone()),
                goes_on: true,
                tasks: began.tasks.clone(),
                progress,
                ..base.clone()
            },
            _ => Self::first_checkpoint(began, at, progress),
        }
    }

    /// The checkpoint that an execution makes at its beginning.
    pub(super) fn first_checkpoint(began: &Began, at: Millis, progress: Progress) -> Checkpoint {
        Checkpoint {
            id: began.checkpoint,
            parent: began.parent,
            created_at: at,
            source: began.source,
            step: began.step,
            run: began.run,
            entrypoint: began.entrypoint.clone(),
            values: began.values.clone(),
            saved: began.previous.clone(),
            input: Some(began.input.clone()),
            goes_on: began.goes_on,
            tasks: began.tasks.clone(),
            progress,
            metadata: began.settings.config.scalars(),
            children: began.children.clone(),
        }
    }
}

/// Whether nothing was shown yet of a step that has begun: its run made as many steps at a time as
/// it may, and was then lost.
fn shows_nothing(journal: &[Entry], last_event: u64) -> bool {
    match journal {
        [Entry { fact: Fact::Began(began), .. }] => began.goes_on && began.events == last_event,
        _ => false,
    }
}

/// Forgets an attempt in flight; says whether it was the one that is known.
fn forget(in_flight: &mut OpenCalls, open: OpenCall, attempt: u32) -> bool {
    let is_known = in_flight.get(&open) == Some(&attempt);
    if is_known {
        in_flight.remove(&open);
    }
    is_known
}

impl fmt::Debug for ThreadMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadMachine")
            .field("thread", &self.setup.thread)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}
