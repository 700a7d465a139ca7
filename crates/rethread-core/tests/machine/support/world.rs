use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use rethread_core::checkpoint::Checkpoint;
use rethread_core::dead_letter::DeadLetter;
use rethread_core::event::{Event, EventKind, RunOutcome};
use rethread_core::graph::StepCount;
use rethread_core::header::{ThreadHeader, ThreadStatus};
use rethread_core::ids::{
    CallId, CheckpointId, ExecutionId, Millis, PartitionId, RunId, ThreadId, WorkerId,
};
use rethread_core::journal::{Entry, Fact};
use rethread_core::message::{
    Action, Answers, AttemptOutcome, CallNews, Called, Command, InboxMessage, Multitask,
    NestedCall, OpenCalls, Report, TaskOrder, WorkerMail,
};
use rethread_core::payload::Payload;
use rethread_core::record::Record;
use rethread_core::replay::{Ask, CallRequest, Outcome, Program, Scope, ScopeInfo, SlotIndex};
use rethread_core::settings::RunSettings;
use rethread_core::store::{Item, Namespace, StoreReply, StoreRequest};
use rethread_core::thread::{
    Activity, Effect, Job, JobOutcome, Limits, Setup, Stored, ThreadMachine, WaitingChange, Write,
};
use uuid::Uuid;

use super::payload;
use super::rng::Rng;

type TaskBody = Box<dyn Fn(&TaskOrder) -> AttemptOutcome>;
type AsyncBody = Box<dyn Fn(Payload) -> BoxFuture<'static, Outcome>>;

/// A task body that waits for calls it made.
struct Waiting {
    order: TaskOrder,
    scope: Arc<Scope>,
    body: BoxFuture<'static, Outcome>,
    calls: BTreeMap<CallId, (SlotIndex, CallRequest)>,
    suspended: BTreeSet<CallId>,
}

/// What is durable.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) header: Option<ThreadHeader>,
    pub(crate) journal: Vec<Entry>,
    pub(crate) checkpoints: BTreeMap<CheckpointId, Checkpoint>,
    pub(crate) base: Option<CheckpointId>,
    pub(crate) events: BTreeMap<RunId, Vec<Event>>,
    pub(crate) activity: Option<Activity>,
    pub(crate) queue: Vec<TaskOrder>,
    pub(crate) inbox: VecDeque<InboxMessage>,
    pub(crate) waiting: VecDeque<Command>,
    pub(crate) dead_letters: Vec<DeadLetter>,
}

/// One thread, its storage and its workers.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) now: Millis,
    pub(crate) machine: Option<ThreadMachine>,
    pub(crate) program: Arc<dyn Program>,
    tasks: BTreeMap<String, TaskBody>,
    async_tasks: BTreeMap<String, AsyncBody>,
    waiting: BTreeMap<CallId, Waiting>,
    runs: u128,
    /// Starts of task bodies: name, input, attempt.
    pub(crate) ledger: Vec<(String, CallId, u32)>,
    /// Effects performed so far.
    pub(crate) effects: usize,
    /// After this many effects the machine is lost.
    pub(crate) crash_after: Option<usize>,
    pub(crate) limits: Limits,
    /// Whether a machine that is loaded is told that more may be in flight.
    pub(crate) in_doubt: bool,
    /// How often the orders of an execution were taken back.
    pub(crate) withdrawn: usize,
    /// What an evicted machine had in flight, for the next one.
    left: Option<OpenCalls>,
    pub(crate) crashes: usize,
    /// How the next command is given.
    pub(crate) asking: Asking,
    /// Whether children without a history may run what is recorded of an earlier run.
    pub(crate) runs_recorded_again: bool,
    /// Jobs that the machine asked for and that are not done.
    jobs: Vec<(CallId, Job)>,
    pub(crate) jobs_done: usize,
    pub(crate) cache: BTreeMap<(String, Bytes), Payload>,
    pub(crate) items: BTreeMap<(Namespace, String), Payload>,
    /// Attempts that workers were told to give up.
    pub(crate) cancels: Vec<CallId>,
}

/// How a command is given.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    pub(crate) settings: RunSettings,
    pub(crate) at: Option<Box<Checkpoint>>,
    pub(crate) is_lenient: bool,
    pub(crate) multitask: Multitask,
}

