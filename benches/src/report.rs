//! JSON lines as they come, and a table of medians at the end.

use std::collections::BTreeMap;

use serde_json::json;

use crate::engine::Kind;

/// What one repetition measured.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    workload: &'static str,
    parameters: String,
    figures: Vec<(&'static str, f64)>,
}

impl Sample {
    pub(crate) fn new(workload: &'static str, parameters: String) -> Self {
        Self { workload, parameters, figures: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, figure: f64) -> Self {
        self.figures.push((name, figure));
        self
    }
}

type Row = (&'static str, String, Kind);

/// All samples of a session.
#[derive(Debug, Default)]
pub(crate) struct Report(BTreeMap<Row, BTreeMap<&'static str, Vec<f64>>>);

impl Report {
    pub(crate) fn add(&mut self, kind: Kind, sample: Sample) {
        let figures: BTreeMap<_, _> = sample.figures.iter().copied().collect();
        println!(
            "{}",
            json!({
                "workload": sample.workload,
                "parameters": sample.parameters,
                "engine": kind.name(),
                "figures": figures,
            })
        );
        let row = self.0.entry((sample.workload, sample.parameters, kind)).or_default();
        for (name, figure) in sample.figures {
            row.entry(name).or_default().push(figure);
        }
    }

    pub(crate) fn print_table(&self) {
        println!("\n| workload | engine | figure | median | lowest | highest |");
        println!("|---|---|---|---|---|---|");
        for ((workload, parameters, kind), figures) in &self.0 {
            for (name, samples) in figures {
                let mut sorted = samples.clone();
                sorted.sort_by(f64::total_cmp);
                let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
                let median = sorted[sorted.len() / 2];
                let engine = kind.name();
                println!(
                    "| {workload} ({parameters}) | {engine} | {name} | {median:.2} | {low:.2} | {high:.2} |"
                );
            }
        }
    }
}
