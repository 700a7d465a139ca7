//! A run with a past, as the core knows it, without storage and workers.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::sync::Arc;

use rethread::prelude::*;
use rethread::{App, Limits};
use rethread_core::header::ThreadHeader;
use rethread_core::ids::{Millis, PartitionId, RunId, ThreadId, WorkerId};
use rethread_core::journal::Entry;
use rethread_core::message::{
    Action, Answers, AttemptOutcome, Command, Multitask, OpenCalls, Report, TaskOrder,
};
use rethread_core::payload::Payload;
use rethread_core::settings::RunSettings;
use rethread_core::thread::{Effect, Setup, Stored, ThreadMachine};
use uuid::Uuid;

#[task]
async fn noop(text: String) -> Result<String> {
    Ok(text)
}

/// Calls `noop` this many times, and asks.
#[entrypoint]
async fn remember(calls: u64) -> Result<bool> {
    for call in 0..calls {
        noop(format!("{call:0>96}")).await?;
    }
    interrupt(calls).await
}

const NOW: Millis = Millis(1_000_000);

/// A run that waits for an answer, behind so many results of about 100 bytes.
pub(crate) struct Recorded {
    setup: Setup,
    header: ThreadHeader,
    pub(crate) journal: Vec<Entry>,
    last_event: u64,
    pub(crate) orders: Vec<TaskOrder>,
    pub(crate) reports: Vec<Report>,
}

impl Recorded {
    pub(crate) fn new(calls: u64) -> Self {
        let program = App::new().entrypoint(remember::def()).task(noop::def()).registry();
        let setup = Setup {
            thread: ThreadId::new("recorded").expect("valid"),
            partition: PartitionId(0),
            program: Arc::new(program.expect("the program is sound")),
            on_wake: Arc::new(|| {}),
            limits: Limits::default(),
        };
        let mut machine = ThreadMachine::new(setup.clone());
        let input = payload(calls);
        machine.handle_command(
            NOW,
            command(1, Action::Start { entrypoint: "remember".into(), input }),
        );
        let (mut header, mut journal, mut last_event) = (None, Vec::new(), 0);
        let (mut orders, mut reports) = (Vec::new(), Vec::new());
        while let Some(effect) = machine.poll_effect() {
            match effect {
                Effect::Write(write) => {
                    header = write.header.or(header);
                    if write.journal.drop_all {
                        journal.clear();
                    }
                    journal.extend(write.journal.append);
                    let events = write.events.iter().map(|events| events.events.len() as u64);
                    last_event += events.sum::<u64>();
                }
                Effect::Dispatch { order, .. } => {
                    let report = report(&order);
                    machine.handle_report(NOW, report.clone());
                    reports.push(report);
                    orders.push(*order);
                }
                Effect::LookAgain => machine.handle_wake(NOW),
                _ => {}
            }
        }
        let header = header.expect("the run has a header");
        Self { setup, header, journal, last_event, orders, reports }
    }

    /// The thread as it is loaded, before anything is replayed.
    pub(crate) fn load(&self) -> ThreadMachine {
        let stored = Stored {
            header: self.header.clone(),
            journal: self.journal.clone(),
            base: None,
            last_event: self.last_event,
            in_flight: OpenCalls::new(),
            in_doubt: false,
            waiting: Vec::new(),
        };
        ThreadMachine::load(self.setup.clone(), NOW, stored)
    }

    /// Answers the question: everything is replayed, and the run ends.
    pub(crate) fn answer(machine: &mut ThreadMachine) {
        machine.handle_command(NOW, command(2, Action::Resume(Answers::Only(payload(true)))));
        assert!(!machine.is_running(), "an answered run ends");
    }
}

fn payload(value: impl serde::Serialize) -> Payload {
    Payload::encode(&value, "value of a benchmark").expect("values encode")
}

fn command(run: u128, action: Action) -> Command {
    Command {
        thread: ThreadId::new("recorded").expect("valid"),
        run: RunId::from_uuid(Uuid::from_u128(run)),
        settings: Box::new(RunSettings::default()),
        at: None,
        is_lenient: false,
        multitask: Multitask::default(),
        action,
    }
}

fn report(order: &TaskOrder) -> Report {
    let arguments: (String,) = order.input.decode("arguments").expect("arguments decode");
    Report {
        target: order.target.clone(),
        worker: WorkerId::new("bench").expect("valid"),
        outcome: AttemptOutcome::Completed(payload(arguments.0)),
    }
}
