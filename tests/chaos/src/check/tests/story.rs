//! Writes histories.

use std::collections::BTreeMap;

use crate::check::{INVARIANTS, Line, Log, World, violations};
use crate::history::{End, Entry, Fact, Kind, Reader};
use crate::ledger::{Effect, Phase};
use crate::program::{Memory, Op, Program, answer_to, value_of};

/// Nanoseconds of one tick of the stories.
const TICK: u64 = 1_000_000;

/// A history, a ledger and a dump in the making. Times are milliseconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Story {
    entries: Vec<Entry>,
    effects: Vec<Effect>,
    faults: u64,
}

/// An end that becomes the result of the program when the story is told.
pub(super) fn done() -> Option<End> {
    None
}

/// An end with questions.
pub(super) fn asks(questions: &[(&str, u32)]) -> Option<End> {
    let asks = questions.iter().map(|(id, step)| ((*id).to_owned(), *step)).collect();
    Some(End::Interrupted { asks })
}

/// An end as a failure of this kind.
pub(super) fn failed(kind: &str) -> Option<End> {
    Some(End::Failed { kind: kind.to_owned(), message: String::new() })
}

/// An end as a refusal.
pub(super) fn refused() -> Option<End> {
    Some(End::Refused { reason: "no open interrupt".to_owned() })
}

