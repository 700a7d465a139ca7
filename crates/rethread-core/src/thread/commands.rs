//! What clients ask for that runs something.

use std::collections::BTreeMap;

use crate::checkpoint::{Checkpoint, ChildState, Progress, Source};
use crate::event::{EventKind, Refusal, RunOutcome};
use crate::graph::{StepEnd, StepTask};
use crate::header::{ThreadHeader, ThreadStatus};
use crate::ids::{CallId, CheckpointId, ExecutionId, Millis, RunId};
use crate::journal::{Before, Began, Entry, Fact};
use crate::message::{Action, Answers, Command};
use crate::payload::Payload;
use crate::replay::start_caught;
use crate::settings::RunSettings;
use crate::thread::answers::{match_answers, only_answer};
use crate::thread::behind::Behind;
use crate::thread::graphs::{as_result, input_shown};
use crate::thread::turn::RunLog;
use crate::thread::{State, ThreadMachine, index, limits};

/// Who asks, and how.
pub(super) struct Request {
    pub(super) run: RunId,
    pub(super) settings: Box<RunSettings>,
    /// The checkpoint to work from instead of the newest.
    pub(super) at: Option<Box<Checkpoint>>,
    /// That checkpoint as a command changed it, for this run only.
    pub(super) commanded: Option<Box<Checkpoint>>,
    pub(super) is_lenient: bool,
}

impl Request {
    /// The checkpoint that was named, with what a command changed of it.
    pub(super) fn works_from(&self) -> Option<&Checkpoint> {
        self.commanded.as_deref().or(self.at.as_deref())
    }
}

/// What a new checkpoint is made from.
pub(super) struct Origin {
    pub(super) parent: Option<CheckpointId>,
    /// The step of the new checkpoint; none for the first one of a thread.
    pub(super) step: Option<i64>,
    pub(super) values: Payload,
    pub(super) previous: Option<Payload>,
    pub(super) children: BTreeMap<String, ChildState>,
}

/// An input and where its execution starts.
pub(super) struct Beginning {
    pub(super) entrypoint: String,
    pub(super) input: Payload,
    pub(super) source: Source,
    /// An answer to the first question it asks.
    pub(super) answer: Option<Payload>,
    /// Whether its body goes on from what is saved, and what the step runs, if it is a graph.
    pub(super) goes_on: bool,
    pub(super) tasks: Vec<StepTask>,
}

impl ThreadMachine {
    pub(super) fn try_command(&mut self, now: Millis, mut command: Command) -> Result<(), Refusal> {
        command.action = command.action.in_simple_form();
        if command.thread != self.setup.thread {
            return Err(Refusal::IdCollision { other: self.setup.thread.to_string() });
        }
        match command.action {
            Action::Cancel(cancel) => return self.cancel(now, command.run, cancel),
            Action::Explain => {
                self.explain(now, command.run);
                return Ok(());
            }
            _ => {}
        }
        if let Some(what) = limits::exceeded_by(&command, &self.setup.limits) {
            return Err(Refusal::Limit { what });
        }
        if self.is_running() {
            return self.try_command_beside_run(now, command);
        }
        if self.stands_in_line(&command) {
            return self.enqueue(command);
        }
        let Command { thread: _, run, settings, at, is_lenient, multitask: _, action } = command;
        let request = Request { run, settings, at, commanded: None, is_lenient };
        match action {
            Action::Start { entrypoint, input } => self.start(now, request, entrypoint, input),
            Action::Resume(answers) => self.resume(now, request, answers),
            Action::Retry => self.go_on(now, request),
            Action::Command(input) => self.command(now, request, *input),
            Action::Update(update) => self.update(now, request, *update),
            Action::Delete => {
                self.delete(now, run);
                Ok(())
            }
            Action::Prune(checkpoints) => self.prune(now, run, &checkpoints),
            Action::Import(copy) => self.import(now, run, *copy),
            Action::Cancel(_) | Action::Explain => Ok(()),
        }
    }

    fn start(
        &mut self,
        now: Millis,
        request: Request,
        entrypoint: String,
        input: Payload,
    ) -> Result<(), Refusal> {
        // Makes a body only to see whether the name and the input fit.
        drop(start_caught(&*self.setup.program, &entrypoint, &input)?);
        let origin = self.origin(request.at.as_deref());
        let (origin, beginning) = self.take_input(origin, entrypoint, input)?;
        self.begin_execution(now, request, origin, beginning);
        Ok(())
    }

