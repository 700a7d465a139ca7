use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use serde::{Deserialize, Serialize};

use crate::canonical::canonical;
use crate::failure::Failure;
use crate::graph::{Breakpoints, Node, StepCount, View, Viewer};
use crate::ids::{CallId, CallKind, ExecutionId, InterruptId, Millis, RunId, ThreadId};
use crate::message::Emission;
use crate::payload::Payload;
use crate::policy::TaskOptions;
use crate::replay::Provided;
use crate::settings::RunConfig;
use crate::store::StoreRequest;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Scope>>> = const { RefCell::new(None) };
}

/// What one running body can see and ask for: an entrypoint body in its coordinator, or one
/// attempt of a task on its worker.
///
/// The scope gives every call its identity, holds the outcomes until the body takes them, and
/// collects what the body asks for. It performs nothing: whoever polls the body takes the
/// requests out and delivers outcomes.
///
/// In a *gated* scope one outcome at a time turns ready in each poll of the body, the earliest
/// delivered first. With it, combinators that poll their branches in a random order still take
/// the same path on each replay.
pub struct Scope {
    info: ScopeInfo,
    gated: bool,
    state: Mutex<State>,
}

/// Facts about the run that a body may ask for.
#[derive(Clone)]
pub struct ScopeInfo {
    /// The body: the call it belongs to, or the root.
    pub scope: CallId,
    /// Whether it is the body that the thread was started with: not called by another one.
    pub is_root: bool,
    /// The scope under which the body makes its calls: that of the body, or one of its own for
    /// each further attempt of an entrypoint's body.
    pub calls: CallId,
    /// The thread.
    pub thread: ThreadId,
    /// The run.
    pub run: RunId,
    /// The execution the run belongs to.
    pub execution: ExecutionId,
    /// Name of the task or entrypoint.
    pub name: String,
    /// Which attempt of the body this is, from 1.
    pub attempt: u32,
    /// What the last completed execution of the thread saved, or the step before this one; none in
    /// tasks.
    pub previous: Option<Payload>,
    /// Whether the body goes on from `previous`, as the next step of a graph does; its input is
    /// null then. Otherwise it takes its input.
    pub goes_on: bool,
    /// What the step before saved for the next step of the same run only.
    pub carried: Option<Payload>,
    /// How many steps the body has made in the run.
    pub steps: StepCount,
    /// Where the run pauses; of the root only.
    pub breakpoints: Arc<Breakpoints>,
    /// Answers to the first questions that the body asks, known from the start.
    pub answers: Vec<Payload>,
    /// Facts about the run.
    pub config: Arc<RunConfig>,
    /// The context object of the run.
    pub context: Option<Payload>,
    /// What an earlier attempt of the body reported last about how far it is.
    pub progress: Option<Payload>,
    /// What the program provides to its bodies.
    pub provided: Option<Provided>,
}

/// A call that a body makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum CallRequest {
    /// Run a task on a worker.
    #[serde(rename = "t")]
    Task {
        /// Its name.
        name: Arc<str>,
        /// Its arguments.
        input: Payload,
        /// What it asks of the engine.
        options: Arc<TaskOptions>,
        /// The cache key that its key function made of the arguments.
        cache_key: Option<Arc<str>>,
        /// The node of a graph that it is, if it is one. The first argument is shown then.
        node: Option<Arc<Node>>,
    },
    /// Run another entrypoint beside this one.
    #[serde(rename = "e")]
    Entrypoint {
        /// Its name.
        name: Arc<str>,
        /// Its input.
        input: Payload,
        /// The node of a graph that it is, if it is one.
        node: Option<Arc<Node>>,
    },
    /// Wait, over restarts too.
    #[serde(rename = "s")]
    Timer {
        /// How long, in milliseconds.
        duration_ms: u64,
    },
    /// Ask the store.
    #[serde(rename = "m")]
    Store(StoreRequest),
}

impl CallRequest {
    /// What it asks for.
    pub fn kind(&self) -> CallKind {
        match self {
            Self::Task { .. } => CallKind::Task,
            Self::Entrypoint { .. } => CallKind::Entrypoint,
            Self::Timer { .. } => CallKind::Timer,
            Self::Store(_) => CallKind::Store,
        }
    }

