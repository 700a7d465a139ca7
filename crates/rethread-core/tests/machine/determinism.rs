//! Random concurrent programs take the same path on each replay.

use std::sync::{Arc, Mutex};

use crate::support::rng::Rng;
use crate::support::world::World;
use crate::support::{Code, payload, task, value};
use futures::FutureExt;
use futures::future::{BoxFuture, join_all, try_join_all};
use futures::stream::{FuturesUnordered, StreamExt};
use rethread_core::event::RunOutcome;
use rethread_core::failure::Failure;
use rethread_core::message::AttemptOutcome;

/// A program made of the combinators that people use.
#[derive(Debug, Clone)]
enum Tree {
    Task(u64),
    Sequence(Vec<Tree>),
    JoinAll(Vec<Tree>),
    TryJoinAll(Vec<Tree>),
    Join(Box<(Tree, Tree)>),
    /// An unbiased `select!`: branches are polled in a random order; the loser is dropped.
    Race(Box<(Tree, Tree)>),
    /// Calls that are made first and raced after something else was waited for: several may be
    /// done by then.
    RaceStarted(u64, Box<Tree>),
    /// `FuturesUnordered`, with a further call made for each result that comes out.
    Unordered(Vec<Tree>),
}

fn tree(rng: &mut Rng, depth: usize, next: &mut u64) -> Tree {
    let kind = if depth == 0 { 0 } else { rng.below(8) };
    if kind == 0 {
        *next += 1;
        return Tree::Task(*next);
    }
    let width = 2 + rng.below(3);
    let mut several = |rng: &mut Rng| (0..width).map(|_| tree(rng, depth - 1, next)).collect();
    match kind {
        1 => Tree::Sequence(several(rng)),
        2 => Tree::JoinAll(several(rng)),
        3 => Tree::TryJoinAll(several(rng)),
        4 => Tree::Unordered(several(rng)),
        5 => {
            *next += 3;
            let first = *next - 2;
            Tree::RaceStarted(first, Box::new(tree(rng, depth - 1, next)))
        }
        kind => {
            let pair = Box::new((tree(rng, depth - 1, next), tree(rng, depth - 1, next)));
            if kind == 6 { Tree::Join(pair) } else { Tree::Race(pair) }
        }
    }
}

type Trace = Arc<Mutex<Vec<String>>>;

fn note(trace: &Trace, line: String) {
    trace.lock().expect("not poisoned").push(line);
}

fn run(tree: Tree, trace: Trace) -> BoxFuture<'static, Result<u64, Failure>> {
    async move {
        match tree {
            Tree::Task(n) => {
                note(&trace, format!("call {n}"));
                let result: u64 = value(&task("work", n).await?);
                note(&trace, format!("{n} gave {result}"));
                Ok(result)
            }
            Tree::Sequence(trees) => {
                let mut sum = 0_u64;
                for tree in trees {
                    sum = sum.wrapping_mul(31).wrapping_add(run(tree, trace.clone()).await?);
                }
                Ok(sum)
            }
            Tree::JoinAll(trees) => {
                let all = join_all(trees.into_iter().map(|tree| run(tree, trace.clone()))).await;
                note(&trace, format!("joined {}", all.len()));
                all.into_iter().try_fold(3, |sum: u64, n| Ok(sum.wrapping_mul(13).wrapping_add(n?)))
            }
            Tree::TryJoinAll(trees) => {
                let all = trees.into_iter().map(|tree| run(tree, trace.clone()));
                Ok(try_join_all(all).await?.into_iter().fold(7, u64::wrapping_add))
            }
            Tree::Join(pair) => {
                let (a, b) = (run(pair.0, trace.clone()), run(pair.1, trace.clone()));
                let (a, b) = tokio::join!(a, b);
                Ok(a?.wrapping_sub(b?))
            }
            Tree::Race(pair) => {
                let (a, b) = (run(pair.0, trace.clone()), run(pair.1, trace.clone()));
                let won = tokio::select! {
                    a = a => ("left", a?),
                    b = b => ("right", b?),
                };
                note(&trace, format!("{} won with {}", won.0, won.1));
                Ok(won.1)
            }
            Tree::RaceStarted(first, between) => {
                let [mut a, mut b, c] = [0, 1, 2].map(|n| task("work", first + n));
                note(&trace, format!("call {first} and two more"));
                run(*between, trace.clone()).await?;
                let won = tokio::select! {
                    a = &mut a => value::<u64>(&a?),
                    b = &mut b => value::<u64>(&b?),
                    c = c => value::<u64>(&c?),
                };
                note(&trace, format!("{won} came first"));
                Ok(won)
            }
            Tree::Unordered(trees) => {
                let futures = trees.into_iter().map(|tree| run(tree, trace.clone()));
                let mut running: FuturesUnordered<_> = futures.collect();
                let mut sum = 0_u64;
                let mut further = 2;
                while let Some(result) = running.next().await {
                    let result = result?;
                    note(&trace, format!("next is {result}"));
                    sum = sum.wrapping_mul(17).wrapping_add(result);
                    if further > 0 {
                        further -= 1;
                        let again = Tree::Task(1_000_000 + result % 1_000);
                        running.push(run(again, trace.clone()));
                    }
                }
                Ok(sum)
            }
        }
    }
    .boxed()
}

