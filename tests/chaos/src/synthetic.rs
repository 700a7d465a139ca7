//! A history of any length in which all is well, to measure how fast it is checked.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use crate::check::check;
use crate::cluster::Files;
use crate::history::{End, Entry, Fact, Kind, Reader};
use crate::ledger::{Effect, Lines, Phase};
use crate::program::{Memory, Op, Program};

/// Steps of each program.
const STEPS: u32 = 10;
/// Records of each program: what is asked and told of it, and of each step.
const RECORDS: usize = 5 + 3 * STEPS as usize;
/// One program in so many has a fault beside it.
const FAULT_EVERY: usize = 100;

/// Writes such a history into a directory that is removed afterwards, and checks it. True if all
/// invariants hold, as they must.
pub(crate) fn measure(records: usize) -> io::Result<bool> {
    let directory = std::env::temp_dir().join(format!("rethread-check-{}", std::process::id()));
    let files = Files::prepare(&directory)?;
    let made = write(&files, records);
    let checked = made.and_then(|made| {
        let begun = Instant::now();
        let (_, violations) = check(&files)?;
        let seconds = begun.elapsed().as_secs_f64();
        println!("{made} records checked in {seconds:.2} s, {} violations", violations.len());
        Ok(violations.is_empty())
    });
    std::fs::remove_dir_all(directory)?;
    checked
}

/// Gives the number of records.
fn write(files: &Files, records: usize) -> io::Result<usize> {
    let (history, dump) = (Lines::open(&files.history())?, Lines::open(&files.dump())?);
    let ledger = Lines::open(&files.ledger())?;
    let mut count = 1;
    let mut at = 1;
    let entry = |at: u64, kind, fact| Entry { at, process: "driver".to_owned(), kind, fact };
    history.append(&entry(0, Kind::Info, Fact::Spawn { name: "worker-1".to_owned(), pid: 1 }))?;
    while count < records {
        let number = count / RECORDS;
        let execution = number as u64;
        let (run, thread) = (format!("r{number}"), format!("t{number}"));
        let ops = (1..=STEPS).map(|id| Op::Task { id, ms: 1 }).collect();
        let program = Program { execution, ops };
        let value = program.expected(&mut Memory::default());
        at += 1_000_000;
        let start =
            Fact::Start { thread: thread.clone(), run: run.clone(), program, contest: None };
        history.append(&entry(at, Kind::Invoke, start))?;
        let accepted = Fact::Submit { run: run.clone(), error: None };
        history.append(&entry(at + 1, Kind::Ok, accepted))?;
        for step in 1..=STEPS {
            let call = format!("{number}/{step}");
            at += 10;
            for (phase, at) in [(Phase::Start, at), (Phase::End, at + 1)] {
                let (run, call) = (run.clone(), call.clone());
                ledger.append(&Effect {
                    at,
                    pid: 1,
                    phase,
                    execution,
                    step,
                    run,
                    call,
                    attempt: 1,
                })?;
            }
            let seen = Fact::Seen { run: run.clone(), seq: u64::from(step), call };
            history.append(&entry(at + 2, Kind::Info, seen))?;
        }
        if number.is_multiple_of(FAULT_EVERY) {
            for kind in [Kind::Invoke, Kind::Ok] {
                history.append(&entry(
                    at + 3,
                    kind,
                    Fact::Fault {
                        number: number as u64,
                        fault: "kill-worker".to_owned(),
                        target: "worker-1".to_owned(),
                        pid: None,
                    },
                ))?;
            }
            count += 2;
        }
        for reader in [Reader::Live, Reader::Late] {
            let events = (1..=u64::from(STEPS) + 2).map(|seq| (seq, seq)).collect();
            let (run, emitted, end) = (run.clone(), Vec::new(), End::Done { value });
            let read = Fact::Read { run, reader, events, emitted, end };
            let lines = if reader == Reader::Live { &history } else { &dump };
            lines.append(&entry(at + 4, Kind::Ok, read))?;
        }
        let (status, items) = ("idle".to_owned(), BTreeMap::new());
        dump.append(&entry(at + 5, Kind::Ok, Fact::Thread { thread, status, items }))?;
        count += RECORDS;
    }
    Ok(count)
}
