use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::failure::{Failure, kind};
use crate::ids::CallId;
use crate::replay::program::{BodyFuture, BodyOutput};
use crate::replay::scope::{Outcome, Scope, SlotIndex};

/// How often in a row a body may wake itself before it is made to yield.
pub(super) const SELF_WAKES_MAX: u32 = 64;

/// Called when something outside of the engine wakes a body, at most once per rest.
pub type OnWake = Arc<dyn Fn() + Send + Sync>;

/// The bodies of an execution that a poll could bring forward.
#[derive(Debug, Clone, Default)]
pub struct Woken(Arc<Mutex<BTreeSet<CallId>>>);

impl Woken {
    /// Takes one out: always the same one of the same set.
    pub fn take(&self) -> Option<CallId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_first()
    }

    fn add(&self, body: CallId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(body);
    }
}

/// An entrypoint body that is being polled.
///
/// It is polled where its outcomes arrive, by a plain function call, until it rests. No
/// executor is needed: a body that waits for recorded things only is woken by deliveries.
pub struct Body {
    scope: Arc<Scope>,
    /// None only while it is dropped.
    future: Option<BodyFuture>,
    signal: Arc<Signal>,
    waker: Waker,
}

/// How a body came to rest.
#[derive(Debug)]
pub enum Rest {
    /// It ended.
    Ended(Result<BodyOutput, Failure>),
    /// It waits.
    Waiting,
    /// It could go on at once but was stopped to let others run.
    Yielded,
}

struct Signal {
    body: CallId,
    all_woken: Woken,
    woken: AtomicBool,
    attended: AtomicBool,
    on_wake: OnWake,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let first = !self.woken.swap(true, Ordering::SeqCst);
        if first {
            self.all_woken.add(self.body);
        }
        if first && !self.attended.load(Ordering::SeqCst) {
            (self.on_wake)();
        }
    }
}

impl Body {
    /// A body that has not been polled. Whenever it is woken it is put into `all_woken`.
    pub fn new(scope: Arc<Scope>, future: BodyFuture, on_wake: OnWake, all_woken: &Woken) -> Self {
        let body = scope.info().scope;
        all_woken.add(body);
        let signal = Arc::new(Signal {
            body,
            all_woken: all_woken.clone(),
            woken: AtomicBool::new(true),
            attended: AtomicBool::new(false),
            on_wake,
        });
        let waker = Waker::from(Arc::clone(&signal));
        Self { scope, future: Some(future), signal, waker }
    }

    /// Its scope.
    pub fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    /// Whether a poll could make progress.
    pub fn is_woken(&self) -> bool {
        self.signal.woken.load(Ordering::SeqCst)
    }

    /// Delivers an outcome without telling the outside that the body woke; false if the body does
    /// not wait for it there.
    pub fn deliver(&self, slot: SlotIndex, outcome: Outcome) -> bool {
        self.signal.attended.store(true, Ordering::SeqCst);
        let is_awaited = self.scope.deliver(slot, outcome);
        self.signal.attended.store(false, Ordering::SeqCst);
        is_awaited
    }

    /// Polls until the body rests. A panic of the body is its failure.
    pub fn run(&mut self) -> Rest {
        self.signal.attended.store(true, Ordering::SeqCst);
        let rest = self.poll_to_rest();
        self.signal.attended.store(false, Ordering::SeqCst);
        // A wake from another thread between the last look at the flag and here was not
        // announced: it counted as attended.
        if matches!(rest, Rest::Yielded) || self.is_woken() {
            (self.signal.on_wake)();
        }
        rest
    }

    fn poll_to_rest(&mut self) -> Rest {
        let mut self_wakes = 0;
        loop {
            self.signal.woken.store(false, Ordering::SeqCst);
            let Self { scope, future, waker, .. } = self;
            let Some(future) = future else { return Rest::Waiting };
            let mut context = Context::from_waker(waker);
            let polled = scope
                .enter(|| catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context))));
            match polled {
                Ok(Poll::Ready(result)) => return Rest::Ended(result),
                Err(panic) => return Rest::Ended(Err(panic_failure(panic.as_ref()))),
                Ok(Poll::Pending) => {}
            }
            if self.scope.open_earliest() {
                self_wakes = 0;
                continue;
            }
            if !self.is_woken() {
                return Rest::Waiting;
            }
            self_wakes += 1;
            if self_wakes == SELF_WAKES_MAX {
                return Rest::Yielded;
            }
        }
    }

    /// Whether something besides this engine may hold a waker of the body.
    ///
    /// `false` is certain. `true` may be wrong: some combinators keep a waker for themselves.
    pub fn may_wait_for_foreign(&self) -> bool {
        // This struct holds two references: the signal and the waker.
        let held = Arc::strong_count(&self.signal);
        self.scope.locals() > 0 || held > 2 + self.scope.wakers_like(&self.waker)
    }
}

impl Drop for Body {
    /// Drops the future inside of its scope. A panic of what it holds ends with it: the thread,
    /// and others, must not suffer from it.
    fn drop(&mut self) {
        let future = self.future.take();
        drop(self.scope.enter(|| catch_unwind(AssertUnwindSafe(|| drop(future)))));
    }
}

/// The failure that stands for a panic of user code.
pub fn panic_failure(panic: &(dyn std::any::Any + Send)) -> Failure {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".into());
    Failure::new(kind::PANIC, format!("panicked: {message}"))
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("scope", &self.scope).finish_non_exhaustive()
    }
}
