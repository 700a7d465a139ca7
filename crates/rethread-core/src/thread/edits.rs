//! What clients ask for that changes the state of a thread without running anything.

use std::collections::BTreeSet;

use crate::checkpoint::{Checkpoint, Progress, Source};
use crate::event::{EventKind, Refusal, RunOutcome};
use crate::header::{ThreadHeader, ThreadStatus};
use crate::ids::{CheckpointId, Millis, RunId};
use crate::journal::{Entry, Fact};
use crate::message::{ThreadCopy, Update, UpdateAs};
use crate::payload::Payload;
use crate::replay::start_caught;
use crate::thread::behind::Behind;
use crate::thread::commands::{Beginning, Origin, Request};
use crate::thread::graph_edits::GraphUpdate;
use crate::thread::turn::RunLog;
use crate::thread::{Activity, State, ThreadMachine, index};

impl ThreadMachine {
    /// Edits the state: makes a checkpoint in which nothing, or an input, is left to be done.
    pub(super) fn update(
        &mut self,
        now: Millis,
        request: Request,
        update: Update,
    ) -> Result<(), Refusal> {
        let Update { kind, values, save, entrypoint, more, path } = update;
        let known = self.header.as_ref().map(|header| header.entrypoint.clone());
        let run = request.run;
        let name = known.clone().or_else(|| entrypoint.clone()).unwrap_or_default();
        let is_graph = self.setup.program.is_graph(&name);
        let checkpoint = match kind {
            UpdateAs::Node(node) if is_graph => {
                let updates = std::iter::once((values, node.clone())).chain(more).collect();
                let update = GraphUpdate { kind: UpdateAs::Node(node), updates };
                self.update_a_graph(now, &request, name, &path, update)?
            }
            UpdateAs::End if is_graph && values.is_null() => {
                let update = GraphUpdate { kind: UpdateAs::End, updates: Vec::new() };
                self.update_a_graph(now, &request, name, &path, update)?
            }
            UpdateAs::Node(node) => {
                let entrypoint = known.or(entrypoint).unwrap_or_default();
                if let Some(node) = node.filter(|node| *node != entrypoint) {
                    let reason =
                        format!("`{node}` is not the entrypoint of the thread, `{entrypoint}`");
                    return Err(Refusal::InvalidUpdate { reason });
                }
                self.show_result(request.at.as_deref(), &values);
                let origin =
                    Origin { previous: save, values, ..self.origin(request.at.as_deref()) };
                self.finish_at(now, &request, origin, Source::Update, entrypoint)
            }
            UpdateAs::End => {
                if !values.is_null() {
                    let reason = "an edit as the end takes no value; give null".to_owned();
                    return Err(Refusal::InvalidUpdate { reason });
                }
                let entrypoint = known.or(entrypoint).unwrap_or_default();
                let origin = self.origin(request.at.as_deref());
                self.finish_at(now, &request, origin, Source::Update, entrypoint)
            }
            UpdateAs::Input => {
                let Some(entrypoint) = entrypoint.or(known) else {
                    let reason = "the thread has never run: name the entrypoint".to_owned();
                    return Err(Refusal::InvalidUpdate { reason });
                };
                drop(start_caught(&*self.setup.program, &entrypoint, &values)?);
                let origin = self.origin(request.at.as_deref());
                let (origin, beginning) = self.take_input(origin, entrypoint, values)?;
                self.make_ready(now, &request, origin, beginning)
            }
            UpdateAs::Copy => self.copy_checkpoint(now, request)?,
        };
        self.end_edit(now, run, Some(checkpoint));
        Ok(())
    }

    fn update_a_graph(
        &mut self,
        now: Millis,
        request: &Request,
        entrypoint: String,
        path: &[String],
        update: GraphUpdate,
    ) -> Result<CheckpointId, Refusal> {
        match path {
            [] => self.update_graph(now, request, entrypoint, update),
            path => self.update_child_graph(now, request, path, update),
        }
    }

    /// Goes on from an older checkpoint in which nothing is left to be done: only a fork is made,
    /// and its value is given.
    pub(super) fn fork_finished(&mut self, now: Millis, request: Request) {
        let Some(at) = request.works_from() else { return };
        let entrypoint = at.entrypoint.clone();
        let origin = self.origin(Some(at));
        self.finish_at(now, &request, origin, Source::Fork, entrypoint);
        self.give_value(now, request.run);
    }

    /// The checkpoint again as its own sibling, without what is recorded of it.
    fn copy_checkpoint(&mut self, now: Millis, request: Request) -> Result<CheckpointId, Refusal> {
        let Some(at) = request.at.as_deref() else {
            let reason = "a copy needs the checkpoint that is copied".to_owned();
            return Err(Refusal::InvalidUpdate { reason });
        };
        let entrypoint = at.entrypoint.clone();
        let origin = Origin { parent: at.parent, ..self.origin(Some(at)) };
        Ok(match at.input.clone() {
            Some(input) => {
                let (source, answer) = (Source::Fork, None);
                let (goes_on, tasks) = (at.goes_on, at.tasks.clone());
                let beginning = Beginning { entrypoint, input, source, answer, goes_on, tasks };
                self.make_ready(now, &request, origin, beginning)
            }
            None => self.finish_at(now, &request, origin, Source::Fork, entrypoint),
        })
    }

