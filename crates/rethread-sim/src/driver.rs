//! The clients: each drives one thread through its scenes, and knows what must come of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::join;
use rethread_core::event::{Event, EventKind, Interrupt, Refusal, RunOutcome};
use rethread_core::failure::kind;
use rethread_core::graph::Breakpoints;
use rethread_core::header::ThreadHeader;
use rethread_core::ids::{InterruptId, OpId, RunId, ThreadId};
use rethread_core::message::{Action, Answers, Cancel, Command, InboxMessage, Multitask};
use rethread_core::payload::Payload;
use rethread_core::record::Record;
use rethread_core::settings::RunSettings;
use rethread_storage::memory::MemoryStorage;
use rethread_storage::{Storage, StorageError};
use tokio::time::timeout;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::app::{BROKEN, ENTRYPOINT, Question};
use crate::goals::Goal;
use crate::graph::{GRAPH, PAUSES, Played, input};
use crate::plan::{Plan, Scene, Second, ThreadPlan};
use crate::program::{Program, answer_to};
use crate::random::{Random, mix};
use crate::storage::FaultyStorage;
use crate::witness::Witness;
use crate::world::wait;

/// Events of one read.
const PAGE: usize = 50;
/// How long a reader waits to be woken.
const POLL: Duration = Duration::from_secs(2);
/// How long a client believes in a run that the storage may have forgotten.
const BELIEF_MS: u64 = 15_000;
/// Runs of one execution; more than any program needs.
const RUNS_MAX: u32 = 200;

/// The world does not go on as it should, or the storage was put back: the scene ends.
struct GivenUp;

type Told<T> = Result<T, GivenUp>;

/// What drives the threads of a world.
pub(crate) struct Driver {
    storage: Arc<FaultyStorage>,
    witness: Arc<Witness>,
    seed: u64,
    threads: Vec<ThreadId>,
    state: Mutex<State>,
    was_put_back: AtomicBool,
    has_rollback: bool,
    is_calm: bool,
}

#[derive(Default)]
struct State {
    random: Option<Random>,
    /// What readers saw of the runs that have ended: count and digest.
    logs: BTreeMap<RunId, (usize, u64, u64)>,
    /// Threads that were removed.
    deleted: BTreeSet<usize>,
    /// Runs of graphs that may pause.
    pausing: BTreeSet<RunId>,
    /// What each thread waits for.
    waits: BTreeMap<usize, String>,
}

/// One thread as its client knows it.
struct Thread<'a> {
    driver: &'a Driver,
    nth: usize,
    id: ThreadId,
    /// Whether its programs are played by a graph.
    is_graph: bool,
    /// What the last execution saved.
    previous: Option<u64>,
    /// Whatever executions may have saved.
    saved: Vec<Option<u64>>,
}