/// A `select!` polls its branches in a random order, so calls made in one poll may change places;
/// what they lead to must not.
fn normal_form(trace: &Trace) -> Vec<String> {
    let mut lines = trace.lock().expect("not poisoned").clone();
    for calls in lines.split_mut(|line| !line.starts_with("call")) {
        calls.sort();
    }
    lines
}

/// Runs a program with random order of completion; the machine is lost between two steps with
/// one chance in `crash_one_in`. Each replay must repeat what was seen before, step by step.
fn check(seed: u64, crash_one_in: usize) -> (u64, usize) {
    let mut rng = Rng::new(seed);
    let program = Tree::Sequence((0..2).map(|i| tree(&mut rng, 3, &mut (i * 1_000))).collect());
    let traces: Arc<Mutex<Vec<Trace>>> = Arc::default();
    let code = {
        let (program, traces) = (program.clone(), Arc::clone(&traces));
        Code::main(move |_| {
            let trace = Trace::default();
            traces.lock().expect("not poisoned").push(trace.clone());
            let body = run(program.clone(), trace);
            async move { Ok(payload(body.await?)) }
        })
    };
    let mut world = World::new(code);
    world.task("work", |order| {
        let n: u64 = value(&order.input);
        AttemptOutcome::Completed(payload(n.wrapping_mul(2_654_435_761) % 1_000_003))
    });
    let run = world.start(());
    world.settle(&mut rng, Some(crash_one_in));
    let RunOutcome::Done(result) = world.outcome(run) else {
        panic!("seed {seed}: {program:?} ended with {:?}", world.outcome(run));
    };
    let traces = traces.lock().expect("not poisoned");
    let traces: Vec<_> = traces.iter().map(normal_form).collect();
    let mut longest: &[String] = &[];
    for trace in &traces {
        let common = longest.len().min(trace.len());
        assert_eq!(longest[..common], trace[..common], "seed {seed}: a replay took another path");
        if trace.len() > longest.len() {
            longest = trace;
        }
    }
    (value(result), world.crashes)
}

#[test]
fn a_thousand_random_programs_replay_without_divergence() {
    let mut crashes = 0;
    for seed in 0..1_000 {
        crashes += check(seed, 6).1;
    }
    assert!(crashes > 5_000, "the programs were hardly ever replayed: {crashes}");
}

#[test]
fn a_replay_after_every_step_changes_nothing() {
    for seed in 5_000..5_100 {
        check(seed, 2);
    }
}