    /// The name for messages.
    pub fn name(&self) -> &str {
        match self {
            Self::Task { name, .. } | Self::Entrypoint { name, .. } => name,
            Self::Timer { .. } => "sleep",
            Self::Store(_) => "store",
        }
    }

    /// The node of a graph that it is, if it is one.
    pub fn node(&self) -> Option<&Arc<Node>> {
        match self {
            Self::Task { node, .. } | Self::Entrypoint { node, .. } => node.as_ref(),
            Self::Timer { .. } | Self::Store(_) => None,
        }
    }
}

/// Something that a body asked for, in the order it asked.
#[derive(Debug)]
pub enum Ask {
    /// A call.
    Call {
        /// Its slot in the scope.
        slot: SlotIndex,
        /// Its identity.
        id: CallId,
        /// What is called.
        request: CallRequest,
    },
    /// A question to a person, not answered yet.
    Interrupt {
        /// Its slot in the scope.
        slot: SlotIndex,
        /// Its identity.
        id: InterruptId,
        /// How many questions the body asked before.
        index: u32,
        /// What is asked.
        value: Payload,
    },
    /// A question is given up: nobody waits for its answer any more.
    Withdraw(InterruptId),
    /// Something for the stream.
    Emit(Emission),
    /// A call is to end now: its caller needs it no longer.
    Cancel(CallId),
    /// A sign of progress, and how far the body is if it says so.
    Heartbeat(Option<Payload>),
}

/// Names the place of one outcome in a scope.
///
/// It knows its call too: a body that was begun anew may have made another one at the same place,
/// or none, and must not get what the one before it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotIndex {
    place: usize,
    call: CallId,
}

/// How a call ended, as its caller sees it.
pub type Outcome = Result<Payload, Failure>;

/// A task or a context function was used where no body runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no entrypoint or task is running here: call this from the body of one")]
pub struct OutsideRun;

#[derive(Default)]
struct State {
    slots: Vec<Slot>,
    occurrences: BTreeMap<u128, u32>,
    made: u64,
    questions: u32,
    asks: Vec<Ask>,
    deliveries: u64,
    /// Delivered outcomes that a poll asked for and did not get, by order of delivery.
    wanting: BTreeSet<(u64, SlotIndex)>,
    locals: usize,
    randoms: u64,
    now: Millis,
    view: Option<Viewer>,
}

struct Slot {
    /// The call, or what stands for a question.
    call: CallId,
    /// The question, for slots of questions that were not answered from the start.
    question: Option<InterruptId>,
    outcome: SlotState,
    waker: Option<Waker>,
}

enum SlotState {
    /// No outcome yet.
    Waiting,
    /// The n-th outcome that was delivered to this scope.
    Delivered(u64, Outcome),
    /// May be taken in this poll.
    Open(Outcome),
    Taken,
}

impl Scope {
    /// A scope for an entrypoint body, which is replayed.
    pub fn gated(info: ScopeInfo) -> Arc<Self> {
        Arc::new(Self { info, gated: true, state: Mutex::default() })
    }

    /// A scope for an attempt of a task, which runs once.
    pub fn ungated(info: ScopeInfo) -> Arc<Self> {
        Arc::new(Self { info, gated: false, state: Mutex::default() })
    }

    /// The scope of the body that is being polled on this thread.
    ///
    /// # Errors
    /// [`OutsideRun`] if there is none.
    pub fn current() -> Result<Arc<Self>, OutsideRun> {
        CURRENT.with_borrow(|current| current.clone()).ok_or(OutsideRun)
    }