impl Story {
    pub(super) fn say(mut self, at: u64, kind: Kind, fact: Fact) -> Self {
        self.entries.push(Entry { at: at * TICK, process: "driver".to_owned(), kind, fact });
        self
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn spawn(self, name: &str, pid: u32) -> Self {
        self.say(0, Kind::Info, Fact::Spawn { name: name.to_owned(), pid })
    }

    pub(super) fn exit(self, name: &str, pid: u32, is_wanted: bool) -> Self {
        let (name, status) = (name.to_owned(), "signal: 6".to_owned());
        self.say(5, Kind::Info, Fact::Exit { name, pid, status, is_wanted })
    }

    pub(super) fn start(
        self,
        at: u64,
        thread: &str,
        run: &str,
        execution: u64,
        ops: Vec<Op>,
    ) -> Self {
        let program = Program { execution, ops };
        let (thread, run) = (thread.to_owned(), run.to_owned());
        self.say(at, Kind::Invoke, Fact::Start { thread, run, program, contest: None })
    }

    /// Answers by execution and question; all questions are those of step 5.
    pub(super) fn resume(
        self,
        at: u64,
        thread: &str,
        run: &str,
        execution: u64,
        questions: &[&str],
        is_right: bool,
    ) -> Self {
        let answer = answer_to(execution, 5);
        let answers = questions.iter().map(|id| ((*id).to_owned(), answer)).collect();
        let (thread, run) = (thread.to_owned(), run.to_owned());
        self.say(
            at,
            Kind::Invoke,
            Fact::Resume { thread, run, execution, answers, is_right, in_crowd: false },
        )
    }

    pub(super) fn accepted(self, at: u64, run: &str) -> Self {
        self.say(at, Kind::Ok, Fact::Submit { run: run.to_owned(), error: None })
    }

    pub(super) fn not_accepted(self, at: u64, run: &str) -> Self {
        let error = Some("no".to_owned());
        self.say(at, Kind::Fail, Fact::Submit { run: run.to_owned(), error })
    }

    /// The call of a step is named by execution and step.
    pub(super) fn seen(self, at: u64, run: &str, execution: u64, step: u32) -> Self {
        let call = format!("{execution}/{step}");
        self.say(at, Kind::Info, Fact::Seen { run: run.to_owned(), seq: 1, call })
    }

    /// A reading of so many events, with what the steps of `emitted` wrote.
    pub(super) fn read(
        self,
        at: u64,
        run: &str,
        reader: Reader,
        count: u64,
        emitted: &[u32],
        end: Option<End>,
    ) -> Self {
        let execution = self.execution_of(run);
        let end = end.unwrap_or_else(|| End::Done { value: self.result(execution) });
        let emitted = emitted.iter().map(|step| value_of(execution, *step)).collect();
        let events = (1..=count).map(|seq| (seq, seq * 100)).collect();
        let kind = if matches!(end, End::Unread { .. }) { Kind::Fail } else { Kind::Ok };
        self.say(at, kind, Fact::Read { run: run.to_owned(), reader, events, emitted, end })
    }

    pub(super) fn fault(mut self, from: u64, until: u64, fault: &str, target: &str) -> Self {
        self.faults += 1;
        let fact = |number| Fact::Fault {
            number,
            fault: fault.to_owned(),
            target: target.to_owned(),
            pid: None,
        };
        let number = self.faults;
        self.say(from, Kind::Invoke, fact(number)).say(until, Kind::Ok, fact(number))
    }

    pub(super) fn healed(self, at: u64) -> Self {
        self.say(at, Kind::Info, Fact::Healed)
    }

    /// What the dump has of a thread; items by key and the step that put them, in execution 1.
    pub(super) fn thread(self, thread: &str, status: &str, items: &[(u8, u32)]) -> Self {
        let items: BTreeMap<String, u64> =
            items.iter().map(|(key, step)| (key.to_string(), value_of(1, *step))).collect();
        let (thread, status) = (thread.to_owned(), status.to_owned());
        self.say(1_000_000, Kind::Ok, Fact::Thread { thread, status, items })
    }

    /// A body that starts and gives its result one tick later.
    pub(super) fn body(
        self,
        at: u64,
        pid: u32,
        execution: u64,
        step: u32,
        run: &str,
        attempt: u32,
    ) -> Self {
        self.effect(at, pid, Phase::Start, execution, step, run, attempt).effect(
            at + 1,
            pid,
            Phase::End,
            execution,
            step,
            run,
            attempt,
        )
    }

    #[expect(clippy::too_many_arguments, reason = "a line of the ledger has as many fields")]
    pub(super) fn effect(
        mut self,
        at: u64,
        pid: u32,
        phase: Phase,
        execution: u64,
        step: u32,
        run: &str,
        attempt: u32,
    ) -> Self {
        let (run, call) = (run.to_owned(), format!("{execution}/{step}"));
        self.effects.push(Effect {
            at: at * TICK,
            pid,
            phase,
            execution,
            step,
            run,
            call,
            attempt,
        });
        self
    }

    /// Changes the newest entry.
    pub(super) fn but(mut self, change: impl FnOnce(&mut Fact)) -> Self {
        if let Some(last) = self.entries.last_mut() {
            change(&mut last.fact);
        }
        self
    }

    /// What breaks an invariant in this story.
    pub(super) fn breaches(&self, id: &str) -> Vec<String> {
        let line = |at: usize, entry: &Entry| Line { at: at.to_string(), entry: entry.clone() };
        let log = self.entries.iter().enumerate().map(|(at, entry)| line(at, entry)).collect();
        let effects = self.effects.iter().enumerate();
        let ledger = effects.map(|(at, entry)| Line { at: at.to_string(), entry: entry.clone() });
        let world = World::new(Log::of(log), ledger.collect());
        assert!(INVARIANTS.iter().any(|invariant| invariant.id == id), "there is no {id}");
        let found = violations(&world).into_iter().filter(|found| found.invariant.id == id);
        found.map(|found| found.breach.text).collect()
    }

    /// Asserts that one invariant is broken once, in these words.
    pub(super) fn breaks(&self, id: &str, words: &str) {
        let breaches = self.breaches(id);
        assert!(breaches.len() == 1 && breaches[0].contains(words), "{id}: {breaches:?}");
    }

    /// Asserts that one of the breaches of an invariant is in these words.
    pub(super) fn breaks_among(&self, id: &str, words: &str) {
        let breaches = self.breaches(id);
        assert!(breaches.iter().any(|text| text.contains(words)), "{id}: {breaches:?}");
    }

    /// Asserts that an invariant holds.
    pub(super) fn keeps(&self, id: &str) {
        assert_eq!(self.breaches(id), Vec::<String>::new(), "{id}");
    }

    fn execution_of(&self, run: &str) -> u64 {
        let of = |entry: &Entry| match &entry.fact {
            Fact::Start { run: of, program, .. } if of == run => Some(program.execution),
            Fact::Resume { run: of, execution, .. } if of == run => Some(*execution),
            _ => None,
        };
        self.entries.iter().find_map(of).expect("the run was asked for")
    }

    /// What an execution gives, with what those before it left.
    fn result(&self, execution: u64) -> u64 {
        let mut memory = Memory::default();
        for entry in &self.entries {
            if let Fact::Start { program, .. } = &entry.fact {
                let value = program.expected(&mut memory);
                if program.execution == execution {
                    return value;
                }
            }
        }
        0
    }
}
