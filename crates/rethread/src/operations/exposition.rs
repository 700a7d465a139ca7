//! The text format of Prometheus, version 0.0.4.

use std::fmt::Write;

/// The media type of the text.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Metrics as text.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
}

/// What kind of metric a family is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Exposition {
    /// Begins a family. Its samples follow.
    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // A String takes everything.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A sample of the family.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Into<f64>) {
        self.text.push_str(name);
        let mut separator = '{';
        for (label, value) in labels {
            let _ = write!(self.text, "{separator}{label}=\"{}\"", escaped(value));
            separator = ',';
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {}", value.into());
    }

    /// A family of one sample.
    pub(super) fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl Into<f64>) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// A count as a number of the format, which are all floating.
#[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are not told apart")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stand_under_their_family() {
        let mut metrics = Exposition::default();
        metrics.single("a_total", Kind::Counter, "Things.", 3);
        metrics.family("b", Kind::Gauge, "Others.");
        metrics.sample("b", &[("queue", "a \"b\"\\\n"), ("x", "y")], 0.5);
        let text = "# HELP a_total Things.\n# TYPE a_total counter\na_total 3\n\
                    # HELP b Others.\n# TYPE b gauge\nb{queue=\"a \\\"b\\\"\\\\\\n\",x=\"y\"} 0.5\n";
        assert_eq!(metrics.into_text(), text);
        assert!((number(1 << 40) - 1_099_511_627_776.0).abs() < f64::EPSILON);
    }
}
