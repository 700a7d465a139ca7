//! The lines of all engines side by side.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::engine::Engine;

/// What is compared of each workload, and whether more of it is better.
const FIGURES: [(&str, &str, bool); 5] = [
    ("steps", "steps_per_second", true),
    ("fan-out", "ms", false),
    ("latency", "run_of_one_task_us_p50", false),
    ("resume", "resume_us_p50", false),
    ("replay", "resume_ms_p50", false),
];

/// A workload with its parameters.
type Row = (usize, String);

/// The figures of all engines.
#[derive(Debug, Default)]
pub(super) struct Table(BTreeMap<Row, BTreeMap<String, Vec<f64>>>);

impl Table {
    /// Takes a JSON line; one of another workload, or without the figure, is left out.
    pub(super) fn add(&mut self, line: &str) {
        let Ok(line) = serde_json::from_str::<Value>(line) else { return };
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let workload = text("workload");
        let place = FIGURES.iter().position(|(name, _, _)| *name == workload);
        let Some(place) = place else { return };
        if let Some(figure) = line["figures"][FIGURES[place].1].as_f64() {
            let row = self.0.entry((place, text("parameters"))).or_default();
            row.entry(text("engine")).or_default().push(figure);
        }
    }
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

impl fmt::Display for Table {
    /// Of each engine the median, of how many, and how many times better Rethread is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| workload | figure | engine | median | of | embedded is | redis is |")?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for ((place, parameters), engines) in &self.0 {
            let (workload, figure, is_rate) = FIGURES[*place];
            for engine in Engine::ALL {
                let Some(figures) = engines.get(engine.name()) else { continue };
                let (found, count) = (median(figures), figures.len());
                let better = |ours: Engine| match engines.get(ours.name()).map(|own| median(own)) {
                    Some(own) if !engine.is_rethread() => {
                        let ratio = if is_rate { own / found } else { found / own };
                        format!("{ratio:.1} ×")
                    }
                    _ => String::new(),
                };
                let (embedded, redis) = (better(Engine::Embedded), better(Engine::Redis));
                let name = engine.name();
                writeln!(
                    f,
                    "| {workload}, {parameters} | {figure} | {name} | {found:.1} | {count} | \
                     {embedded} | {redis} |"
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_say_how_much_better_rethread_is() {
        let mut table = Table::default();
        for (engine, rate) in [("redis", 50.0), ("redis", 60.0), ("redis", 70.0), ("bullmq", 20.0)]
        {
            table.add(&format!(
                r#"{{"workload":"steps","parameters":"p","engine":"{engine}",
                    "figures":{{"steps_per_second":{rate}}}}}"#
            ));
        }
        for (engine, time) in [("embedded", 2.0), ("restate", 5.0)] {
            table.add(&format!(
                r#"{{"workload":"replay","parameters":"q","engine":"{engine}",
                    "figures":{{"resume_ms_p50":{time}}}}}"#
            ));
        }
        table.add("no JSON");
        let text = table.to_string();
        assert!(text.contains("| steps, p | steps_per_second | bullmq | 20.0 | 1 |  | 3.0 × |"));
        assert!(text.contains("| replay, q | resume_ms_p50 | restate | 5.0 | 1 | 2.5 × |  |"));
    }
}
