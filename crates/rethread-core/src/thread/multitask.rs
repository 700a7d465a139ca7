//! Requests that meet a run in progress, and those that stop one.

use crate::event::{EventKind, Refusal, RunOutcome};
use crate::header::ThreadStatus;
use crate::ids::{Millis, RunId};
use crate::message::{Action, Cancel, Command, Multitask};
use crate::replay::start_caught;
use crate::thread::turn::RunLog;
use crate::thread::{State, ThreadMachine, WaitingChange};

impl ThreadMachine {
    /// What becomes of a command while a run is in progress: it is done beside it, waits for its
    /// end, ends it, or is refused.
    pub(super) fn try_command_beside_run(
        &mut self,
        now: Millis,
        command: Command,
    ) -> Result<(), Refusal> {
        let answers_the_run = matches!(command.action, Action::Resume(_))
            && command.at.is_none()
            && self.asks_something();
        if answers_the_run {
            return self.answer_at_once(now, command);
        }
        match (&command.action, command.multitask) {
            (
                Action::Start { .. } | Action::Resume(_) | Action::Retry | Action::Command(_),
                Multitask::Enqueue,
            ) => self.enqueue(command),
            (Action::Start { entrypoint, input }, Multitask::Interrupt | Multitask::Rollback) => {
                // What would be refused must not stop anything.
                drop(start_caught(&*self.setup.program, entrypoint, input)?);
                match command.multitask {
                    Multitask::Rollback => self.roll_back_run(now),
                    _ => self.stop_run(now),
                }
                self.try_command(now, command)
            }
            _ => Err(self.busy()),
        }
    }

    fn asks_something(&self) -> bool {
        match &self.state {
            State::Running(execution) => !execution.questions_to_answer().is_empty(),
            State::Resting { .. } => false,
        }
    }

    pub(super) fn busy(&self) -> Refusal {
        match &self.header {
            Some(header) => Refusal::Busy { run: header.run },
            None => self.nothing_to_continue(),
        }
    }

    /// Whether a command comes after others that wait although nothing runs: the code does not
    /// fit the run that is to go on before them.
    pub(super) fn stands_in_line(&self, command: &Command) -> bool {
        matches!(command.action, Action::Start { .. })
            && command.multitask == Multitask::Enqueue
            && self.is_parked()
            && !self.waiting.is_empty()
    }

    pub(super) fn enqueue(&mut self, command: Command) -> Result<(), Refusal> {
        let max = self.setup.limits.waiting_max;
        if self.waiting.len() >= max {
            return Err(Refusal::TooManyWaiting { max });
        }
        self.turn.change_waiting(WaitingChange::Append(Box::new(command.clone())));
        self.waiting.push_back(command);
        Ok(())
    }

    /// Begins what waits, until a run is in progress. A thread whose code does not fit keeps its
    /// commands waiting: they would give up the run that is to go on once the code fits.
    pub(super) fn begin_waiting(&mut self, now: Millis) {
        while !self.is_running() && !self.is_parked() {
            let Some(command) = self.waiting.pop_front() else { return };
            self.turn.change_waiting(WaitingChange::DropFirst(1));
            self.do_command(now, command);
        }
    }

    fn is_parked(&self) -> bool {
        let status = self.header.as_ref().map(|header| &header.status);
        matches!(status, Some(ThreadStatus::Parked(_)))
    }

    /// Stops the run that is named, and tells in the log of run `by` that it was done.
    pub(super) fn cancel(&mut self, now: Millis, by: RunId, cancel: Cancel) -> Result<(), Refusal> {
        let current = self.header.as_ref().map(|header| header.run);
        let is_current = self.is_running() && cancel.run.is_none_or(|run| Some(run) == current);
        let waits = self.waiting.iter().position(|command| Some(command.run) == cancel.run);
        match (is_current, waits, cancel.run) {
            (true, ..) if cancel.roll_back => self.roll_back_run(now),
            (true, ..) => self.stop_run(now),
            (false, Some(place), _) => self.remove_waiting(now, place),
            (false, None, Some(run)) => return Err(Refusal::NotRunning { run }),
            (false, None, None) => return Err(self.nothing_to_continue()),
        }
        let mut log = RunLog::new(by);
        self.turn.event(&mut log, now, EventKind::RunEnded(RunOutcome::Edited(None)));
        Ok(())
    }

    fn remove_waiting(&mut self, now: Millis, place: usize) {
        let Some(removed) = self.waiting.remove(place) else { return };
        self.turn.change_waiting(WaitingChange::Remove(place));
        self.end_waiting(now, removed.run);
    }

    /// Ends everything that waits: the thread is removed.
    pub(super) fn cancel_waiting(&mut self, now: Millis) {
        for command in std::mem::take(&mut self.waiting) {
            self.end_waiting(now, command.run);
        }
    }

    fn end_waiting(&mut self, now: Millis, run: RunId) {
        let mut log = RunLog::new(run);
        self.turn.event(&mut log, now, EventKind::RunEnded(RunOutcome::Cancelled));
    }

    /// Writes everything that waits once more, after it was removed from the storage.
    pub(super) fn append_all_waiting(&mut self) {
        for command in &self.waiting {
            self.turn.change_waiting(WaitingChange::Append(Box::new(command.clone())));
        }
    }
}