impl Driver {
    pub(crate) fn new(storage: Arc<FaultyStorage>, witness: Arc<Witness>, plan: &Plan) -> Self {
        let name = |nth| format!("s{}-t{nth}", plan.seed);
        let threads = (0..plan.threads.len())
            .map(|nth| ThreadId::new(name(nth)).expect("invariant: a short text is an id"));
        let random = Some(Random::of(&[plan.seed, 5]));
        Self {
            storage,
            witness,
            seed: plan.seed,
            threads: threads.collect(),
            state: Mutex::new(State { random, ..State::default() }),
            was_put_back: AtomicBool::new(false),
            has_rollback: plan.has_rollback,
            is_calm: plan.is_calm,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn random<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(self.state().random.get_or_insert_with(|| Random::of(&[self.seed])))
    }

    pub(crate) fn threads(&self) -> &[ThreadId] {
        &self.threads
    }

    /// Whether a thread was removed.
    pub(crate) fn is_deleted(&self, nth: usize) -> bool {
        self.state().deleted.contains(&nth)
    }

    pub(crate) fn waits(&self) -> String {
        format!("{:?}", self.state().waits)
    }

    /// The storage was put back to an earlier state.
    pub(crate) fn rolled_back(&self) {
        self.was_put_back.store(true, Ordering::Relaxed);
    }

    fn may_have_forgotten(&self) -> bool {
        self.was_put_back.load(Ordering::Relaxed)
    }

    /// Drives a thread through its scenes.
    pub(crate) async fn drive(&self, nth: usize, plan: ThreadPlan) {
        let ThreadPlan { is_graph, scenes } = plan;
        let (id, saved) = (self.threads[nth].clone(), vec![None]);
        let mut thread = Thread { driver: self, nth, id, is_graph, previous: None, saved };
        for scene in scenes {
            if thread.play(scene).await.is_err() {
                break;
            }
        }
        if self.has_rollback {
            // Whatever was lost, the thread works.
            thread.finish_after_rollback().await;
        }
        if !self.has_rollback && self.random(|random| random.permille(400)) {
            thread.delete().await;
        }
        self.state().waits.remove(&nth);
    }

    /// What the storage holds of each run is what its reader saw.
    pub(crate) fn check_logs(&self, storage: &MemoryStorage) {
        if self.may_have_forgotten() {
            return;
        }
        let partitions = self.storage.partitions();
        for (run, (nth, count, digest)) in &self.state().logs {
            let partition = self.threads[*nth].key().partition(partitions);
            let records =
                storage.with_model(|model| model.read_events(partition, *run, 0, 100_000));
            let records = records.unwrap_or_default();
            let stored = records.iter().fold(0, |all, record| mix(all, xxh3_64(record)));
            if (records.len() as u64, stored) != (*count, *digest) {
                self.witness.complain("I7", || {
                    format!("run {run}: a reader saw {count} events, stored are {}", records.len())
                });
            }
            self.witness.check_log(*run, *count);
        }
    }
}

impl Thread<'_> {
    async fn play(&mut self, scene: Scene) -> Told<()> {
        match scene {
            Scene::Plain(program) => {
                let run = self.start(&program, Multitask::Reject).await;
                self.finish(&program, run).await
            }
            Scene::Cancelled { program, after_ms } => {
                let run = self.start(&program, Multitask::Reject).await;
                wait(after_ms).await;
                let cancel = Action::Cancel(Cancel { run: Some(run), roll_back: false });
                let cancel = self.submit(cancel, Multitask::Reject).await;
                let (outcome, _) = join!(self.outcome(run), self.outcome(cancel));
                let outcome = outcome?;
                self.reach_in_graph(&outcome, RunOutcome::Cancelled, Goal::GraphCancelled);
                self.go_on(&program, run, outcome).await
            }
            Scene::Second { first, second, how, after_ms } => {
                self.play_second(&first, &second, how, after_ms).await
            }
        }
    }

    async fn play_second(
        &mut self,
        first: &Program,
        second: &Program,
        how: Second,
        after_ms: u64,
    ) -> Told<()> {
        let multitask = match how {
            Second::Reject => Multitask::Reject,
            Second::Enqueue => Multitask::Enqueue,
            Second::Interrupt => Multitask::Interrupt,
            Second::Rollback => Multitask::Rollback,
        };
        let one = self.start(first, Multitask::Reject).await;
        wait(after_ms).await;
        let two = self.start(second, multitask).await;
        let (outcome, other) = join!(self.outcome(one), self.outcome(two));
        let (outcome, other) = (outcome?, other?);
        if matches!(other, RunOutcome::Refused(Refusal::Busy { .. })) {
            if how != Second::Reject {
                return Err(self.fail("P6", format!("second run refused in spite of {how:?}")));
            }
            self.driver.witness.reach(Goal::Rejected);
            return self.go_on(first, one, outcome).await;
        }
        match &outcome {
            // Given up by the second, too.
            RunOutcome::Done(value) if self.has_paused(first, one, value) => {}
            RunOutcome::Done(value) => self.done(first, value)?,
            RunOutcome::Cancelled if how == Second::Interrupt => {
                self.driver.witness.reach(Goal::InterruptedBySecond);
            }
            RunOutcome::Cancelled if how == Second::Rollback => {
                self.driver.witness.reach(Goal::RolledBackBySecond);
                self.reach_in_graph(&outcome, RunOutcome::Cancelled, Goal::GraphRolledBack);
            }
            // Given up by the second.
            RunOutcome::Interrupted(_) | RunOutcome::Failed(_) => {}
            outcome => {
                return Err(self.fail("I1", format!("first run of two ended: {outcome:?}")));
            }
        }
        if how == Second::Enqueue {
            self.driver.witness.reach(Goal::Enqueued);
        }
        self.go_on(second, two, other).await
    }

    async fn start(&mut self, program: &Program, multitask: Multitask) -> RunId {
        let saved: Vec<_> =
            self.saved.iter().map(|saved| Some(program.expected(*saved).1)).collect();
        self.saved.extend(saved);
        let (entrypoint, input) = match self.is_graph {
            true => (GRAPH, Payload::encode(&input(program), "an input")),
            false => (ENTRYPOINT, Payload::encode(program, "a program")),
        };
        let input = input.expect("invariant: programs encode");
        self.submit(Action::Start { entrypoint: entrypoint.into(), input }, multitask).await
    }

