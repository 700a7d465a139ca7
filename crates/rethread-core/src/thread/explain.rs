//! Saying what a thread waits for.

use crate::event::{EventKind, RunOutcome};
use crate::ids::{Millis, RunId};
use crate::outlook::Outlook;
use crate::thread::turn::RunLog;
use crate::thread::{Activity, State, ThreadMachine};

impl ThreadMachine {
    /// Tells in the log of a run of its own what the thread waits for.
    pub(super) fn explain(&mut self, now: Millis, by: RunId) {
        let outcome = RunOutcome::Explained(Box::new(self.outlook()));
        let mut log = RunLog::new(by);
        self.turn.event(&mut log, now, EventKind::RunEnded(outcome));
    }

    /// What the thread waits for.
    pub fn outlook(&self) -> Outlook {
        let header = self.header.as_ref();
        let mut outlook = Outlook {
            status: header.map(|header| header.status.clone()),
            run: header.map(|header| header.run),
            entrypoint: header.map(|header| header.entrypoint.clone()),
            stuck: None,
            calls: Vec::new(),
            calls_open: 0,
            questions: Vec::new(),
            awaits_local: false,
            waiting: self.waiting.iter().map(|command| command.run).collect(),
        };
        if let State::Running(execution) = &self.state {
            outlook.stuck = execution.stuck();
            (outlook.calls, outlook.calls_open) = execution.open_calls();
            outlook.questions = execution.questions_to_answer();
            outlook.awaits_local = execution.awaits_local();
        }
        outlook
    }

    /// Writes when the thread has something to do, if that has changed: one that only sleeps is
    /// not loaded by a new owner before it is due.
    pub(super) fn show_activity(&mut self) {
        let State::Running(execution) = &self.state else { return };
        let activity = Activity::Due(execution.sleeps_until().unwrap_or_default());
        // After a load it is right or too early, and not worth a write of its own.
        let is_unknown = self.activity.is_none() && !self.turn.changes_something();
        if self.activity != Some(activity) && !is_unknown {
            self.activity = Some(activity);
            self.turn.set_activity(activity);
        }
    }
}