    /// An input, and where its execution starts.
    pub(super) fn take_input(
        &self,
        origin: Origin,
        entrypoint: String,
        input: Payload,
    ) -> Result<(Origin, Beginning), Refusal> {
        let program = &*self.setup.program;
        let Origin { previous, values, .. } = &origin;
        let shown = input_shown(program, &entrypoint, previous.clone(), values.clone())?;
        let StepEnd { values, tasks, .. } = shown;
        let (source, answer, goes_on) = (Source::Input, None, false);
        let beginning = Beginning { entrypoint, input, source, answer, goes_on, tasks };
        Ok((Origin { values, ..origin }, beginning))
    }

    pub(super) fn resume(
        &mut self,
        now: Millis,
        request: Request,
        answers: Answers,
    ) -> Result<(), Refusal> {
        if let Some(at) = self.older_checkpoint(&request) {
            let answer = only_answer(&at.progress.interrupts, answers, request.is_lenient)?;
            return self.run_again(now, request, answer);
        }
        let open = match self.header.as_ref().map(|header| &header.status) {
            Some(ThreadStatus::Interrupted(open)) => open,
            None if request.is_lenient => return Err(Refusal::EmptyInput),
            Some(ThreadStatus::Idle) if request.is_lenient => {
                self.give_value(now, request.run);
                return Ok(());
            }
            // At a breakpoint there is no question that an answer could be for.
            Some(ThreadStatus::Pending) if self.is_graph() => return self.go_on(now, request),
            _ => return Err(self.nothing_to_continue()),
        };
        let answers = match_answers(open, answers, request.is_lenient)?;
        let answered: Vec<_> = answers
            .into_iter()
            .map(|(interrupt, value)| {
                let asked = open.iter().find(|one| one.id == interrupt);
                match asked.and_then(|asked| self.edited_since_asked(&asked.path)) {
                    Some(body) => Fact::AnsweredAhead { body, value },
                    None => Fact::Answered { interrupt, value },
                }
            })
            .collect();
        self.begin_further_run(now, request, Vec::new(), answered);
        Ok(())
    }

    /// Whether answers fit what is asked.
    pub(super) fn check_answers(
        &self,
        answers: Option<&Answers>,
        is_lenient: bool,
    ) -> Result<(), Refusal> {
        match (answers, self.header.as_ref().map(|header| &header.status)) {
            (Some(answers), Some(ThreadStatus::Interrupted(open))) => {
                match_answers(open, answers.clone(), is_lenient).map(drop)
            }
            (Some(_), Some(ThreadStatus::Pending)) | (None, _) => Ok(()),
            // Nobody asks.
            (Some(_), _) if is_lenient => Ok(()),
            (Some(_), _) => Err(self.nothing_to_continue()),
        }
    }

    /// Whether what the thread runs is a graph.
    fn is_graph(&self) -> bool {
        let header = self.header.as_ref();
        header.is_some_and(|header| self.setup.program.is_graph(&header.entrypoint))
    }

    /// Gives answers to the run in progress: something else in it still goes on.
    pub(super) fn answer_at_once(&mut self, now: Millis, command: Command) -> Result<(), Refusal> {
        let (State::Running(execution), Some(header), Action::Resume(answers)) =
            (&mut self.state, &self.header, command.action)
        else {
            return Err(self.nothing_to_continue());
        };
        let joined = header.run;
        let open = execution.questions_to_answer();
        let answers = match_answers(&open, answers, command.is_lenient)?;
        for (interrupt, value) in answers {
            execution.answer(now, interrupt, value, &mut self.turn);
        }
        let mut log = RunLog::new(command.run);
        let outcome = RunOutcome::Joined(joined);
        self.turn.event(&mut log, now, EventKind::RunEnded(outcome));
        self.advance(now);
        Ok(())
    }