impl World {
    pub(crate) fn new(program: impl Program + 'static) -> Self {
        Self {
            store: Store::default(),
            now: Millis(1_000_000),
            machine: None,
            program: Arc::new(program),
            tasks: BTreeMap::new(),
            async_tasks: BTreeMap::new(),
            waiting: BTreeMap::new(),
            runs: 0,
            ledger: Vec::new(),
            effects: 0,
            crash_after: None,
            limits: Limits::default(),
            in_doubt: false,
            left: None,
            withdrawn: 0,
            crashes: 0,
            asking: Asking::default(),
            runs_recorded_again: false,
            jobs: Vec::new(),
            jobs_done: 0,
            cache: BTreeMap::new(),
            items: BTreeMap::new(),
            cancels: Vec::new(),
        }
    }

    /// Registers what a task does.
    pub(crate) fn task(
        &mut self,
        name: &str,
        body: impl Fn(&TaskOrder) -> AttemptOutcome + 'static,
    ) -> &mut Self {
        self.tasks.insert(name.into(), Box::new(body));
        self
    }

    /// Registers a task whose body may make calls of its own.
    pub(crate) fn async_task<F>(&mut self, name: &str, body: impl Fn(Payload) -> F + 'static)
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.async_tasks.insert(name.into(), Box::new(move |input| body(input).boxed()));
    }

    pub(crate) fn thread() -> ThreadId {
        ThreadId::new("t").expect("valid")
    }

    pub(crate) fn submit(&mut self, action: Action) -> RunId {
        self.runs += 1;
        let run = RunId::from_uuid(Uuid::from_u128(self.runs));
        let thread = Self::thread();
        let Asking { settings, at, is_lenient, multitask } = std::mem::take(&mut self.asking);
        let settings = Box::new(settings);
        let command = Command { thread, run, settings, at, is_lenient, multitask, action };
        self.store.inbox.push_back(InboxMessage::Command(command));
        run
    }

    pub(crate) fn start(&mut self, input: impl serde::Serialize) -> RunId {
        self.submit(Action::Start { entrypoint: "main".into(), input: payload(input) })
    }

    pub(crate) fn answer(&mut self, answer: impl serde::Serialize) -> RunId {
        self.submit(Action::Resume(Answers::Only(payload(answer))))
    }

    fn setup(&self) -> Setup {
        Setup {
            thread: Self::thread(),
            partition: PartitionId(0),
            program: Arc::clone(&self.program),
            on_wake: Arc::new(|| {}),
            limits: self.limits,
        }
    }

    /// Loads the machine from what is stored, as a new owner does.
    pub(crate) fn load(&mut self) {
        self.make_machine();
        self.perform(None);
    }

    /// The same, with nothing done yet of what it asks for.
    pub(crate) fn make_machine(&mut self) {
        let Some(header) = self.store.header.clone() else {
            self.machine = Some(ThreadMachine::new(self.setup()));
            return;
        };
        let reported = self.store.inbox.iter().filter_map(|message| match message {
            InboxMessage::Report(report) => Some(&report.target),
            _ => None,
        });
        let queued = self.store.queue.iter().map(|order| &order.target);
        let mut in_flight = OpenCalls::new();
        for target in queued.chain(reported) {
            let newest = in_flight.entry(target.open_call()).or_default();
            *newest = target.attempt.max(*newest);
        }
        let in_flight = self.left.take().unwrap_or(in_flight);
        // Records travel through their stored form.
        let journal = self.store.journal.iter().map(|entry| {
            Entry::from_record(&entry.to_record()).expect("a journal entry survives storage")
        });
        let stored = Stored {
            waiting: self.store.waiting.iter().cloned().collect(),
            last_event: self.store.events.get(&header.run).map_or(0, |log| log.len() as u64),
            journal: journal.collect(),
            base: self.store.base.map(|id| self.store.checkpoints[&id].clone()),
            in_flight,
            in_doubt: self.in_doubt,
            header,
        };
        self.machine = Some(ThreadMachine::load(self.setup(), self.now, stored));
    }

    /// Something outside of the engine wakes a body.
    pub(crate) fn wake(&mut self) {
        if let Some(machine) = &mut self.machine {
            machine.handle_wake(self.now);
        }
        self.perform(None);
    }

    /// The machine gives up its memory; the next one is told what it leaves.
    pub(crate) fn evict(&mut self) {
        let Some(machine) = self.machine.take() else { return };
        assert!(!machine.is_bound_to_memory(), "it stays in memory");
        (self.left, self.in_doubt) = (Some(machine.in_flight()), machine.is_in_doubt());
    }

