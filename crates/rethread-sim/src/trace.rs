//! What happened in a world, as a digest and, on demand, as text.

use std::fmt::Write as _;

use crate::random::mix;

/// The order and content of everything that was noted. The last digits of a line tell whether two
/// worlds were the same up to there: a text does not say everything.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    digest: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// With its lines kept, if they are wanted.
    pub(crate) fn new(keeps_lines: bool) -> Self {
        Self { digest: 0, lines: keeps_lines.then(Vec::new) }
    }

    /// Adds what happened. `numbers` say it all; `text` is for readers.
    pub(crate) fn add(
        &mut self,
        at: u64,
        who: u32,
        what: &'static str,
        numbers: &[u64],
        text: impl FnOnce() -> String,
    ) {
        let mut digest = mix(self.digest, at) ^ u64::from(who);
        digest = mix(digest, what.len() as u64 ^ u64::from(what.as_bytes()[0]));
        for number in numbers {
            digest = mix(digest, *number);
        }
        self.digest = digest;
        if let Some(lines) = &mut self.lines {
            let mut line = String::new();
            // Writing into a text does not fail.
            let _ = write!(line, "{at:>9} {who:>3} {what} {} [{:04x}]", text(), digest & 0xffff);
            lines.push(line);
        }
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}