    /// Goes on with what the thread has left to do, if anything.
    pub(super) fn go_on(&mut self, now: Millis, request: Request) -> Result<(), Refusal> {
        if let Some(at) = request.works_from() {
            if at.input.is_some() {
                return self.run_again(now, request, None);
            }
            self.fork_finished(now, request);
            return Ok(());
        }
        let Some(header) = &self.header else {
            return Err(match request.is_lenient {
                true => Refusal::EmptyInput,
                false => self.nothing_to_continue(),
            });
        };
        match header.status {
            ThreadStatus::Idle => {
                self.give_value(now, request.run);
                return Ok(());
            }
            ThreadStatus::Running => return Err(Refusal::Busy { run: header.run }),
            ThreadStatus::Interrupted(_)
            | ThreadStatus::Failed(_)
            | ThreadStatus::Parked(_)
            | ThreadStatus::Cancelled
            | ThreadStatus::Pending => {}
        }
        // A run that was parked goes on with the failures it had, reopened or not.
        let has_failed = matches!(header.status, ThreadStatus::Failed(_));
        let reopened = match &self.state {
            State::Resting { journal, .. } if has_failed => index::calls_to_reopen(journal),
            _ => Vec::new(),
        };
        self.begin_further_run(now, request, reopened, Vec::new());
        Ok(())
    }

    /// Runs the step that started at an older checkpoint once more, on a branch of its own.
    /// Nothing that was recorded of it is used (D07).
    fn run_again(
        &mut self,
        now: Millis,
        request: Request,
        answer: Option<Payload>,
    ) -> Result<(), Refusal> {
        let Some(at) = request.works_from() else { return Err(Refusal::EmptyInput) };
        let Some(input) = at.input.clone() else {
            let reason = "no run starts there".to_owned();
            return Err(Refusal::InvalidCheckpoint { checkpoint: at.id, reason });
        };
        let entrypoint = at.entrypoint.clone();
        drop(start_caught(&*self.setup.program, &entrypoint, &input)?);
        let (goes_on, tasks) = (at.goes_on, at.tasks.clone());
        let source = Source::Fork;
        let beginning = Beginning { entrypoint, input, source, answer, goes_on, tasks };
        let origin = self.origin(Some(at));
        self.begin_execution(now, request, origin, beginning);
        Ok(())
    }

