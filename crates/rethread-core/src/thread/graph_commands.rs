//! Commands as the input of graphs: they change the step that starts at a checkpoint in place.

use crate::checkpoint::{Checkpoint, Progress};
use crate::event::Refusal;
use crate::graph::{GraphChange, GraphCommand, GraphEdit, TaskView};
use crate::header::ThreadStatus;
use crate::ids::{CallId, ExecutionId, Millis, RunId};
use crate::journal::{Began, Entry, Fact};
use crate::message::CommandInput;
use crate::payload::Payload;
use crate::thread::behind::Behind;
use crate::thread::commands::Request;
use crate::thread::graphs::{Edited, edit_caught};
use crate::thread::{State, ThreadMachine, index};

impl ThreadMachine {
    /// Goes on with a command.
    pub(super) fn command(
        &mut self,
        now: Millis,
        mut request: Request,
        input: CommandInput,
    ) -> Result<(), Refusal> {
        let CommandInput { answers, command } = input;
        // Answers at the newest checkpoint are for what is open there.
        if answers.is_some() && self.older_checkpoint(&request).is_none() {
            request.at = None;
        }
        if let Some(at) = request.at.take() {
            request.commanded =
                Some(Box::new(self.commanded_checkpoint(&at, request.run, command)?));
            request.at = Some(at);
            return match answers {
                Some(answers) => self.resume(now, request, answers),
                None => self.go_on(now, request),
            };
        }
        let Some(header) = &self.header else {
            return Err(match request.is_lenient {
                true => Refusal::EmptyInput,
                false => self.nothing_to_continue(),
            });
        };
        match header.status {
            ThreadStatus::Idle => return self.command_the_end(now, request, command),
            _ => {
                // What would be refused must not change anything.
                self.check_answers(answers.as_ref(), request.is_lenient)?;
                self.command_the_step(now, &request, command)?;
            }
        }
        let status = self.header.as_ref().map(|header| &header.status);
        match (answers, status) {
            (Some(answers), Some(ThreadStatus::Interrupted(_))) => {
                self.resume(now, request, answers)
            }
            _ => self.go_on(now, request),
        }
    }

    /// Changes the step that the thread rests in. The journal keeps it as it was, too, until the
    /// run that is to follow has ended.
    fn command_the_step(
        &mut self,
        now: Millis,
        request: &Request,
        command: GraphCommand,
    ) -> Result<(), Refusal> {
        let State::Resting { journal, .. } = &self.state else { return Err(self.busy()) };
        let Some(Entry { fact: Fact::Began(began), .. }) = journal.first() else {
            return Err(self.nothing_to_continue());
        };
        let mut began = (**began).clone();
        let edited = self.commanded(
            &began.entrypoint,
            (&began.previous, &began.values),
            request.run,
            command,
        )?;
        began.previous = Some(edited.saved);
        (began.values, began.is_changed) = (edited.values, true);
        // An input that stands ready is still to be taken.
        if began.goes_on {
            began.tasks = edited.tasks;
        }
        let mut progress = index::last_progress(journal);
        if let Some(graph) = &mut progress.graph {
            let added = began.tasks.iter().filter(|task| task.added);
            let shown: Vec<_> = added.map(TaskView::planned).collect();
            let is_new = |task: &TaskView| {
                !graph.view.tasks.iter().any(|known| known.added && known.name == task.name)
            };
            let new: Vec<_> = shown.into_iter().filter(is_new).collect();
            graph.view.tasks.extend(new);
        }
        let beginning = Entry { at: now, fact: self.further_run(request, Vec::new()) };
        if let State::Resting { journal, .. } = &mut self.state {
            let mut kept = journal.clone();
            kept.push(beginning.clone());
            self.behind.keep(kept);
            match self.behind.without_garbage() {
                Some(kept) => self.turn.rewrite_journal(kept),
                None => self.turn.append(beginning),
            }
            if let Some(first) = journal.first_mut() {
                first.fact = Fact::Began(Box::new(began));
            }
        }
        self.write_step(progress, None);
        Ok(())
    }

    /// Changes what the thread has come to at its end, and runs what that leads to.
    fn command_the_end(
        &mut self,
        now: Millis,
        request: Request,
        command: GraphCommand,
    ) -> Result<(), Refusal> {
        let (Some(base), Some(header)) = (&self.base, &self.header) else {
            return Err(self.nothing_to_continue());
        };
        let previous = base.previous().cloned();
        let edited =
            self.commanded(&header.entrypoint, (&previous, &base.values), request.run, command)?;
        let Edited { saved, values, tasks, .. } = edited;
        let changed = Checkpoint { values, saved: Some(saved), ..base.clone() };
        if tasks.is_empty() {
            self.turn.put_checkpoint(changed.clone());
            self.base = Some(changed);
            self.give_value(now, request.run);
            return Ok(());
        }
        let first = Checkpoint {
            input: Some(Payload::NULL),
            goes_on: true,
            tasks: tasks.clone(),
            progress: Progress::default(),
            ..changed.clone()
        };
        let fact = Fact::Changed { run: request.run, checkpoint: Box::new(base.clone()) };
        let before = Entry { at: now, fact };
        let execution = ExecutionId::from(request.run);
        let began = Began {
            run: request.run,
            execution,
            root: CallId::root(execution),
            entrypoint: changed.entrypoint,
            input: Payload::NULL,
            previous: changed.saved,
            values: changed.values,
            goes_on: true,
            tasks,
            steps: 0,
            took_input: false,
            carried: None,
            is_changed: true,
            children: changed.children,
            answer: None,
            source: changed.source,
            checkpoint: changed.id,
            parent: changed.parent,
            step: changed.step,
            settings: request.settings,
            events: 1,
        };
        let in_flight = self.in_flight();
        if let Some(header) = &mut self.header {
            header.execution = Some(execution);
        }
        self.turn.put_checkpoint(first);
        self.turn.drop_journal();
        self.turn.append(before.clone());
        self.behind = Behind::of(vec![before]);
        let entry = Entry { at: now, fact: Fact::Began(Box::new(began)) };
        self.turn.append(entry.clone());
        self.begin_run(now, request.run, vec![entry], in_flight, true);
        Ok(())
    }

    /// An older checkpoint with a command for the step that starts there.
    fn commanded_checkpoint(
        &self,
        at: &Checkpoint,
        run: RunId,
        command: GraphCommand,
    ) -> Result<Checkpoint, Refusal> {
        let previous = at.previous().cloned();
        let edited = self.commanded(&at.entrypoint, (&previous, &at.values), run, command)?;
        let changed = Checkpoint { values: edited.values, saved: Some(edited.saved), ..at.clone() };
        // An input that stands ready there is still to be taken.
        if at.input.is_some() && !at.goes_on {
            return Ok(changed);
        }
        let tasks = edited.tasks;
        let goes_on = !tasks.is_empty();
        let input = goes_on.then_some(Payload::NULL);
        Ok(Checkpoint { tasks, goes_on, input, ..changed })
    }

    fn commanded(
        &self,
        entrypoint: &str,
        (previous, values): (&Option<Payload>, &Payload),
        run: RunId,
        command: GraphCommand,
    ) -> Result<Edited, Refusal> {
        let edit = GraphEdit {
            run: Some(run),
            previous: previous.clone(),
            values: values.clone(),
            results: Vec::new(),
            change: GraphChange::Command(command),
        };
        edit_caught(&*self.setup.program, entrypoint, &edit)
    }
}
