//! Chaos: random programs on real processes, faults, and a checker of what they leave behind.
//!
//! ```text
//!   rethread-chaos ── driver ──proxy──┐
//!        │   │                        ▼
//!        │   └─ faults ──►  coordinators, workers ──proxy──► Redis
//!        ▼                      │ (this program again)
//!   history.jsonl           ledger.jsonl          dump.jsonl (through a client, at the end)
//!        └──────────────┬───────┴──────────────────────┘
//!                       ▼
//!                 rethread-check: one predicate per invariant
//! ```
//!
//! * The **driver** starts seeded programs on threads, answers their questions and
//!   reads their streams; it knows what each program must give.
//! * The **bodies** of tasks note each start and end in a *ledger* that does not pass through
//!   Rethread.
//! * The **checker** knows nothing but the three files, so it can be run again, on its own.
//!
//! The seed decides programs and faults; how they meet is decided by the machine. So a seed does
//! not repeat a run, but makes one that is very like it.

mod app;
mod args;
mod check;
mod clock;
mod cluster;
mod drive;
mod dump;
mod generate;
mod history;
mod ledger;
mod profile;
mod program;
mod random;
mod records;
mod summary;
mod synthetic;

pub use args::{chaos_main, check_main};
