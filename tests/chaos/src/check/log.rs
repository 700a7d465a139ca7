//! Lines of the files, and the slice of them that shows a breach.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::history::Entry;

/// A line, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line<T> {
    /// `file:number`.
    pub(crate) at: String,
    pub(crate) entry: T,
}

/// The lines of history and dump, in this order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Log(Vec<Line<Entry>>);

impl Log {
    /// Reads files one after the other; one that is not there has no lines.
    pub(crate) fn read(files: &[&Path]) -> io::Result<Self> {
        let mut lines = Vec::new();
        for file in files {
            lines.extend(read_lines(file)?);
        }
        Ok(Self(lines))
    }

    #[cfg(test)]
    pub(crate) fn of(lines: Vec<Line<Entry>>) -> Self {
        Self(lines)
    }

    pub(crate) fn lines(&self) -> &[Line<Entry>] {
        &self.0
    }
}

/// Reads a file of JSON lines; none if there is no such file.
pub(crate) fn read_lines<T: DeserializeOwned>(path: &Path) -> io::Result<Vec<Line<T>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    parse_lines(&name, BufReader::new(file))
}

/// Reads JSON lines.
pub(crate) fn parse_lines<T: DeserializeOwned>(
    name: &str,
    text: impl BufRead,
) -> io::Result<Vec<Line<T>>> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let at = format!("{name}:{}", index + 1);
        let entry = serde_json::from_str(&line?).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{at}: {error}"))
        })?;
        lines.push(Line { at, entry });
    }
    Ok(lines)
}