    /// Where a run of a graph pauses: some do that, if others do not depend on how they end.
    fn breakpoints(&self, multitask: Multitask) -> Breakpoints {
        if !self.is_graph || multitask != Multitask::Reject {
            return Breakpoints::default();
        }
        self.driver.random(|random| {
            let mut some = |permille| {
                let nodes = PAUSES.iter().filter(|_| random.permille(permille));
                nodes.map(ToString::to_string).collect()
            };
            Breakpoints { before: some(100), after: some(50) }
        })
    }

    fn reach_in_graph(&self, outcome: &RunOutcome, wanted: RunOutcome, goal: Goal) {
        if self.is_graph && *outcome == wanted {
            self.driver.witness.reach(goal);
        }
    }

    /// Submits a request until it is accepted, always the same.
    async fn submit(&self, action: Action, multitask: Multitask) -> RunId {
        let driver = self.driver;
        let run = driver.random(|random| (random.next(), random.next()));
        let run = RunId::from_uuid(Uuid::from_u64_pair(run.0, run.1));
        self.note("submit", run, || format!("{action:?} {multitask:?}"));
        let breakpoints = self.breakpoints(multitask);
        if !breakpoints.is_empty() {
            driver.state().pausing.insert(run);
        }
        let command = Command {
            thread: self.id.clone(),
            run,
            settings: Box::new(RunSettings { breakpoints, ..RunSettings::default() }),
            at: None,
            is_lenient: false,
            multitask,
            action,
        };
        let message = InboxMessage::Command(command).to_record();
        let op = OpId::from_bytes(*run.as_uuid().as_bytes());
        let partition = self.id.key().partition(driver.storage.partitions());
        let mut pause = 10;
        loop {
            match driver.storage.submit(partition, op, message.clone()).await {
                Ok(()) => return run,
                Err(
                    StorageError::Unavailable { .. }
                    | StorageError::Unknown { .. }
                    | StorageError::Full { .. }
                    | StorageError::Overloaded { .. },
                ) => {}
                Err(error) => driver.witness.complain("I1", || format!("submit: {error}")),
            }
            wait(pause).await;
            pause = (pause * 2).min(1_000);
        }
    }

    /// Waits for the end of a run.
    async fn outcome(&self, run: RunId) -> Told<RunOutcome> {
        let driver = self.driver;
        let partition = self.id.key().partition(driver.storage.partitions());
        let (mut seen, mut digest) = (0, 0);
        let mut moved_at = driver.witness.now();
        driver.state().waits.insert(self.nth, format!("end of run {run}"));
        loop {
            let watch = driver.storage.watch_events(partition, run).await;
            let read = driver.storage.read_events(partition, run, seen, PAGE).await;
            let (Ok(mut watch), Ok(records)) = (watch, read) else {
                wait(20).await;
                continue;
            };
            for record in &records {
                let Ok(event) = Event::from_record(record) else {
                    return Err(self.fail("I13", format!("event of run {run} cannot be read")));
                };
                if event.seq != seen + 1 {
                    let what = format!("run {run}: event {} behind {seen}", event.seq);
                    return Err(self.fail("I7", what));
                }
                seen += 1;
                digest = mix(digest, xxh3_64(record));
                if let EventKind::RunEnded(outcome) = event.kind {
                    driver.state().logs.insert(run, (self.nth, seen, digest));
                    self.note("ended", run, || format!("{outcome:?}"));
                    return Ok(outcome);
                }
            }
            if !records.is_empty() {
                moved_at = driver.witness.now();
                continue;
            }
            if driver.may_have_forgotten() && driver.witness.now() > moved_at + BELIEF_MS {
                return Err(GivenUp);
            }
            // Wake-ups are hints.
            let _ = timeout(POLL, watch.changed()).await;
        }
    }

    /// Goes on with an execution until it has completed.
    async fn finish(&mut self, program: &Program, run: RunId) -> Told<()> {
        let outcome = self.outcome(run).await?;
        self.go_on(program, run, outcome).await
    }

