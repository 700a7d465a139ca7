//! The checker: what must hold of a history, a ledger and a dump, whatever happened.
//!
//! Each invariant is one sentence and one predicate over the [`World`]; the numbers are those of
//! the promises they prove, so several may share one.

mod answers;
mod bodies;
mod cached;
mod ends;
mod events;
mod leases;
mod log;
mod losses;
mod order;
mod outages;
mod processes;
mod results;
mod stored;
#[cfg(test)]
mod tests;
mod world;

use std::io;

#[cfg(test)]
pub(crate) use log::Line;
pub(crate) use log::Log;
pub(crate) use outages::Outage;
pub(crate) use world::{Run, World};

use crate::cluster::Files;
use crate::ledger::Effect;

/// How often an order is taken by workers that do not survive it before it is given up.
const POISON: usize = 3;

/// Something that must hold.
pub(crate) struct Invariant {
    /// Names it in reports.
    pub(crate) id: &'static str,
    /// What must hold.
    pub(crate) sentence: &'static str,
    /// Whether it is about what is stored of threads, some of which the server may lose.
    pub(crate) is_of_threads: bool,
    /// Gives what breaks it.
    pub(crate) check: fn(&World) -> Vec<Breach>,
}

/// All of them.
pub(crate) static INVARIANTS: [Invariant; 21] = [
    Invariant {
        id: "I1-ends",
        sentence: "every accepted run ends once, in a way that was asked for",
        is_of_threads: true,
        check: ends::every_run_ends,
    },
    Invariant {
        id: "I1-idle",
        sentence: "every execution comes to its result, and its thread rests",
        is_of_threads: true,
        check: ends::threads_rest,
    },
    Invariant {
        id: "I1-letters",
        sentence: "every task that was given up has left a dead letter",
        is_of_threads: true,
        check: ends::what_was_given_up_left_a_letter,
    },
    Invariant {
        id: "I2-result",
        sentence: "an execution gives what its program says, from what the one before saved",
        is_of_threads: true,
        check: results::results_are_right,
    },
    Invariant {
        id: "I3-seen",
        sentence: "no body starts after a reader has seen the result of its call",
        is_of_threads: true,
        check: bodies::none_starts_after_its_result_was_seen,
    },
    Invariant {
        id: "I3-order",
        sentence: "no body starts after one that had to wait for its result",
        is_of_threads: true,
        check: order::none_starts_after_what_follows_it,
    },
    Invariant {
        id: "I3-attempts",
        sentence: "attempts of a call are not given out twice",
        is_of_threads: true,
        check: bodies::attempts_differ,
    },
    Invariant {
        id: "I3-causes",
        sentence: "a body starts again only for a cause",
        is_of_threads: true,
        check: bodies::repeats_have_a_cause,
    },
    Invariant {
        id: "I4-tokens",
        sentence: "epochs of a partition never fall, and each has one token and one holder",
        is_of_threads: false,
        check: leases::tokens_only_grow,
    },
    Invariant {
        id: "I6-answers",
        sentence: "a question is answered once, and not asked again",
        is_of_threads: true,
        check: answers::questions_are_answered_once,
    },
    Invariant {
        id: "I7-events",
        sentence: "events of a run have no gap, and all readers see the same",
        is_of_threads: true,
        check: events::readers_agree,
    },
    Invariant {
        id: "I7-emitted",
        sentence: "the last run of an execution shows once what its body wrote",
        is_of_threads: true,
        check: events::emissions_are_shown_once,
    },
    Invariant {
        id: "I10-left",
        sentence: "when everything is deleted, no key is left",
        is_of_threads: false,
        check: stored::nothing_is_left,
    },
    Invariant {
        id: "I11-cached",
        sentence: "the body of a cached key runs once, unless its worker is lost",
        is_of_threads: false,
        check: cached::one_body_for_a_key,
    },
    Invariant {
        id: "I12-bounded",
        sentence: "memory of all processes and lengths of all queues stay within their bounds",
        is_of_threads: false,
        check: stored::all_is_bounded,
    },
    Invariant {
        id: "I13-records",
        sentence: "every stored record can be read",
        is_of_threads: false,
        check: stored::records_are_readable,
    },
    Invariant {
        id: "I15-silent",
        sentence: "the storage is behind only after a fault that may do so, and owners say so",
        is_of_threads: false,
        check: losses::none_is_passed_over,
    },
    Invariant {
        id: "I16-least",
        sentence: "every task of an execution with a result has run to its end",
        is_of_threads: true,
        check: results::every_body_ended,
    },
    Invariant {
        id: "I17-store",
        sentence: "the store holds what was put into it last",
        is_of_threads: true,
        check: results::store_holds_the_last,
    },
    Invariant {
        id: "I18-heals",
        sentence: "when nothing disturbs, all runs end within a minute; no process ends by itself",
        is_of_threads: false,
        check: processes::all_recovers,
    },
    Invariant {
        id: "I20-stopped",
        sentence: "no body gets its order after it was told that its run is stopped",
        is_of_threads: true,
        check: bodies::none_starts_after_a_cancel,
    },
];

/// What breaks an invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Breach {
    /// What is wrong.
    pub(crate) text: String,
    /// The lines that show it.
    pub(crate) places: Vec<Place>,
}

/// A line of one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Of the history or the dump, by its place among all of them.
    Entry(usize),
    /// Of the ledger.
    Effect(usize),
}

impl Breach {
    fn new(text: impl Into<String>, places: impl IntoIterator<Item = Place>) -> Self {
        Self { text: text.into(), places: places.into_iter().collect() }
    }
}

/// A breach with its invariant.
pub(crate) struct Violation {
    pub(crate) invariant: &'static Invariant,
    pub(crate) breach: Breach,
}

/// Reads the files and checks all invariants.
pub(crate) fn check(files: &Files) -> io::Result<(World, Vec<Violation>)> {
    let log = Log::read(&[&files.history(), &files.dump()])?;
    let ledger = log::read_lines::<Effect>(&files.ledger())?;
    let world = World::new(log, ledger);
    let violations = violations(&world);
    Ok((world, violations))
}

/// All violations in a world. What the server may have lost of a thread is none.
pub(crate) fn violations(world: &World) -> Vec<Violation> {
    INVARIANTS
        .iter()
        .flat_map(|invariant| {
            let breaches = (invariant.check)(world).into_iter();
            let counts = |breach: &Breach| {
                !(invariant.is_of_threads && breach.places.iter().any(|at| world.is_set_back(*at)))
            };
            breaches.filter(counts).map(move |breach| Violation { invariant, breach })
        })
        .collect()
}
