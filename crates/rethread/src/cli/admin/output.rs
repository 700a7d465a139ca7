//! What commands print.

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rethread_client::admin::span;
use serde::Serialize;

use super::Result;
use crate::service::ServiceError;

/// Prints text for people or JSON for programs, on standard output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    is_json: bool,
}

impl Output {
    pub(super) fn new(is_json: bool) -> Self {
        Self { is_json }
    }

    /// Prints the value as JSON, or what `text` makes of it.
    pub(super) fn show<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<()> {
        let shown = if self.is_json {
            let json = serde_json::to_string(value).map_err(io::Error::from);
            json.map_err(ServiceError::from)?
        } else {
            text(value)
        };
        line(shown.trim_end())
    }

    /// Says that something was done.
    pub(super) fn done(self, what: &str) -> Result<()> {
        self.show(&serde_json::json!({ "done": true }), |_| what.to_owned())
    }
}

/// A closed pipe ends the program without noise, as `head` wants it.
fn line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => Ok(written.map_err(ServiceError::from)?),
    }
}

/// Columns under their heads; `none` where there are no rows.
pub(super) fn table(heads: &[&str], rows: Vec<Vec<String>>, none: &str) -> String {
    if rows.is_empty() {
        return none.to_owned();
    }
    let heads = heads.iter().map(|head| (*head).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heads).chain(rows).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in &rows {
        let mut printed = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            printed.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(printed.trim_end());
        text.push('\n');
    }
    text
}

/// A time in milliseconds since 1970, as its distance from now.
pub(super) fn ago(at_ms: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = Duration::from_millis(at_ms);
    format!("{} ago", span(now.saturating_sub(at)))
}

/// A time in milliseconds since 1970 that is to come, as its distance from now.
pub(super) fn ahead(at_ms: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("in {}", span(Duration::from_millis(at_ms).saturating_sub(now)))
}

/// A duration in milliseconds, for people.
pub(super) fn span_ms(ms: u64) -> String {
    span(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_heads() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = table(&["QUEUE", "N"], vec![row(["default", "1"]), row(["é", "23"])], "none");
        assert_eq!(text, "QUEUE    N\ndefault  1\né        23\n");
        assert_eq!(table(&["QUEUE"], Vec::new(), "no queues"), "no queues");
    }

    #[test]
    fn durations_are_short() {
        for (ms, text) in [(7, "7 ms"), (1_999, "1 s"), (120_000, "2 min"), (7_200_000, "2 h")] {
            assert_eq!(span_ms(ms), text);
        }
        assert_eq!(span_ms(172_800_000), "2 days");
    }
}