    /// Loses the machine and everything it has not written.
    pub(crate) fn crash(&mut self) {
        self.left = None;
        self.machine = None;
        self.jobs.clear();
        self.crashes += 1;
    }

    fn write(&mut self, write: Write) {
        let store = &mut self.store;
        if write.delete {
            let (inbox, queue) =
                (std::mem::take(&mut store.inbox), std::mem::take(&mut store.queue));
            let events = std::mem::take(&mut store.events);
            *store = Store { inbox, queue, events, ..Store::default() };
        }
        for checkpoint in write.drop_checkpoints {
            store.checkpoints.remove(&checkpoint);
        }
        if let Some(header) = write.header {
            store.header = Some(header);
        }
        if write.journal.drop_all {
            store.journal.clear();
        }
        store.journal.extend(write.journal.append);
        for checkpoint in write.checkpoints {
            store.checkpoints.insert(checkpoint.id, checkpoint);
        }
        for change in write.waiting {
            match change {
                WaitingChange::Append(command) => store.waiting.push_back(*command),
                WaitingChange::DropFirst(count) => drop(store.waiting.drain(..count)),
                WaitingChange::Remove(place) => {
                    assert!(store.waiting.remove(place).is_some(), "it waits");
                }
            }
        }
        store.base = write.base.or(store.base);
        store.activity = write.activity.or(store.activity);
        for events in write.events {
            let log = store.events.entry(events.run).or_default();
            for event in events.events {
                assert_eq!(event.seq, log.len() as u64 + 1, "events are gapless");
                log.push(event);
            }
        }
    }

    /// Performs effects; true if the machine was lost on the way. A message is consumed with
    /// the first write that it leads to.
    fn perform(&mut self, mut message: Option<()>) -> bool {
        while let Some(effect) = self.machine.as_mut().and_then(ThreadMachine::poll_effect) {
            match effect {
                Effect::Write(write) => {
                    if message.take().is_some() {
                        self.store.inbox.pop_front();
                    }
                    self.write(*write);
                }
                Effect::Dispatch { order, .. } => {
                    let twice = |queued: &&TaskOrder| queued.target.call == order.target.call;
                    assert!(self.store.queue.iter().find(twice).is_none(), "queued twice");
                    self.store.queue.push(*order);
                }
                Effect::Withdraw { execution, .. } => self.withdraw(execution),
                Effect::Bury { letter, .. } => self.store.dead_letters.push(*letter),
                Effect::Tell { mail, .. } => self.take_mail(*mail),
                Effect::CancelAttempt { mail, .. } => self.cancel(mail.target.call),
                Effect::Perform { call, job, .. } => self.jobs.push((call, *job)),
                Effect::LookAgain => {
                    if let Some(machine) = &mut self.machine {
                        machine.handle_wake(self.now);
                    }
                }
            }
            self.effects += 1;
            if self.crash_after == Some(self.effects) {
                self.crash();
                return true;
            }
        }
        if message.is_some() {
            self.store.inbox.pop_front();
        }
        false
    }

    /// Takes the orders of an execution back, those of running bodies too.
    fn withdraw(&mut self, execution: ExecutionId) {
        self.withdrawn += 1;
        self.store.queue.retain(|order| order.target.execution != execution);
        self.waiting.retain(|_, waiting| waiting.order.target.execution != execution);
    }

    /// A worker is told that an attempt is cancelled.
    fn cancel(&mut self, call: CallId) {
        self.cancels.push(call);
        self.waiting.remove(&call);
        if let Some(at) = self.store.queue.iter().position(|order| order.target.call == call) {
            let target = self.store.queue.remove(at).target;
            let report = Report { target, worker: worker(), outcome: AttemptOutcome::Cancelled };
            self.store.inbox.push_back(InboxMessage::Report(report));
        }
    }

    /// Does one of the jobs that the machine asked for.
    pub(crate) fn do_job(&mut self, place: usize) {
        let (call, job) = self.jobs.remove(place);
        self.jobs_done += 1;
        let outcome = match job {
            Job::LookUpCache(slot) => {
                JobOutcome::LookedUp(self.cache.get(&(slot.group, slot.entry)).cloned())
            }
            Job::FillCache(slot, value) => {
                self.cache.insert((slot.group, slot.entry), value);
                JobOutcome::Filled
            }
            Job::Store(request) => JobOutcome::Store(Ok(self.ask_store(request))),
        };
        if let Some(machine) = &mut self.machine {
            machine.handle_done(self.now, call, outcome);
        }
        self.perform(None);
    }

