//! Many seeds: which ones, on how many threads, and what is told of them.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;

use crate::goals::Goal;
use crate::world::{Ended, live};
use crate::{panics, planted};

/// Seeds that once failed; they come first.
const REGRESSIONS: &[u64] = &[
    295, 316, 593, 883, 1362, 1486, 3552, 3843, 4122, 8268, 14_767, 16_443, 20_529, 27_969, 33_410,
    37_408, 57_950, 58_938, 59_010, 63_882, 71_571, 81_641, 98_027,
];
/// Seeds of a plain `cargo test`.
const SEEDS: u64 = 300;
/// Every so many seeds one runs twice, and must do the same.
const TWICE_EVERY: u64 = 50;
/// How often each goal must be reached, in so many seeds.
const GOAL_MIN: (u64, u64) = (10, 10_000);

/// Lives through the worlds of many seeds.
#[derive(Debug, Parser)]
struct Args {
    /// How many seeds.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// One seed only.
    #[arg(long)]
    seed: Option<u64>,
    /// Print what happened in it.
    #[arg(long)]
    trace: bool,
    /// Threads of the system to use.
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// Go on after a failing seed.
    #[arg(long)]
    keep_going: bool,
    /// Show that each planted bug is caught; for builds with `--cfg rethread_planted`.
    #[arg(long)]
    planted_all: bool,
    /// What `cargo test` passes to test programs; without meaning here.
    #[arg(hide = true)]
    ignored: Vec<String>,
}

/// The command line of the simulator.
pub fn main() -> ExitCode {
    let args = Args::parse();
    panics::keep();
    planted::plant();
    if args.planted_all {
        return planted::catch_all(args.seeds.unwrap_or(10_000));
    }
    match args.seed {
        Some(seed) => run_one(seed, args.trace),
        None => run_many(&args),
    }
}

fn run_one(seed: u64, prints: bool) -> ExitCode {
    let ended = live(seed, prints);
    for line in &ended.lines {
        println!("{line}");
    }
    println!("seed {seed}: {} ms, digest {:016x}", ended.lasted, ended.digest);
    if ended.violations.is_empty() {
        return ExitCode::SUCCESS;
    }
    for violation in &ended.violations {
        println!("{violation}");
    }
    ExitCode::FAILURE
}

/// What many seeds came to.
#[derive(Debug, Default)]
struct Total {
    seeds: u64,
    lasted: u64,
    goals: BTreeMap<Goal, u64>,
    failed: Vec<(u64, String)>,
}

fn run_many(args: &Args) -> ExitCode {
    let began = Instant::now();
    let count = args.seeds.unwrap_or(SEEDS);
    let total = Mutex::new(Total::default());
    let next = AtomicU64::new(0);
    let regressions = REGRESSIONS.len() as u64;
    std::thread::scope(|scope| {
        for _ in 0..args.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= regressions + count {
                        return;
                    }
                    let seed = match usize::try_from(nth).ok().and_then(|nth| REGRESSIONS.get(nth))
                    {
                        Some(seed) => *seed,
                        None => args.from + nth - regressions,
                    };
                    let ended = live(seed, false);
                    let again = seed.is_multiple_of(TWICE_EVERY).then(|| compare(seed, &ended));
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    total.add(seed, ended, again.flatten());
                    if !total.failed.is_empty() && !args.keep_going {
                        next.store(u64::MAX / 2, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    let is_complete = total.tell(began.elapsed().as_secs_f64());
    if is_complete && total.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Lives through a world again; says where the two part.
fn compare(seed: u64, first: &Ended) -> Option<String> {
    if live(seed, false).digest == first.digest {
        return None;
    }
    let (one, two) = (live(seed, true), live(seed, true));
    let parts = one.lines.iter().zip(&two.lines).position(|(one, two)| one != two);
    Some(match parts {
        Some(line) => {
            let from = line.saturating_sub(5);
            let before = one.lines[from..line].join("\n");
            let (one, two) = (&one.lines[line], &two.lines[line]);
            format!("not the same twice:\n{before}\n- {one}\n+ {two}")
        }
        None => "not the same twice, but with equal lines".into(),
    })
}

impl Total {
    fn add(&mut self, seed: u64, ended: Ended, difference: Option<String>) {
        self.seeds += 1;
        self.lasted += ended.lasted;
        for (goal, times) in ended.goals {
            *self.goals.entry(goal).or_default() += times;
        }
        let first = ended.violations.into_iter().next().or(difference);
        if let Some(what) = first {
            println!("seed {seed}: {what}");
            println!(
                "replay: cargo test -p rethread-sim --release --test sim -- --seed {seed} --trace"
            );
            self.failed.push((seed, what));
        }
    }

    /// Prints the table of goals; says whether all were reached.
    fn tell(&self, took_s: f64) -> bool {
        let wanted = GOAL_MIN.0 * self.seeds / GOAL_MIN.1;
        let mut is_complete = true;
        for goal in Goal::ALL {
            let times = self.goals.get(goal).copied().unwrap_or_default();
            let is_reached = times >= wanted;
            is_complete &= is_reached;
            println!("{times:>10} {}{}", goal.name(), if is_reached { "" } else { "  TOO RARE" });
        }
        let (seeds, hours) = (self.seeds, self.lasted as f64 / 3_600_000.0);
        println!(
            "{seeds} seeds in {took_s:.1} s, {hours:.1} simulated hours, {} failed",
            self.failed.len()
        );
        if self.failed.len() > 1 {
            let failed: Vec<_> = self.failed.iter().map(|(seed, _)| seed).collect();
            println!("failed: {failed:?}");
        }
        is_complete
    }
}