    async fn go_on(
        &mut self,
        program: &Program,
        mut run: RunId,
        mut outcome: RunOutcome,
    ) -> Told<()> {
        for _ in 0..RUNS_MAX {
            run = match outcome {
                RunOutcome::Done(value) if self.has_paused(program, run, &value) => {
                    self.driver.witness.reach(Goal::GraphPaused);
                    self.submit(Action::Retry, Multitask::Reject).await
                }
                RunOutcome::Done(value) => return self.done(program, &value),
                RunOutcome::Interrupted(asks) => self.answer(program, &asks).await?,
                RunOutcome::Failed(failure)
                    if failure.kind == BROKEN
                        || failure.kind == kind::POISONED && !self.driver.is_calm =>
                {
                    self.driver.witness.reach(Goal::Retried);
                    if self.is_graph {
                        self.driver.witness.reach(Goal::GraphRetried);
                    }
                    self.submit(Action::Retry, Multitask::Reject).await
                }
                RunOutcome::Cancelled => self.submit(Action::Retry, Multitask::Reject).await,
                RunOutcome::Joined(other) => {
                    self.driver.witness.reach(Goal::Joined);
                    other
                }
                outcome => {
                    let what = format!("execution {} ended: {outcome:?}", program.execution);
                    return Err(self.fail("I1", format!("{what} (run {run})")));
                }
            };
            let early =
                self.driver.random(|random| random.permille(250).then(|| random.below(150)));
            outcome = match early {
                None => self.outcome(run).await?,
                Some(after_ms) => {
                    let (outcome, early) =
                        join!(self.outcome(run), self.answer_early(program, after_ms));
                    match (outcome?, early?) {
                        (RunOutcome::Interrupted(_), Some((by_itself, outcome))) => {
                            run = by_itself;
                            outcome
                        }
                        (RunOutcome::Done(value), Some((by_itself, outcome)))
                            if self.has_paused(program, run, &value) =>
                        {
                            run = by_itself;
                            outcome
                        }
                        (outcome, None) => outcome,
                        (outcome, Some(other)) => {
                            let what = format!("two runs at a time: {outcome:?}, {other:?}");
                            return Err(self.fail("P4", what));
                        }
                    }
                }
            };
        }
        Err(self.fail("I1", format!("execution {} does not end", program.execution)))
    }

    /// Answers open questions, some or all of them, sometimes twice.
    async fn answer(&mut self, program: &Program, asks: &[Interrupt]) -> Told<RunId> {
        self.driver.witness.reach(Goal::Interrupted);
        if self.is_graph {
            self.driver.witness.reach(Goal::GraphAsked);
            let in_child = asks.iter().any(|ask| ask.path.len() > 1);
            self.driver.witness.reach_times(Goal::InnerGraphAsked, in_child.into());
        }
        let (all, twice) = self.driver.random(|r| (r.permille(600), r.permille(250)));
        let answers = self.answers(program, if all { asks } else { &asks[..1] })?;
        if !twice {
            return Ok(self.submit(resume(answers), Multitask::Reject).await);
        }
        let (one, two) = join!(
            self.submit(resume(answers.clone()), Multitask::Reject),
            self.submit(resume(answers), Multitask::Reject),
        );
        let (first, second) = join!(self.outcome(one), self.outcome(two));
        self.driver.witness.reach(Goal::AnsweredTwice);
        match (first?, second?) {
            (RunOutcome::Refused(_), RunOutcome::Refused(_)) => {
                Err(self.fail("P6", "equal answers were both refused".into()))
            }
            (_, RunOutcome::Refused(_) | RunOutcome::Joined(_)) => Ok(one),
            (RunOutcome::Refused(_) | RunOutcome::Joined(_), _) => Ok(two),
            // What comes when a graph has paused goes on from there, answers or not.
            (RunOutcome::Done(value), _) if self.has_paused(program, one, &value) => Ok(two),
            (_, RunOutcome::Done(value)) if self.has_paused(program, two, &value) => Ok(one),
            (first, second) => {
                Err(self.fail("P6", format!("equal answers twice: {first:?} and {second:?}")))
            }
        }
    }

    /// The right answers to questions.
    fn answers(
        &self,
        program: &Program,
        asks: &[Interrupt],
    ) -> Told<BTreeMap<InterruptId, Payload>> {
        let mut answers = BTreeMap::new();
        for ask in asks {
            let Ok(Question { execution, id }) = ask.value.decode("a question") else {
                return Err(self.fail("I13", "a question cannot be read".into()));
            };
            if execution != program.execution {
                let what = format!("execution {} asks for {execution}", program.execution);
                return Err(self.fail("I16", what));
            }
            let answer = Payload::encode(&answer_to(execution, id), "an answer");
            answers.insert(ask.id, answer.expect("invariant: numbers encode"));
        }
        Ok(answers)
    }

