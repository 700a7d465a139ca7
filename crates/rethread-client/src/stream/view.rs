//! What a stream shows of what happens.

use rethread_core::ids::Millis;

use crate::stream::event::{DebugKind, Mode, StreamData};
use crate::stream::scopes::{Ns, Run};

/// The choice of the reader.
#[derive(Debug, Clone)]
pub(super) struct View {
    modes: Vec<Mode>,
    pub(super) subgraphs: bool,
    /// Whether there are checkpoints to be shown.
    pub(super) checkpoints: bool,
}

impl View {
    pub(super) fn new(modes: Vec<Mode>) -> Self {
        Self { modes, subgraphs: false, checkpoints: true }
    }

    pub(super) fn has(&self, mode: Mode) -> bool {
        self.modes.contains(&mode)
    }

    pub(super) fn has_any(&self, modes: &[Mode]) -> bool {
        modes.iter().any(|mode| self.has(*mode))
    }
}

/// Collects what one event of the log shows.
#[derive(Debug)]
pub(super) struct Sheet<'a> {
    pub(super) view: &'a View,
    pub(super) at: Millis,
    pub(super) shown: Vec<Item>,
    /// How much the event shows in all modes.
    places: u32,
    /// Whether what is shown now is of a node of a graph.
    is_node: bool,
}

/// What one event of the log shows in one mode.
#[derive(Debug)]
pub(super) struct Item {
    /// Its place among what the event shows in all modes.
    pub(super) place: u32,
    pub(super) mode: Mode,
    pub(super) ns: Ns,
    pub(super) is_node: bool,
    pub(super) data: StreamData,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(view: &'a View, at: Millis) -> Self {
        Self { view, at, shown: Vec::new(), places: 0, is_node: false }
    }

    /// Shows what is of a node of a graph.
    pub(super) fn of_node(&mut self, show: impl FnOnce(&mut Self)) {
        self.is_node = true;
        show(self);
        self.is_node = false;
    }

    /// Shows what happened in a run, in one mode.
    pub(super) fn show(&mut self, mode: Mode, run: &Run, data: impl FnOnce() -> StreamData) {
        self.show_at(mode, run, &run.ns, data);
    }

    /// The same, under another path than the run's.
    pub(super) fn show_at(
        &mut self,
        mode: Mode,
        run: &Run,
        ns: &Ns,
        data: impl FnOnce() -> StreamData,
    ) {
        let place = self.take_places(1);
        if self.view.has(mode) && self.is_visible(run) {
            let ns = if self.view.subgraphs { ns.clone() } else { Ns::default() };
            self.shown.push(Item { place, mode, ns, is_node: self.is_node, data: data() });
        }
    }

    /// Shows what is about the run as a whole, which may never have begun.
    pub(super) fn show_of_run(&mut self, mode: Mode, data: impl FnOnce() -> StreamData) {
        let place = self.take_places(1);
        if self.view.has(mode) {
            self.shown.push(Item { place, mode, ns: Ns::default(), is_node: false, data: data() });
        }
    }

    /// Counts what is shown, and what would be in other modes.
    fn take_places(&mut self, count: u32) -> u32 {
        let place = self.places;
        self.places += count;
        place
    }

    /// Shows the start or the end of a call, with its twin of the debug mode.
    pub(super) fn show_task(
        &mut self,
        kind: DebugKind,
        run: &Run,
        data: impl FnOnce() -> StreamData,
    ) {
        self.show_twins(Mode::Tasks, kind, run.step, run, data);
    }

    /// Counts a task that is not shown, whoever knows what it belongs to.
    pub(super) fn leave_out_task(&mut self) {
        self.take_places(2);
    }

    /// Shows a checkpoint, with its twin of the debug mode.
    pub(super) fn show_checkpoint(
        &mut self,
        step: i64,
        run: &Run,
        data: impl FnOnce() -> StreamData,
    ) {
        if self.view.checkpoints {
            self.show_twins(Mode::Checkpoints, DebugKind::Checkpoint, step, run, data);
        }
    }

    fn show_twins(
        &mut self,
        mode: Mode,
        kind: DebugKind,
        step: i64,
        run: &Run,
        data: impl FnOnce() -> StreamData,
    ) {
        if !self.is_visible(run) || !self.view.has_any(&[mode, Mode::Debug]) {
            self.take_places(2);
            return;
        }
        let (data, timestamp) = (data(), self.at);
        self.show(mode, run, || data.clone());
        let payload = Box::new(data);
        self.show(Mode::Debug, run, || StreamData::Debug { step, timestamp, kind, payload });
    }

    fn is_visible(&self, run: &Run) -> bool {
        self.view.subgraphs || run.depth == 0
    }
}