    /// Runs `poll` with this scope as the current one, also if it panics.
    pub fn enter<T>(self: &Arc<Self>, poll: impl FnOnce() -> T) -> T {
        struct Restore(Option<Arc<Scope>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.with_borrow_mut(|current| *current = self.0.take());
            }
        }
        let outer = CURRENT.with_borrow_mut(|current| current.replace(Arc::clone(self)));
        let _restore = Restore(outer);
        poll()
    }

    /// Facts about the run.
    pub fn info(&self) -> &ScopeInfo {
        &self.info
    }

    /// Makes a call. It counts as made from here on, whether or not anybody waits for it.
    pub fn call(&self, request: CallRequest, key: Option<&str>) -> SlotIndex {
        let content = match (key, &request) {
            (Some(key), _) => {
                CallId::content(self.info.calls, request.kind(), request.name(), key.as_bytes())
                    ^ u128::from(u64::MAX)
            }
            (None, CallRequest::Task { input, .. } | CallRequest::Entrypoint { input, .. }) => {
                let input = canonical(input.as_bytes());
                CallId::content(self.info.calls, request.kind(), request.name(), &input)
            }
            (None, CallRequest::Timer { duration_ms }) => {
                CallId::content(self.info.calls, CallKind::Timer, "", &duration_ms.to_be_bytes())
            }
            (None, CallRequest::Store(request)) => {
                let content = Payload::encode(request, "a request to the store")
                    .expect("invariant: requests to the store always encode");
                CallId::content(self.info.calls, CallKind::Store, "", content.as_bytes())
            }
        };
        let mut state = self.state();
        let occurrence = state.occurrences.entry(content).or_default();
        let id = CallId::nth(content, *occurrence);
        *occurrence += 1;
        state.made = state.made.wrapping_add(id.low_bits());
        let slot = state.new_slot(id, SlotState::Waiting);
        state.asks.push(Ask::Call { slot, id, request });
        slot
    }

    /// Asks a question. An answer that is known already is there at once.
    pub fn interrupt(&self, value: Payload) -> SlotIndex {
        let mut state = self.state();
        let index = state.questions;
        state.questions += 1;
        let id = self.info.scope.interrupt(index);
        let call = CallId::of_interrupt(id);
        if let Some(answer) = self.info.answers.get(index as usize) {
            let outcome = Ok(answer.clone());
            return state.new_slot(call, SlotState::Open(outcome));
        }
        let slot = state.new_slot(call, SlotState::Waiting);
        state.slots[slot.place].question = Some(id);
        state.asks.push(Ask::Interrupt { slot, id, index, value });
        slot
    }

    /// Writes to the stream.
    pub fn emit(&self, emission: Emission) {
        self.state().asks.push(Ask::Emit(emission));
    }

    /// Shows progress, and how far the body is.
    pub fn heartbeat(&self, progress: Option<Payload>) {
        self.state().asks.push(Ask::Heartbeat(progress));
    }

    /// Ends the call of a slot, unless its outcome is here already.
    pub fn cancel(&self, slot: SlotIndex) {
        let mut state = self.state();
        let State { slots, asks, .. } = &mut *state;
        let entry = &slots[slot.place];
        if matches!(entry.outcome, SlotState::Waiting) {
            asks.push(Ask::Cancel(entry.call));
        }
    }

    /// The next number of the body's random sequence: the same on each replay.
    ///
    /// A counter in, a well-mixed hash out; not for secrets.
    pub fn random(&self) -> u64 {
        let mut state = self.state();
        state.randoms += 1;
        CallId::random(self.info.calls, state.randoms)
    }

    /// Takes the outcome of a slot once it may be taken.
    ///
    /// # Panics
    /// If the outcome was taken before: a future must not be polled again after it is ready.
    pub fn poll_slot(&self, slot: SlotIndex, context: &Context<'_>) -> Poll<Outcome> {
        let mut state = self.state();
        let State { slots, wanting, .. } = &mut *state;
        let entry = &mut slots[slot.place];
        match mem::replace(&mut entry.outcome, SlotState::Taken) {
            SlotState::Open(outcome) => Poll::Ready(outcome),
            SlotState::Delivered(_, outcome) if !self.gated => Poll::Ready(outcome),
            SlotState::Delivered(order, outcome) => {
                entry.outcome = SlotState::Delivered(order, outcome);
                entry.waker = Some(context.waker().clone());
                wanting.insert((order, slot));
                Poll::Pending
            }
            SlotState::Waiting => {
                entry.outcome = SlotState::Waiting;
                entry.waker = Some(context.waker().clone());
                Poll::Pending
            }
            SlotState::Taken => panic!("a call was polled after it gave its result"),
        }
    }

    /// Nobody will take this outcome any more. A call goes on; a question is given up.
    pub fn abandon(&self, slot: SlotIndex) {
        let waker = {
            let mut state = self.state();
            let State { slots, wanting, asks, .. } = &mut *state;
            let entry = &mut slots[slot.place];
            match entry.outcome {
                SlotState::Delivered(order, _) => {
                    wanting.remove(&(order, slot));
                }
                SlotState::Waiting => asks.extend(entry.question.take().map(Ask::Withdraw)),
                SlotState::Open(_) | SlotState::Taken => {}
            }
            entry.waker.take()
        };
        drop(waker);
    }

    /// The call whose outcome the slot holds, or what stands for a question.
    pub fn call_id(&self, slot: SlotIndex) -> Option<CallId> {
        Some(slot.call)
    }

    /// Whether the outcome of a slot has been delivered.
    pub fn is_delivered(&self, slot: SlotIndex) -> bool {
        !matches!(self.state().slots[slot.place].outcome, SlotState::Waiting)
    }

    /// Delivers an outcome and wakes whoever waits for it. False if the body has made no such call
    /// at that place, or has its outcome already: then nothing changes.
    pub fn deliver(&self, slot: SlotIndex, outcome: Outcome) -> bool {
        let waker = {
            let mut state = self.state();
            let State { slots, deliveries, .. } = &mut *state;
            let waits = |entry: &&mut Slot| {
                entry.call == slot.call && matches!(entry.outcome, SlotState::Waiting)
            };
            let Some(entry) = slots.get_mut(slot.place).filter(waits) else { return false };
            *deliveries += 1;
            entry.outcome = SlotState::Delivered(*deliveries, outcome);
            entry.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Lets the earliest delivered outcome that is waited for turn ready; says if there was one.
    pub fn open_earliest(&self) -> bool {
        let waker = {
            let mut state = self.state();
            let State { slots, wanting, .. } = &mut *state;
            let Some((_, slot)) = wanting.pop_first() else { return false };
            let entry = &mut slots[slot.place];
            if let SlotState::Delivered(_, outcome) =
                mem::replace(&mut entry.outcome, SlotState::Taken)
            {
                entry.outcome = SlotState::Open(outcome);
            }
            entry.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Takes out what the body asked for since the last time.
    pub fn take_asks(&self) -> Vec<Ask> {
        mem::take(&mut self.state().asks)
    }

    /// Sum of the ids of all calls made so far, for [`crate::journal::Delivery::made`].
    pub fn made(&self) -> u64 {
        self.state().made
    }

    /// The time of the newest delivery: what `now()` gives, the same on each replay.
    pub fn now(&self) -> Millis {
        self.state().now
    }

    /// Moves the body's clock.
    pub fn set_now(&self, now: Millis) {
        self.state().now = now;
    }

    /// Says how to tell what the step in progress looks like.
    pub fn set_view(&self, view: View) {
        self.state().view = Some(Viewer(view));
    }

    /// How to tell it, if the body makes steps.
    pub fn view(&self) -> Option<View> {
        self.state().view.as_ref().map(|viewer| Arc::clone(&viewer.0))
    }

    /// Counts a future that was marked as local; it keeps the run going until it ends.
    pub fn begin_local(&self) {
        self.state().locals += 1;
    }

    /// Ends what [`Scope::begin_local`] began.
    pub fn end_local(&self) {
        self.state().locals -= 1;
    }

    /// Number of local futures that have not ended.
    pub fn locals(&self) -> usize {
        self.state().locals
    }

    /// How many of the stored wakers are `waker` itself.
    pub(super) fn wakers_like(&self, waker: &Waker) -> usize {
        let state = self.state();
        let wakers = state.slots.iter().filter_map(|slot| slot.waker.as_ref());
        wakers.filter(|stored| stored.will_wake(waker)).count()
    }

    // A panic while the lock is held would be a bug of this file; the data stays usable.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new_slot(&mut self, call: CallId, outcome: SlotState) -> SlotIndex {
        self.slots.push(Slot { call, question: None, outcome, waker: None });
        SlotIndex { place: self.slots.len() - 1, call }
    }
}

impl fmt::Debug for ScopeInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeInfo")
            .field("thread", &self.thread)
            .field("run", &self.run)
            .field("name", &self.name)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("info", &self.info).finish_non_exhaustive()
    }
}