    /// Answers what a run asks while it is in progress.
    /// Gives the run that goes on with the answer by itself, if the other had stopped by then.
    async fn answer_early(
        &self,
        program: &Program,
        after_ms: u64,
    ) -> Told<Option<(RunId, RunOutcome)>> {
        wait(after_ms).await;
        let driver = self.driver;
        let key = self.id.key();
        let partition = key.partition(driver.storage.partitions());
        let Ok(Some(record)) = driver.storage.read_header(partition, key).await else {
            return Ok(None);
        };
        let Ok(header) = ThreadHeader::from_record(&record.header) else {
            return Err(self.fail("I13", "the header cannot be read".into()));
        };
        let Some(ask) = header.asking.first() else { return Ok(None) };
        let answers = self.answers(program, std::slice::from_ref(ask))?;
        let run = self.submit(resume(answers), Multitask::Reject).await;
        match self.outcome(run).await? {
            RunOutcome::Joined(_) => driver.witness.reach(Goal::Joined),
            RunOutcome::Refused(_) => {}
            outcome => return Ok(Some((run, outcome))),
        }
        Ok(None)
    }

    /// Whether a run of a graph has ended at a breakpoint.
    fn has_paused(&self, program: &Program, run: RunId, value: &Payload) -> bool {
        let played = value.decode::<Played>("a state").unwrap_or_default();
        let may_pause = self.driver.state().pausing.contains(&run);
        self.is_graph && may_pause && played.ended != program.execution
    }

    /// The result in what an execution has given.
    fn result(&self, program: &Program, given: &Payload) -> Option<u64> {
        if !self.is_graph {
            return given.decode("a result").ok();
        }
        let played = given.decode::<Played>("a state").ok()?;
        (played.ended == program.execution).then_some(played.value)
    }

    /// The execution has completed with this value.
    fn done(&mut self, program: &Program, value: &Payload) -> Told<()> {
        let (expected, saved) = program.expected(self.previous);
        let found = self.result(program, value);
        if found != Some(expected) {
            let what = format!(
                "execution {} gave {found:?} instead of {expected}, previous {:?}",
                program.execution, self.previous
            );
            return Err(self.fail("I16", what));
        }
        self.previous = Some(saved);
        Ok(())
    }

    /// Removes the thread.
    async fn delete(&self) {
        let run = self.submit(Action::Delete, Multitask::Reject).await;
        match self.outcome(run).await {
            Ok(RunOutcome::Edited(_)) => {
                self.driver.witness.reach(Goal::Deleted);
                self.driver.state().deleted.insert(self.nth);
            }
            Ok(outcome) => drop(self.fail("P9", format!("delete ended: {outcome:?}"))),
            Err(GivenUp) => {}
        }
    }

    /// The thread works after a rollback of the storage: it is at some earlier point.
    async fn finish_after_rollback(&mut self) {
        if self.driver.witness.has_complaints() {
            return;
        }
        // Each try is an execution of its own, whose bodies run anew.
        for execution in (1_000 + self.nth as u64..).step_by(1_000) {
            let program = Program::calm(execution);
            let known = self.saved.len();
            let run = self.start(&program, Multitask::Reject).await;
            match self.outcome(run).await {
                Ok(RunOutcome::Refused(Refusal::Busy { .. })) => {
                    // It has saved nothing. What may have been saved doubles with each start.
                    self.saved.truncate(known);
                    wait(500).await;
                }
                Err(GivenUp) => wait(500).await,
                Ok(RunOutcome::Done(value)) if self.has_paused(&program, run, &value) => {
                    self.saved.truncate(known);
                }
                Ok(RunOutcome::Done(value)) => {
                    let found = self.result(&program, &value);
                    let is_right = |saved: &Option<u64>| Some(program.expected(*saved).0) == found;
                    if !self.saved.iter().any(is_right) {
                        self.driver.witness.complain("I5", || {
                            format!("thread {} went back to no state that it had", self.id)
                        });
                    }
                    return;
                }
                Ok(RunOutcome::Failed(failure)) if failure.kind == kind::POISONED => {
                    self.saved.truncate(known);
                }
                Ok(outcome) => {
                    return self.driver.witness.complain("I5", || {
                        format!("thread {} after a rollback: {outcome:?}", self.id)
                    });
                }
            }
        }
    }

    fn note(&self, what: &'static str, run: RunId, text: impl FnOnce() -> String) {
        let id = run.as_uuid().as_u64_pair();
        let thread = &self.id;
        self.driver.witness.note(1, what, &[id.0, id.1], || format!("{thread} {run} {}", text()));
    }

    fn fail(&self, invariant: &str, what: String) -> GivenUp {
        if !self.driver.may_have_forgotten() {
            let thread = &self.id;
            self.driver.witness.complain(invariant, || format!("thread {thread}: {what}"));
        }
        GivenUp
    }
}

fn resume(answers: BTreeMap<InterruptId, Payload>) -> Action {
    Action::Resume(Answers::ById(answers))
}
