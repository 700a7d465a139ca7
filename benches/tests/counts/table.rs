//! The table of what is expected, and how what was counted differs from it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::Failure;
use crate::workloads::Workload;

/// What was counted of a workload at a place (the engine, Redis, the disk): names and numbers.
pub(crate) type Counts = BTreeMap<String, u64>;

/// How far numbers of bytes may be off, of 1,000: ids and times do not always have the same
/// number of digits.
const BYTES_OFF: u64 = 10;
/// The same of allocations and what they take: maps with random seeds grow at slightly different
/// times, and the standard library is not always the same.
const ALLOCATIONS_OFF: u64 = 20;

const HEAD: &str = "\
# What fixed workloads cost, counted and not timed: see benches/tests/counts and the guide in
# docs/performance.md. Written by `cargo xtask counts --write`; a change that makes a number grow
# says why.
";

/// Sections by name, as in the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Table(pub(crate) BTreeMap<String, Counts>);

/// A number that is not what it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) text: String,
    pub(crate) is_growth: bool,
}

impl Table {
    /// Reads the file. It is TOML, of which only sections and numbers are needed.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let mut table = Self::default();
        let mut section = None;
        for (line, number) in text.lines().zip(1..) {
            let wrong = || format!("line {number} is neither a section nor a number: {line}");
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = Some(table.0.entry(name.to_owned()).or_default());
                continue;
            }
            let (name, value) = line.split_once('=').ok_or_else(wrong)?;
            let value = value.trim().replace('_', "").parse().map_err(|_| wrong())?;
            section.as_mut().ok_or_else(wrong)?.insert(name.trim().to_owned(), value);
        }
        Ok(table)
    }

    /// The file.
    pub(crate) fn render(&self) -> String {
        let mut text = HEAD.to_owned();
        for workload in Workload::ALL {
            // Writing to a text cannot fail.
            let _ = write!(text, "\n# {}\n", workload.about());
            for (name, counts) in self.0.iter().filter(|(name, _)| workload.has(name)) {
                let _ = writeln!(text, "[{name}]");
                for (name, count) in counts {
                    let _ = writeln!(text, "{name} = {count}");
                }
            }
        }
        text
    }

    /// Compares what was counted of a section with what is expected of it.
    pub(crate) fn compare(&self, section: &str, found: &Counts) -> Vec<Difference> {
        let none = Counts::new();
        let expected = self.0.get(section).unwrap_or(&none);
        let names: std::collections::BTreeSet<_> = expected.keys().chain(found.keys()).collect();
        let names = names.into_iter().filter(|name| is_compared(name));
        let differences = names.filter_map(|name| {
            let of = |counts: &Counts| counts.get(name).copied().unwrap_or_default();
            let (expected, found) = (of(expected), of(found));
            let tolerance = expected * tolerance_of(name) / 1_000;
            if found.abs_diff(expected) <= tolerance {
                return None;
            }
            let text = format!("{section}: {name} is {found}, expected {expected}");
            Some(Difference { text, is_growth: found > expected })
        });
        differences.collect()
    }
}

fn tolerance_of(name: &str) -> u64 {
    match name {
        "allocations" | "allocated_bytes" => ALLOCATIONS_OFF,
        name if name.contains("bytes") => BYTES_OFF,
        _ => 0,
    }
}

/// Whether a number is comparable in this build: an optimised one has fewer allocations.
fn is_compared(name: &str) -> bool {
    cfg!(debug_assertions) || !matches!(name, "allocations" | "allocated_bytes")
}
