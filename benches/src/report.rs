//! JSON lines as they come, and a table of medians at the end.

use std::collections::BTreeMap;

use serde_json::json;

/// What one repetition measured.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    workload: &'static str,
    parameters: String,
    figures: Vec<(String, f64)>,
}

impl Sample {
    pub(crate) fn new(workload: &'static str, parameters: String) -> Self {
        Self { workload, parameters, figures: Vec::new() }
    }

    pub(crate) fn with(mut self, name: impl Into<String>, figure: f64) -> Self {
        self.figures.push((name.into(), figure));
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

type Row = (&'static str, String, &'static str);

/// All samples of a session.
#[derive(Debug, Default)]
pub(crate) struct Report(BTreeMap<Row, BTreeMap<String, Vec<f64>>>);

impl Report {
    /// Takes what was measured on an engine, and prints it.
    pub(crate) fn add(&mut self, engine: &'static str, sample: Sample) {
        let figures: BTreeMap<_, _> = sample.figures.iter().cloned().collect();
        println!(
            "{}",
            json!({
                "workload": sample.workload,
                "parameters": sample.parameters,
                "engine": engine,
                "figures": figures,
            })
        );
        let row = self.0.entry((sample.workload, sample.parameters, engine)).or_default();
        for (name, figure) in sample.figures {
            row.entry(name).or_default().push(figure);
        }
    }

    pub(crate) fn print_table(&self) {
        println!("\n| workload | engine | figure | median | lowest | highest |");
        println!("|---|---|---|---|---|---|");
        for ((workload, parameters, engine), figures) in &self.0 {
            for (name, samples) in figures {
                let mut sorted = samples.clone();
                sorted.sort_by(f64::total_cmp);
                let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
                let median = sorted[sorted.len() / 2];
                println!(
                    "| {workload} ({parameters}) | {engine} | {name} | {median:.2} | {low:.2} | {high:.2} |"
                );
            }
        }
    }
}