    fn ask_store(&mut self, request: StoreRequest) -> StoreReply {
        match request {
            StoreRequest::Put { namespace, key, value, .. } => {
                self.items.insert((namespace, key), value);
                StoreReply::Done
            }
            StoreRequest::Get { namespace, key, .. } => {
                let value = self.items.get(&(namespace.clone(), key.clone())).cloned();
                let (created_at, updated_at) = (self.now, self.now);
                StoreReply::Item(value.map(|value| {
                    Box::new(Item { namespace, key, value, created_at, updated_at, score: None })
                }))
            }
            other => panic!("the world does not do {other:?}"),
        }
    }

    /// Handles the oldest message of the inbox.
    pub(crate) fn handle_message(&mut self) {
        let Some(message) = self.store.inbox.front().cloned() else { return };
        if self.machine.is_none() {
            self.load();
        }
        let Some(machine) = &mut self.machine else { return };
        self.now = self.now.plus(1);
        match message {
            InboxMessage::Command(command) => machine.handle_command(self.now, command),
            InboxMessage::Report(report) => machine.handle_report(self.now, report),
            InboxMessage::Emitted(emitted) => machine.handle_emitted(self.now, emitted),
            InboxMessage::Called(called) => machine.handle_called(self.now, called),
            InboxMessage::Unreadable(_) => {}
        }
        self.perform(Some(()));
    }

    /// Runs one queued order to its end.
    pub(crate) fn run_order(&mut self, place: usize) {
        let order = self.store.queue.remove(place);
        let call = order.target.call;
        let is_recorded = |entry: &Entry| match &entry.fact {
            Fact::Completed { delivery, .. } => delivery.call == call,
            _ => false,
        };
        assert!(
            self.runs_recorded_again || !self.store.journal.iter().any(is_recorded),
            "the body of {} starts although its result is recorded",
            order.name
        );
        self.ledger.push((order.name.clone(), call, order.target.attempt));
        if let Some(body) = self.async_tasks.get(&order.name) {
            let scope = Scope::ungated(ScopeInfo {
                scope: call,
                is_root: false,
                thread: order.thread.clone(),
                run: order.run,
                execution: order.target.execution,
                name: order.name.clone(),
                attempt: order.try_number,
                calls: call,
                previous: None,
                goes_on: false,
                carried: None,
                steps: StepCount::default(),
                breakpoints: Arc::default(),
                answers: order.answers.clone(),
                config: order.config.clone(),
                context: order.context.clone(),
                progress: None,
                provided: None,
            });
            let body = body(order.input.clone());
            let (calls, suspended) = (BTreeMap::new(), BTreeSet::new());
            self.store.queue.push(order.clone());
            self.waiting.insert(call, Waiting { order, scope, body, calls, suspended });
            self.poll_waiting(call);
            return;
        }
        let outcome = match self.tasks.get(&order.name) {
            Some(body) => body(&order),
            None => AttemptOutcome::Completed(order.input.clone()),
        };
        let report = Report { target: order.target, worker: worker(), outcome };
        self.store.inbox.push_back(InboxMessage::Report(report));
    }

    fn poll_waiting(&mut self, call: CallId) {
        let Some(waiting) = self.waiting.get_mut(&call) else { return };
        let mut context = Context::from_waker(Waker::noop());
        let polled = waiting.scope.enter(|| waiting.body.as_mut().poll(&mut context));
        if let Poll::Ready(outcome) = polled {
            return self.report(
                call,
                match outcome {
                    Ok(value) => AttemptOutcome::Completed(value),
                    Err(failure) => AttemptOutcome::failed(failure),
                },
            );
        }
        let (mut calls, mut cancelled) = (Vec::new(), Vec::new());
        for ask in waiting.scope.take_asks() {
            match ask {
                Ask::Call { slot, id, request } => {
                    waiting.calls.insert(id, (slot, request.clone()));
                    calls.push(NestedCall { call: id, request });
                }
                Ask::Interrupt { index, value, .. } => {
                    return self.report(call, AttemptOutcome::Asked { index, value });
                }
                Ask::Cancel(call) => cancelled.push(call),
                Ask::Emit(_) | Ask::Withdraw(_) | Ask::Heartbeat(_) => {}
            }
        }
        if !calls.is_empty() || !cancelled.is_empty() {
            let (target, worker) = (waiting.order.target.clone(), worker());
            self.store.inbox.push_back(InboxMessage::Called(Called {
                target,
                worker,
                calls,
                cancelled,
            }));
        }
    }