    /// The checkpoint that was named, if it is not the newest.
    pub(super) fn older_checkpoint<'a>(&self, request: &'a Request) -> Option<&'a Checkpoint> {
        let head = self.header.as_ref().map(|header| header.head);
        request.at.as_deref().filter(|at| Some(at.id) != head)
    }

    pub(super) fn origin(&self, at: Option<&Checkpoint>) -> Origin {
        match (at, &self.header) {
            (Some(at), _) => Origin {
                parent: Some(at.id),
                step: Some(at.step + 1),
                values: at.values.clone(),
                previous: at.previous().cloned(),
                children: at.children.clone(),
            },
            (None, header) => {
                let base = self.base.as_ref();
                Origin {
                    parent: header.as_ref().map(|header| header.head),
                    step: header.as_ref().map(|header| header.step + 1),
                    values: base.map(|base| base.values.clone()).unwrap_or_default(),
                    previous: base.and_then(|base| base.previous().cloned()),
                    children: self.children(),
                }
            }
        }
    }

    /// Writes the first entry of an execution and its checkpoint; it is not run yet.
    pub(super) fn lay_out_execution(
        &mut self,
        now: Millis,
        request: &Request,
        origin: Origin,
        beginning: Beginning,
    ) -> Entry {
        let Beginning { entrypoint, input, source, answer, goes_on, tasks } = beginning;
        let step = origin.step.unwrap_or(match source {
            Source::Update => 0,
            _ => -1,
        });
        // What runs a step once more finds what its children had then; an input does not.
        let children = match source {
            Source::Input => self.children(),
            _ => origin.children,
        };
        let checkpoint = self.next_checkpoint(now, request.run);
        if let Some(at) = &request.at {
            // What the next execution starts from, should this one not complete.
            self.turn.set_base(at.id);
            self.base = Some((**at).clone());
        }
        let began = Began {
            run: request.run,
            execution: ExecutionId::from(request.run),
            root: CallId::root(ExecutionId::from(request.run)),
            entrypoint: entrypoint.clone(),
            input,
            previous: origin.previous,
            values: origin.values,
            goes_on,
            tasks,
            // The checkpoint that a fork makes counts as a step.
            steps: u32::from(source == Source::Fork && goes_on),
            took_input: !goes_on,
            carried: None,
            is_changed: false,
            children,
            answer,
            source,
            checkpoint,
            parent: origin.parent,
            step,
            settings: request.settings.clone(),
            events: 1,
        };
        let first = Self::first_checkpoint(&began, now, Progress::default());
        let made = self.header.as_ref().map_or(0, |header| header.checkpoints_made);
        self.header = Some(ThreadHeader {
            thread: self.setup.thread.clone(),
            entrypoint,
            status: ThreadStatus::Pending,
            run: request.run,
            execution: Some(ExecutionId::from(request.run)),
            head: checkpoint,
            step,
            base: self.base.as_ref().map(|base| base.id),
            asking: Vec::new(),
            children: self.children(),
            checkpoints_made: made + 1,
            updated_at: now,
        });
        self.turn.drop_journal();
        self.behind = Behind::default();
        self.in_doubt = false;
        self.turn.put_checkpoint(first);
        let entry = Entry { at: now, fact: Fact::Began(Box::new(began)) };
        self.turn.append(entry.clone());
        entry
    }

    fn begin_execution(
        &mut self,
        now: Millis,
        request: Request,
        origin: Origin,
        beginning: Beginning,
    ) {
        let continues = beginning.source == Source::Fork;
        // What an execution that was given up has in flight is reported and dropped.
        let in_flight = self.in_flight();
        let began = self.lay_out_execution(now, &request, origin, beginning);
        self.begin_run(now, request.run, vec![began], in_flight, continues);
    }

    fn begin_further_run(
        &mut self,
        now: Millis,
        request: Request,
        reopened: Vec<CallId>,
        facts: Vec<Fact>,
    ) {
        let run = request.run;
        let began = self.further_run(&request, reopened);
        let (mut journal, in_flight) = self.take_rest();
        for fact in std::iter::once(began).chain(facts) {
            let entry = Entry { at: now, fact };
            self.turn.append(entry.clone());
            journal.push(entry);
        }
        self.begin_run(now, run, journal, in_flight, true);
    }

    /// The entry with which a run begins that goes on with the execution.
    pub(super) fn further_run(&self, request: &Request, reopened: Vec<CallId>) -> Fact {
        let Request { run, settings, .. } = request;
        let header = self.header.as_ref();
        let before = Before {
            run: header.map_or(*run, |header| header.run),
            status: header.map_or(ThreadStatus::Idle, |header| header.status.clone()),
        };
        let (settings, before) = (settings.clone(), Box::new(before));
        Fact::RunBegan { run: *run, reopened, settings, before }
    }

    /// Nothing is left to do: gives the value that the thread has.
    pub(super) fn give_value(&mut self, now: Millis, run: RunId) {
        let values = self.base.as_ref().map(|base| base.values.clone()).unwrap_or_default();
        let Some(header) = &self.header else { return };
        let values = as_result(&*self.setup.program, &header.entrypoint, values);
        let started = EventKind::RunStarted {
            entrypoint: header.entrypoint.clone(),
            root: CallId::root(ExecutionId::from(run)),
            checkpoint: header.head,
            continues: true,
            before: Progress::default(),
            unkept: None,
            is_exit: false,
        };
        let mut log = RunLog::new(run);
        self.turn.event(&mut log, now, started);
        self.turn.event(&mut log, now, EventKind::RunEnded(RunOutcome::Done(values)));
    }

    pub(super) fn nothing_to_continue(&self) -> Refusal {
        let status = match self.header.as_ref().map(|header| &header.status) {
            None => "it has never run; start a run with an input",
            Some(ThreadStatus::Idle) => "its last run has completed; start another one",
            Some(ThreadStatus::Running) => "a run is in progress, and asks nothing",
            Some(ThreadStatus::Interrupted(_)) => "it waits for answers; resume it",
            Some(ThreadStatus::Failed(_)) => {
                "its last run failed; a retry goes on from there, and asks again what it needs"
            }
            Some(ThreadStatus::Parked(_)) => {
                "it is parked since the code does not fit; deploy code that fits, then retry"
            }
            Some(ThreadStatus::Cancelled) => "its last run was cancelled; a retry goes on with it",
            Some(ThreadStatus::Pending) => "an input stands ready; a retry runs it",
        };
        Refusal::NothingToContinue { status: status.to_owned() }
    }

    /// What children have saved last.
    pub(super) fn children(&self) -> BTreeMap<String, ChildState> {
        self.header.as_ref().map(|header| header.children.clone()).unwrap_or_default()
    }

    pub(super) fn next_checkpoint(&self, now: Millis, run: RunId) -> CheckpointId {
        let made = self.header.as_ref().map_or(0, |header| header.checkpoints_made);
        CheckpointId::at(now, made, run)
    }
}
