//! JSON lines as they come, and a table of medians at the end.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde::{Deserialize, Serialize};

/// What one repetition measured.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    workload: &'static str,
    parameters: String,
    figures: BTreeMap<String, f64>,
}

impl Sample {
    pub(crate) fn new(workload: &'static str, parameters: String) -> Self {
        Self { workload, parameters, figures: BTreeMap::new() }
    }

    pub(crate) fn with(mut self, name: impl Into<String>, figure: f64) -> Self {
        self.figures.insert(name.into(), figure);
        self
    }
}

/// Adds median, 99th percentile and greatest of some values.
pub(crate) fn spread(sample: Sample, name: &str, values: &[f64]) -> Sample {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (sorted.len() as f64 * share).ceil() as usize;
        sorted.get(place.saturating_sub(1)).copied().unwrap_or_default()
    };
    let (half, most, last) = (at(0.5), at(0.99), at(1.0));
    [("p50", half), ("p99", most), ("max", last)]
        .into_iter()
        .fold(sample, |sample, (suffix, value)| sample.with(format!("{name}_{suffix}"), value))
}

/// One line of output.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    workload: String,
    parameters: String,
    engine: String,
    figures: BTreeMap<String, f64>,
}

/// All samples of a session.
#[derive(Debug, Default)]
pub(crate) struct Report(BTreeMap<(String, String, String), BTreeMap<String, Vec<f64>>>);

impl Report {
    /// Takes what was measured on an engine, and prints it.
    pub(crate) fn add(&mut self, engine: &'static str, sample: Sample) {
        let Sample { workload, parameters, figures } = sample;
        self.take(Line { workload: workload.into(), parameters, engine: engine.into(), figures });
    }

    /// The same from what another process printed; false if that is no such line.
    pub(crate) fn add_line(&mut self, line: &str) -> bool {
        let Ok(line) = serde_json::from_str(line) else { return false };
        self.take(line);
        true
    }

    fn take(&mut self, line: Line) {
        if let Ok(text) = serde_json::to_string(&line) {
            println!("{text}");
            // Whoever reads has it even if what comes next does not end.
            let _ = std::io::stdout().flush();
        }
        let row = self.0.entry((line.workload, line.parameters, line.engine)).or_default();
        for (name, figure) in line.figures {
            row.entry(name).or_default().push(figure);
        }
    }

    /// Of each figure the median, the lowest and the highest, and of how many.
    pub(crate) fn print_table(&self) {
        println!("\n| workload | engine | figure | median | lowest | highest | of |");
        println!("|---|---|---|---|---|---|---|");
        for ((workload, parameters, engine), figures) in &self.0 {
            for (name, samples) in figures {
                let mut sorted = samples.clone();
                sorted.sort_by(f64::total_cmp);
                let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
                let (median, count) = (sorted[sorted.len() / 2], sorted.len());
                println!(
                    "| {workload} ({parameters}) | {engine} | {name} | {median:.3} | {low:.3} | \
                     {high:.3} | {count} |"
                );
            }
        }
    }
}