    fn report(&mut self, call: CallId, outcome: AttemptOutcome) {
        let Some(waiting) = self.waiting.remove(&call) else { return };
        self.store.queue.retain(|order| order.target.call != call);
        let report = Report { target: waiting.order.target, worker: worker(), outcome };
        self.store.inbox.push_back(InboxMessage::Report(report));
    }

    fn take_mail(&mut self, mail: WorkerMail) {
        let caller = mail.target.call;
        let Some(waiting) = self.waiting.get_mut(&caller) else { return };
        if mail.news == CallNews::Cancelled {
            if waiting.order.target.attempt <= mail.target.attempt {
                self.report(caller, AttemptOutcome::Cancelled);
            }
            return;
        }
        let Some((slot, _)) = waiting.calls.get(&mail.call) else { return };
        let slot = *slot;
        match mail.news {
            CallNews::Ended(outcome) => {
                waiting.calls.remove(&mail.call);
                waiting.scope.deliver(slot, outcome);
                self.poll_waiting(caller);
            }
            CallNews::Suspended => {
                waiting.suspended.insert(mail.call);
                if waiting.calls.keys().all(|call| waiting.suspended.contains(call)) {
                    self.report(caller, AttemptOutcome::Suspended);
                }
            }
            _ => {}
        }
    }

    /// Workers ask again how the calls of their bodies ended, in case they were not told.
    fn ask_again(&mut self) {
        for waiting in self.waiting.values() {
            let open = waiting.calls.iter();
            let calls = open
                .map(|(call, (_, request))| NestedCall { call: *call, request: request.clone() })
                .collect();
            let (target, worker) = (waiting.order.target.clone(), worker());
            let cancelled = Vec::new();
            self.store.inbox.push_back(InboxMessage::Called(Called {
                target,
                worker,
                calls,
                cancelled,
            }));
        }
    }

    /// All workers die; their orders are given to others, as a further attempt.
    pub(crate) fn kill_workers(&mut self) {
        for (call, _) in std::mem::take(&mut self.waiting) {
            for order in self.store.queue.iter_mut().filter(|order| order.target.call == call) {
                order.target.attempt += 1;
            }
        }
    }

    /// Loses an order, and the body that runs it.
    pub(crate) fn lose_order(&mut self, place: usize) {
        let order = self.store.queue.remove(place);
        self.waiting.remove(&order.target.call);
    }

    /// Loses an order or a report, if there is one.
    pub(crate) fn lose_something(&mut self, rng: &mut Rng) {
        let is_report = |message: &InboxMessage| matches!(message, InboxMessage::Report(_));
        if let Some(place) = self.store.inbox.iter().position(is_report)
            && rng.below(2) == 0
        {
            self.store.inbox.remove(place);
        } else if !self.store.queue.is_empty() {
            self.lose_order(rng.below(self.store.queue.len()));
        }
    }

    /// The attempts that the machine has in flight.
    pub(crate) fn in_flight(&self) -> OpenCalls {
        self.machine.as_ref().map(ThreadMachine::in_flight).unwrap_or_default()
    }

    /// Tells the machine that attempts are lost; says how many of them it had in flight.
    pub(crate) fn say_lost(&mut self, lost: &OpenCalls) -> usize {
        let mut count = 0;
        for (open, attempt) in lost {
            let Some(machine) = &mut self.machine else { return count };
            count += usize::from(machine.handle_lost(self.now, *open, *attempt));
            self.perform(None);
        }
        count
    }

    /// Looks for what is lost, as the shell does, and tells the machine.
    pub(crate) fn find_lost(&mut self) -> usize {
        let mut lost = self.in_flight();
        let reported = self.store.inbox.iter().filter_map(|message| match message {
            InboxMessage::Report(report) => Some(report.target.open_call()),
            _ => None,
        });
        let queued = self.store.queue.iter().map(|order| order.target.open_call());
        for open in reported.chain(queued) {
            lost.remove(&open);
        }
        self.say_lost(&lost)
    }

    /// Tells the machine that workers came.
    pub(crate) fn new_workers(&mut self) {
        let Some(machine) = &mut self.machine else { return };
        machine.handle_new_workers(self.now);
        self.perform(None);
    }

