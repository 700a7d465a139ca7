//! Many programs that are started on one thread at the same time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::future::join_all;
use rethread::Thread;
use rethread::client::Multitask;

use super::conversation::{new_run, submit};
use super::{Driver, watch};
use crate::history::{Contest, Fact, Kind};
use crate::program::Program;
use crate::random::Random;
use crate::{app, generate};

/// How many are started when they refuse each other.
const CROWD: u64 = 50;
/// How many are started when each is to run, or may stop another.
const FEW: u64 = 5;
/// Numbers of executions that a thread has for itself.
pub(super) const EXECUTIONS: u64 = 64;

/// Starts short programs on one thread at the same time, and reads what comes of each.
pub(super) async fn hold(driver: Arc<Driver>, number: u64) {
    let mut random = Random::of(&[driver.seed, 0xc0, number]);
    let contest = driver.contests[(number % driver.contests.len() as u64) as usize];
    let name = format!("c{number}");
    let thread = driver.client.thread(&name).expect("invariant: the name of a thread is short");
    let count = if contest == Contest::Reject { CROWD } else { FEW };
    let first = FIRST + number * EXECUTIONS;
    let programs: Vec<Program> = (first..first + count)
        .map(|execution| generate::short_program(&mut random, execution))
        .collect();
    join_all(programs.into_iter().map(|program| one(&driver, &name, &thread, contest, program)))
        .await;
}

/// The first number of an execution in a contest.
const FIRST: u64 = 1 << 40;

async fn one(driver: &Driver, name: &str, thread: &Thread, contest: Contest, program: Program) {
    let run = new_run();
    driver.history.say(
        Kind::Invoke,
        Fact::Start {
            thread: name.to_owned(),
            run: run.to_string(),
            program: program.clone(),
            contest: Some(contest),
        },
    );
    let strategy = match contest {
        Contest::Reject => Multitask::Reject,
        Contest::Enqueue => Multitask::Enqueue,
        Contest::Interrupt => Multitask::Interrupt,
        Contest::Rollback => Multitask::Rollback,
    };
    let request = || thread.invoke(app::entrypoint(), program.clone()).multitask(strategy);
    if let Some(run) = submit(driver, thread, run, request).await {
        watch::watch(driver, &run, None).await;
        driver.counts.runs.fetch_add(1, Ordering::Relaxed);
    }
}