    /// Lets an input stand ready, without running it.
    pub(super) fn make_ready(
        &mut self,
        now: Millis,
        request: &Request,
        origin: Origin,
        beginning: Beginning,
    ) -> CheckpointId {
        let id = self.next_checkpoint(now, request.run);
        let in_flight = self.in_flight();
        let began = self.lay_out_execution(now, request, origin, beginning);
        self.state = State::Resting { journal: vec![began], in_flight };
        self.settle_in_step();
        id
    }

    /// Makes a checkpoint in which nothing is left to be done; `origin` holds its value and what
    /// the next execution finds as `previous`.
    pub(super) fn finish_at(
        &mut self,
        now: Millis,
        request: &Request,
        origin: Origin,
        source: Source,
        entrypoint: String,
    ) -> CheckpointId {
        let id = self.next_checkpoint(now, request.run);
        let step = origin.step.unwrap_or(0);
        let checkpoint = Checkpoint {
            id,
            parent: origin.parent,
            created_at: now,
            source,
            step,
            run: request.run,
            entrypoint: entrypoint.clone(),
            values: origin.values,
            saved: origin.previous,
            input: None,
            goes_on: false,
            tasks: Vec::new(),
            progress: Progress::default(),
            metadata: request.settings.config.scalars(),
            children: origin.children,
        };
        let made = self.header.as_ref().map_or(0, |header| header.checkpoints_made);
        let header = ThreadHeader {
            thread: self.setup.thread.clone(),
            entrypoint,
            status: ThreadStatus::Idle,
            run: request.run,
            execution: None,
            head: id,
            step,
            base: Some(id),
            asking: Vec::new(),
            children: self.children(),
            checkpoints_made: made + 1,
            updated_at: now,
        };
        self.turn.set_header(header.clone());
        self.turn.set_activity(Activity::Parked);
        self.header = Some(header);
        self.turn.drop_journal();
        self.behind = Behind::default();
        self.turn.put_checkpoint(checkpoint.clone());
        self.turn.set_base(id);
        self.base = Some(checkpoint);
        self.state = State::at_rest(Vec::new());
        id
    }

    /// The checkpoint from which the given up execution started shows the new value as its result.
    fn show_result(&mut self, at: Option<&Checkpoint>, values: &Payload) {
        let result = Some(values.clone());
        match (at, &self.state) {
            (Some(at), _) if at.input.is_some() => {
                let progress = Progress { result, ..at.progress.clone() };
                self.turn.put_checkpoint(Checkpoint { progress, ..at.clone() });
            }
            (None, State::Resting { journal, .. }) => {
                if let Some(Entry { at, fact: Fact::Began(began) }) = journal.first() {
                    let progress = Progress { result, ..index::last_progress(journal) };
                    self.turn.put_checkpoint(Self::first_checkpoint(began, *at, progress));
                }
            }
            _ => {}
        }
    }

    /// Removes the thread. What it has queued is taken back; what runs of it is dropped.
    pub(super) fn delete(&mut self, now: Millis, run: RunId) {
        let mut executions: BTreeSet<_> =
            self.in_flight().keys().map(|open| open.execution).collect();
        let doubted = self.header.as_ref().filter(|_| self.is_in_doubt());
        executions.extend(doubted.and_then(|header| header.execution));
        self.in_doubt = false;
        for execution in executions {
            self.turn.withdraw(execution);
        }
        self.turn.delete();
        self.cancel_waiting(now);
        self.header = None;
        self.base = None;
        self.log = None;
        self.behind = Behind::default();
        self.state = State::at_rest(Vec::new());
        self.end_edit(now, run, None);
    }

    /// Removes checkpoints, but none that the thread needs.
    pub(super) fn prune(
        &mut self,
        now: Millis,
        run: RunId,
        checkpoints: &[CheckpointId],
    ) -> Result<(), Refusal> {
        let Some(header) = &self.header else { return Err(self.nothing_to_continue()) };
        let needed = [Some(header.head), header.base];
        let removed = checkpoints.iter().filter(|id| !needed.contains(&Some(**id))).copied();
        self.turn.drop_checkpoints(removed);
        self.end_edit(now, run, None);
        Ok(())
    }

    /// Makes this thread a copy of another.
    pub(super) fn import(
        &mut self,
        now: Millis,
        run: RunId,
        copy: ThreadCopy,
    ) -> Result<(), Refusal> {
        if self.header.is_some() {
            return Err(Refusal::ThreadExists);
        }
        let ThreadCopy { mut header, journal, checkpoints } = copy;
        // What stands before the step in progress is of no use.
        let (_, journal) = Behind::split(journal, header.run);
        if header.status == ThreadStatus::Running {
            return Err(Refusal::Busy { run: header.run });
        }
        header.thread = self.setup.thread.clone();
        header.updated_at = now;
        let head = header.head;
        self.base = checkpoints.iter().find(|one| Some(one.id) == header.base).cloned();
        if let Some(base) = header.base {
            self.turn.set_base(base);
        }
        for checkpoint in checkpoints {
            self.turn.put_checkpoint(checkpoint);
        }
        for entry in &journal {
            self.turn.append(entry.clone());
        }
        self.header = Some(header);
        self.state = State::at_rest(journal);
        self.end_edit(now, run, Some(head));
        Ok(())
    }

    fn end_edit(&mut self, now: Millis, run: RunId, checkpoint: Option<CheckpointId>) {
        if let Some(header) = &mut self.header {
            header.run = run;
            self.turn.set_header(header.clone());
            self.turn.set_activity(Activity::Parked);
        }
        let mut log = RunLog::new(run);
        self.turn.event(&mut log, now, EventKind::RunEnded(RunOutcome::Edited(checkpoint)));
        self.log = Some(log);
    }
}
