//! What bodies write to the stream of the run, and what of it counts no more.
//!
//! A body that is run again writes again. Readers are told by [`EventKind::Reset`], which stands
//! before anything that the new attempt writes; what an older one writes after that is dropped.
//!
//! What a call has written is remembered in memory only. After a load it is unknown, so readers
//! may be told once more than there is need.

use std::mem;

use crate::event::EventKind;
use crate::ids::{CallId, Millis, WorkerId};
use crate::message::{Emitted, Target};
use crate::thread::calls::CallState;
use crate::thread::execution::Execution;
use crate::thread::turn::{RunLog, Turn};

/// What a call has written in this run.
#[derive(Debug, Clone)]
pub(super) struct Writing {
    /// The newest attempt that is known of; 0: none.
    attempt: u32,
    written: Written,
    /// Who runs that attempt, and the number of its next value.
    next: Option<(WorkerId, u64)>,
}

/// What of it stands in the log and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Nothing,
    Something,
    /// Something may have been written before the machine was loaded.
    Unknown,
}

impl Writing {
    fn of(attempt: u32, written: Written) -> Self {
        Self { attempt, written, next: None }
    }
}

impl Execution {
    /// What a task body wrote to the stream. Values that were seen before are passed over: a
    /// worker hands them in again when it does not know whether they arrived. So are those of an
    /// attempt that a later one has followed.
    ///
    /// After a load an attempt goes on wherever its next message begins, so a repetition right
    /// across the load is shown twice, unless it is of the first values of the attempt.
    pub(in crate::thread) fn handle_emitted(
        &mut self,
        now: Millis,
        emitted: Emitted,
        turn: &mut Turn,
        log: &mut RunLog,
    ) {
        let Emitted { target: Target { call, attempt, .. }, worker, first, values } = emitted;
        match self.calls.get(call).map(|call| call.state) {
            Some(CallState::InFlight { attempt: ordered }) if attempt >= ordered => {
                self.calls.set_waiting(call, false);
            }
            Some(CallState::Undecided) => {}
            _ => return,
        }
        let mut writing = match self.writings.get(&call) {
            Some(writing) if attempt < writing.attempt => return,
            Some(writing) => writing.clone(),
            None if self.was_made_before_load(call) => Writing::of(0, Written::Unknown),
            None => Writing::of(attempt, Written::Nothing),
        };
        if attempt > writing.attempt {
            let is_void = match writing.written {
                Written::Nothing => false,
                Written::Something => true,
                // An attempt that has written before the load goes on.
                Written::Unknown => first == 0,
            };
            if is_void {
                self.resets.push((call, attempt));
                writing.written = Written::Nothing;
            }
            writing = Writing::of(attempt, writing.written);
        }
        self.show_resets(now, turn, log);
        let next = match &mut writing.next {
            Some((known, next)) if *known == worker => next,
            other => &mut other.insert((worker, first)).1,
        };
        let seen = usize::try_from(next.saturating_sub(first)).unwrap_or(usize::MAX);
        *next = first.saturating_add(values.len() as u64).max(*next);
        for emission in values.into_iter().skip(seen) {
            if !self.may_emit(&emission, log) {
                break;
            }
            turn.event(log, now, EventKind::emitted(Some(call), attempt, emission));
            writing.written = Written::Something;
        }
        self.writings.insert(call, writing);
        if let Some(body) = self.calls.get(call).map(|call| call.body) {
            self.show_progress(body, now);
        }
    }

    /// The body of an entrypoint writes; gives its attempt.
    pub(super) fn body_writes(&mut self, body: CallId) -> u32 {
        let attempt = self.begun.get(&body).map_or(1, |begun| begun.attempt);
        self.writings.insert(body, Writing::of(attempt, Written::Something));
        attempt
    }

    /// A worker speaks of this attempt of a call: those before it are over.
    pub(super) fn hear_of(&mut self, call: CallId, attempt: u32) {
        let Some(writing) = self.writings.get_mut(&call) else { return };
        if attempt <= writing.attempt {
            return;
        }
        match writing.written {
            Written::Something => {
                *writing = Writing::of(attempt, Written::Nothing);
                self.resets.push((call, attempt));
            }
            // It may be what wrote before the load.
            written @ (Written::Nothing | Written::Unknown) => {
                *writing = Writing::of(attempt, written);
            }
        }
    }

    /// The body of a task will start anew, as this attempt.
    pub(super) fn writes_anew(&mut self, call: CallId, attempt: u32) {
        let was = match self.writings.get(&call) {
            Some(writing) => writing.written,
            None if self.was_made_before_load(call) => {
                let may_have_begun = attempt > 1 || !self.questions.answers_of(call).is_empty();
                if may_have_begun { Written::Unknown } else { Written::Nothing }
            }
            None => return,
        };
        self.writings.insert(call, Writing::of(attempt, Written::Nothing));
        if was != Written::Nothing {
            self.resets.push((call, attempt));
        }
    }

    /// The body of an entrypoint begins anew, as this attempt, and makes its calls anew.
    pub(super) fn body_writes_anew(&mut self, body: CallId, attempt: u32) {
        let is_root = body == self.root;
        let calls = &self.calls;
        let is_under = |call: CallId| is_root || calls.path(call).contains(&body);
        let is_void = |call: &CallId, writing: &mut Writing| {
            writing.written == Written::Something && is_under(*call)
        };
        let void = self.writings.extract_if(.., is_void).count();
        if void > 0 || self.is_loaded() {
            self.resets.push((body, attempt));
        }
    }

    /// Tells readers what counts no more.
    pub(super) fn show_resets(&mut self, now: Millis, turn: &mut Turn, log: &mut RunLog) {
        let root = self.root;
        for (call, attempt) in mem::take(&mut self.resets) {
            let call = (call != root).then_some(call);
            turn.event(log, now, EventKind::Reset { call, attempt });
        }
    }

    /// Whether the run began in another memory than this one.
    fn is_loaded(&self) -> bool {
        self.silent_until > 0
    }

    /// Whether the call was made before the machine was loaded.
    fn was_made_before_load(&self, call: CallId) -> bool {
        // In the replay after a load all calls are such.
        let made = self.made_before_load.unwrap_or(usize::MAX);
        self.is_loaded() && self.calls.place(call) < made
    }

    /// Notes, at the end of the replay after a load, which calls it made.
    pub(super) fn note_end_of_replay(&mut self) {
        if self.is_loaded() && self.made_before_load.is_none() {
            let (calls, root) = (&self.calls, self.root);
            self.questions.set_unknown_aside(|scope| scope == root || calls.get(scope).is_some());
            self.made_before_load = Some(self.calls.len());
        }
        if mem::take(&mut self.in_doubt) {
            self.doubted = self.undecided.iter().copied().collect();
        }
    }
}
