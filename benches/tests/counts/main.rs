//! What fixed workloads cost, counted and not timed, compared with a table.
//!
//! ```sh
//! cargo xtask counts             # shows the numbers, and how they differ from the table
//! cargo xtask counts --tape      # shows what is asked of the storage, in its order
//! cargo xtask counts --write     # writes the table anew
//! ```
//!
//! Behind these, workloads can be named, to count only those.
//!
//! Without arguments, as in `cargo test`, it compares and says only what differs. Each workload is
//! run by an engine in one thread on a clock that stands still, over a storage in memory on which
//! each operation takes a millisecond: so what it asks of its storage, how much of it together,
//! and how much memory it allocates does not depend on the machine. What was asked for is then
//! played on Redis and on the embedded store, one operation after the other, and their commands,
//! syncs and bytes are counted. See `benches/counts.toml`.

mod disk;
mod player;
mod programs;
mod redis;
mod table;
mod tape;
mod workloads;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rethread_redis::RedisOptions;
use table::{Counts, Table};
use tape::Step;
use workloads::Workload;

/// Why nothing could be counted.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Partitions of a namespace on Redis, and of the embedded store, when none are asked for.
const REDIS_PARTITIONS: u16 = RedisOptions::PARTITIONS_DEFAULT;
const DISK_PARTITIONS: u16 = 1;

/// What is to be done with the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Check,
    Show,
    Tape,
    Write,
}

fn main() -> ExitCode {
    let mut mode = Mode::Check;
    let mut chosen = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--show" => mode = Mode::Show,
            "--tape" => mode = Mode::Tape,
            "--write" => mode = Mode::Write,
            name => match Workload::ALL.into_iter().find(|workload| workload.name() == name) {
                Some(workload) => chosen.push(workload),
                None => {
                    let all = Workload::ALL.map(Workload::name).join(", ");
                    eprintln!("error: `{name}` is none of --show, --tape, --write, {all}");
                    return ExitCode::from(2);
                }
            },
        }
    }
    if chosen.is_empty() {
        chosen.extend(Workload::ALL);
    }
    match run(mode, &chosen) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Gives whether the numbers are as they should be.
fn run(mode: Mode, chosen: &[Workload]) -> Result<bool, Failure> {
    if mode == Mode::Tape {
        chosen.iter().try_for_each(|workload| show_tape(*workload))?;
        return Ok(true);
    }
    let path = table_path();
    let mut counted = Table::default();
    for workload in chosen.iter().copied() {
        for (place, counts) in count(workload)? {
            if mode == Mode::Show {
                show(workload, place, &counts);
            }
            counted.0.insert(format!("{}.{place}", workload.name()), counts);
        }
    }
    let is_chosen = |section: &str| chosen.iter().any(|workload| workload.has(section));
    let mut table = match std::fs::read_to_string(&path) {
        Ok(text) => Table::parse(&text)?,
        Err(_) if mode == Mode::Write => Table::default(),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display()).into()),
    };
    if mode != Mode::Write {
        if chosen.len() < Workload::ALL.len() {
            table.0.retain(|section, _| is_chosen(section));
        }
        return Ok(judge(&table, &counted));
    }
    if !cfg!(debug_assertions) {
        return Err("the table is written by a build without optimisation".into());
    }
    table.0.retain(|section, _| !is_chosen(section));
    table.0.append(&mut counted.0);
    std::fs::write(&path, table.render())?;
    println!("wrote {}", path.display());
    Ok(true)
}

fn judge(expected: &Table, counted: &Table) -> bool {
    let mut differences = Vec::new();
    for section in expected.0.keys().filter(|name| !counted.0.contains_key(*name)) {
        differences.extend(expected.compare(section, &Counts::new()));
    }
    for (section, counts) in &counted.0 {
        differences.extend(expected.compare(section, counts));
    }
    let (grown, fallen): (Vec<_>, Vec<_>) = differences.into_iter().partition(|it| it.is_growth);
    if !grown.is_empty() {
        println!("\nmore than before:");
        grown.iter().for_each(|it| println!("  {}", it.text));
        println!("If it has to be so, say why in the change, with `cargo xtask counts --write`.");
    }
    if !fallen.is_empty() {
        println!("\nless than before:");
        fallen.iter().for_each(|it| println!("  {}", it.text));
        println!("Keep it so: update the table with `cargo xtask counts --write`.");
    }
    if grown.is_empty() && fallen.is_empty() {
        println!("counts: {} sections are as they should be", counted.0.len());
    }
    grown.is_empty() && fallen.is_empty()
}

fn table_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("counts.toml")
}

/// Counts a workload: in the engine, on Redis and on disk.
fn count(workload: Workload) -> Result<[(&'static str, Counts); 3], Failure> {
    let on_disk = tape_of(workload, DISK_PARTITIONS)?;
    let on_redis = tape_of(workload, REDIS_PARTITIONS)?;
    let mut engine = tape::count(&on_disk);
    let (info, _) = world::run(workload, DISK_PARTITIONS, false, |work| {
        let mut done = Ok(());
        let info = allocation_counter::measure(|| done = work());
        done.map(|()| info)
    })?;
    engine.insert("allocations".to_owned(), info.count_total);
    engine.insert("allocated_bytes".to_owned(), info.bytes_total);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (preparation, work) = split(&on_redis)?;
    let redis = runtime.block_on(redis::count(preparation, work, workload.has_fixed_names()))?;
    let (preparation, work) = split(&on_disk)?;
    let disk = runtime.block_on(disk::count(preparation, work))?;
    Ok([("engine", engine), ("redis", redis), ("disk", disk)])
}

/// What a workload asks of its storage.
fn tape_of(workload: Workload, partitions: u16) -> Result<Vec<Step>, Failure> {
    let ((), recorder) = world::run(workload, partitions, true, |work| work())?;
    Ok(recorder.take())
}

/// The preparation, and what is counted.
fn split(tape: &[Step]) -> Result<(&[Step], &[Step]), Failure> {
    let begin = tape.iter().position(|step| matches!(step, Step::Begin));
    let begin = begin.ok_or("a tape without a beginning")?;
    Ok((&tape[..begin], &tape[begin + 1..]))
}

fn show_tape(workload: Workload) -> Result<(), Failure> {
    println!("\n{}: {}", workload.name(), workload.about());
    let tape = tape_of(workload, DISK_PARTITIONS)?;
    for same in split(&tape)?.1.chunk_by(|one, next| one.to_string() == next.to_string()) {
        match same {
            [step] => println!("  {step}"),
            steps => println!("  {} times {}", steps.len(), steps[0]),
        }
    }
    Ok(())
}

fn show(workload: Workload, place: &str, counts: &Counts) {
    let (steps, step) = workload.steps();
    println!("\n{}, {place}: {}", workload.name(), workload.about());
    println!("  {:<24} {:>12} {:>14}", "", "in all", format!("per {step}"));
    for (name, count) in counts {
        println!("  {name:<24} {count:>12} {:>14.3}", *count as f64 / steps as f64);
    }
}
