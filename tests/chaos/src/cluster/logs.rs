//! What processes log while they run.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Stands in what a process logs when the storage lost what it had acknowledged.
pub(crate) const ROLLED_BACK: &str = "storage rolled back";

/// Reads a log as it grows.
#[derive(Debug)]
pub(super) struct LogTail {
    path: PathBuf,
    /// Bytes that were read.
    read: u64,
}

impl LogTail {
    /// Reads this file from its beginning.
    pub(super) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), read: 0 }
    }

    /// The whole lines since the last time.
    pub(super) fn lines(&mut self) -> io::Result<Vec<String>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut file = BufReader::new(file);
        let mut lines = Vec::new();
        let mut line = Vec::new();
        while file.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            self.read += line.len() as u64;
            lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
        Ok(lines)
    }
}

/// A process found that the storage lost what it had acknowledged.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RolledBack {
    pub(super) partition: usize,
    /// The last commit that was acknowledged.
    pub(super) expected: u64,
    /// The last one that is there.
    pub(super) found: u64,
}

impl RolledBack {
    /// Reads it from a line of a log; none if the line tells of something else.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (_, told) = line.split_once(ROLLED_BACK)?;
        let partition = number_behind(told, "partition=p")?;
        let expected = number_behind(told, "acknowledged=").or_else(|| {
            // A commit that is refused says which one had to be there.
            number_behind(told, ": commit ")
        })?;
        let found = number_behind(told, "found=").or_else(|| number_behind(told, ", found "))?;
        Some(Self { partition: usize::try_from(partition).ok()?, expected, found })
    }
}

fn number_behind(text: &str, words: &str) -> Option<u64> {
    let (_, behind) = text.split_once(words)?;
    let end = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
    behind[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn all_ways_of_telling_are_understood() {
        let told = Some(RolledBack { partition: 7, expected: 200, found: 199 });
        let commit = "2026-01-01T00:00:00Z ERROR rethread_runtime::partition::flush: storage \
                      rolled back partition=p07 error=storage lost acknowledged writes of \
                      partition p07: commit 200 was expected to be the last, found 199";
        assert_eq!(RolledBack::parse(commit), told);
        let audit = "ERROR storage rolled back partition=p07 acknowledged=200 found=199";
        assert_eq!(RolledBack::parse(audit), told);
        assert_eq!(RolledBack::parse("INFO partitions taken over partition=p07 found=199"), None);
    }

    #[test]
    fn a_line_is_read_when_it_is_whole() {
        let path = std::env::temp_dir().join(format!("rethread-log-{}", std::process::id()));
        let mut file = File::create(&path).expect("a file can be made");
        let mut tail = LogTail::of(&path);
        let mut read = |text: &str| {
            file.write_all(text.as_bytes()).expect("the file can be written");
            tail.lines().expect("the file can be read")
        };
        assert_eq!(read("one\ntw"), ["one"]);
        assert_eq!(read("o\n"), ["two"]);
        assert!(read("").is_empty());
        std::fs::remove_file(path).expect("the file can be removed");
    }
}