    /// Orders that no worker has.
    fn idle_orders(&self) -> Vec<usize> {
        let idle = |order: &TaskOrder| !self.waiting.contains_key(&order.target.call);
        let orders = self.store.queue.iter().enumerate();
        orders.filter(|(_, order)| idle(order)).map(|(place, _)| place).collect()
    }

    /// Lets the time come that the machine waits for, if it waits for one.
    pub(crate) fn pass_time(&mut self) -> bool {
        let Some(machine) = &mut self.machine else { return false };
        let Some(due) = machine.poll_timeout() else { return false };
        self.now = self.now.max(due);
        machine.handle_timeout(self.now);
        self.perform(None);
        true
    }

    /// Goes on until nothing is left to do; `rng` chooses what comes first.
    pub(crate) fn settle(&mut self, rng: &mut Rng, crash_one_in: Option<usize>) {
        for _ in 0..100_000 {
            if crash_one_in.is_some_and(|n| rng.below(n) == 0) {
                self.crash();
            } else if !self.step(rng) {
                return;
            }
        }
        let waiting: Vec<_> = self.waiting.values().map(|waiting| &waiting.order.name).collect();
        let inbox: Vec<_> = self.store.inbox.iter().take(5).collect();
        let queue: Vec<_> = self.store.queue.iter().map(|order| &order.name).collect();
        panic!(
            "the world does not come to rest: {:?}, waiting {waiting:?}, inbox {inbox:#?}, queue {queue:?}",
            self.status()
        );
    }

    /// Goes on for a number of steps.
    pub(crate) fn steps(&mut self, steps: usize, rng: &mut Rng) {
        for _ in 0..steps {
            self.step(rng);
        }
    }

    /// Whether messages or orders are left.
    pub(crate) fn has_work(&self) -> bool {
        !self.store.inbox.is_empty() || !self.idle_orders().is_empty()
    }

    /// One thing that happens, but no time passes.
    pub(crate) fn work(&mut self, rng: &mut Rng) {
        let orders = self.idle_orders();
        if self.machine.is_none() && self.store.activity == Some(Activity::Due(Millis(0))) {
            self.load();
        } else if !orders.is_empty() && rng.below(2) == 0 {
            self.run_order(orders[rng.below(orders.len())]);
        } else if !self.store.inbox.is_empty() {
            self.handle_message();
        }
    }

    /// One thing that happens; false if nothing is left to do.
    fn step(&mut self, rng: &mut Rng) -> bool {
        if self.machine.is_none() && self.store.activity != Some(Activity::Parked) {
            self.load();
        }
        if self.machine.is_some() && !self.jobs.is_empty() && rng.below(2) == 0 {
            self.do_job(rng.below(self.jobs.len()));
            return true;
        }
        let orders = self.idle_orders();
        let (inbox, queue) = (self.store.inbox.len(), orders.len());
        match rng.below(2) {
            0 if inbox > 0 => self.handle_message(),
            _ if queue > 0 => self.run_order(orders[rng.below(queue)]),
            _ if inbox > 0 => self.handle_message(),
            _ if self.machine.is_some() && !self.jobs.is_empty() => self.do_job(0),
            _ if self.machine.is_none() => return self.store.activity != Some(Activity::Parked),
            _ if self.pass_time() => {}
            _ if !self.waiting.is_empty() => self.ask_again(),
            _ => return false,
        }
        true
    }

    pub(crate) fn status(&self) -> Option<&ThreadStatus> {
        self.store.header.as_ref().map(|header| &header.status)
    }

    /// How a run ended.
    pub(crate) fn outcome(&self, run: RunId) -> &RunOutcome {
        let log = self.store.events.get(&run).expect("the run has events");
        match &log.last().expect("the log is not empty").kind {
            EventKind::RunEnded(outcome) => outcome,
            other => panic!("run {run} has not ended: {other:?}"),
        }
    }

    /// Texts that bodies wrote to the custom stream of a run.
    pub(crate) fn custom(&self, run: RunId) -> Vec<String> {
        let log = self.store.events.get(&run).map(Vec::as_slice).unwrap_or_default();
        log.iter()
            .filter_map(|event| match &event.kind {
                EventKind::Custom { value, .. } => Some(super::value(value)),
                _ => None,
            })
            .collect()
    }

    /// How often bodies of a task started.
    pub(crate) fn starts(&self, name: &str) -> usize {
        self.ledger.iter().filter(|(task, ..)| task == name).count()
    }
}

pub(crate) fn worker() -> WorkerId {
    WorkerId::new("w").expect("valid")
}
