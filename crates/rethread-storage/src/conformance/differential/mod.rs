//! Random sequences of operations on two adapters at once: the memory adapter is the model, and
//! another one must give the same answers and hold the same in the end.
//!
//! What is left to the adapter is left out of the comparison: nonces, cursors, receipts and times,
//! in which order the partitions of a queue are asked, where orders that are put back stand, and
//! earlier receipts of a worker that has an order again.

mod apply;
mod dump;
mod generate;
mod op;
mod random;
mod side;

use std::future::Future;
use std::sync::Arc;

use crate::Storage;
use crate::memory::{MemoryOptions, MemoryStorage};
use op::Op;
use random::Random;
use side::Side;

pub use generate::PARTITIONS_USED;

/// How many sequences are compared, and which.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    /// Number of sequences.
    pub sequences: u64,
    /// Where they begin. Sequence `n` of seed `s` is sequence 0 of seed `s + n`.
    pub seed: u64,
}

impl Campaign {
    /// Reads `--sequences N` and `--seed N` from the arguments of the process; others are not
    /// looked at.
    pub fn from_arguments(default: Self) -> Self {
        let arguments: Vec<String> = std::env::args().collect();
        let number = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            arguments.get(at + 1)?.parse().ok()
        };
        Self {
            sequences: number("--sequences").unwrap_or(default.sequences),
            seed: number("--seed").unwrap_or(default.seed),
        }
    }

    /// Compares storages that `make` gives, each with a guard that is dropped behind it. A
    /// storage must be empty and have at least [`PARTITIONS_USED`] partitions.
    ///
    /// # Errors
    /// The shortest sequence that was found to make a difference, in words.
    pub async fn run<G, F>(self, make: impl Fn() -> F) -> Result<(), String>
    where
        F: Future<Output = (Arc<dyn Storage>, G)>,
    {
        for n in 0..self.sequences {
            let seed = self.seed.wrapping_add(n);
            let ops = generate::sequence(Random::new(Random::new(seed).next()));
            if let Some(difference) = compare(&ops, &make).await {
                let (ops, difference) = shorten(ops, difference, &make).await;
                return Err(report(seed, &ops, &difference));
            }
        }
        Ok(())
    }
}

/// Compares one sequence, which the bytes choose, on a storage as [`Campaign::run`] does.
///
/// # Errors
/// The sequence and the difference, in words.
pub async fn compare_chosen<G, F>(bytes: &[u8], make: impl Fn() -> F) -> Result<(), String>
where
    F: Future<Output = (Arc<dyn Storage>, G)>,
{
    let ops = generate::sequence(Random::of(bytes));
    match compare(&ops, &make).await {
        None => Ok(()),
        Some(difference) => Err(report(0, &ops, &difference)),
    }
}

/// Two answers to one operation.
struct Difference {
    /// The operation; none: what is there in the end.
    at: Option<usize>,
    expected: String,
    found: String,
}

async fn compare<G, F>(ops: &[Op], make: &impl Fn() -> F) -> Option<Difference>
where
    F: Future<Output = (Arc<dyn Storage>, G)>,
{
    let (storage, guard) = make().await;
    let partitions = storage.partitions();
    let options = MemoryOptions { partitions, ..MemoryOptions::default() };
    let mut model = Side::new(Arc::new(MemoryStorage::with_options(options)));
    let mut side = Side::new(storage);
    let mut difference = None;
    for (at, op) in ops.iter().enumerate() {
        let (expected, found) = (model.apply(op).await, side.apply(op).await);
        if expected != found {
            difference = Some(Difference { at: Some(at), expected, found });
            break;
        }
    }
    if difference.is_none() {
        let (expected, found) = (dump::dump(&mut model).await, dump::dump(&mut side).await);
        difference = (expected != found).then_some(Difference { at: None, expected, found });
    }
    drop(side);
    drop(guard);
    difference
}

/// Leaves out whatever the difference does not need.
async fn shorten<G, F>(
    mut ops: Vec<Op>,
    mut difference: Difference,
    make: &impl Fn() -> F,
) -> (Vec<Op>, Difference)
where
    F: Future<Output = (Arc<dyn Storage>, G)>,
{
    ops.truncate(difference.at.map_or(ops.len(), |at| at + 1));
    let mut portion = ops.len().div_ceil(2);
    while portion > 0 {
        let mut from = 0;
        while from < ops.len() {
            let mut fewer = ops.clone();
            fewer.drain(from..(from + portion).min(ops.len()));
            match compare(&fewer, make).await {
                Some(still) => {
                    fewer.truncate(still.at.map_or(fewer.len(), |at| at + 1));
                    (ops, difference) = (fewer, still);
                }
                None => from += portion,
            }
        }
        portion /= 2;
    }
    (ops, difference)
}

fn report(seed: u64, ops: &[Op], difference: &Difference) -> String {
    let mut text = format!("seed {seed}: the answers differ after\n");
    for (n, op) in ops.iter().enumerate() {
        text += &format!("  {n:3}  {op:?}\n");
    }
    let Difference { at, expected, found } = difference;
    if at.is_some() {
        return text + &format!("the model says\n{expected}\nand the adapter\n{found}\n");
    }
    text += "what is there in the end differs:\n";
    for (expected, found) in expected.lines().zip(found.lines()) {
        if expected != found {
            text += &format!("the model has\n  {expected}\nand the adapter\n  {found}\n");
        }
    }
    text
}
