//! What a check found.

use std::fmt;

/// One breach of a rule. Sorts by place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    /// Relative to the root, with `/`; for a rule about a package, its name.
    place: String,
    /// From 1; 0 when the whole file is meant.
    line: usize,
    /// The rule, and what to do.
    message: String,
}

impl Finding {
    pub(super) fn at(place: &str, line: usize, message: impl Into<String>) -> Self {
        Self { place: place.to_owned(), line, message: message.into() }
    }

    pub(super) fn whole(place: &str, message: impl Into<String>) -> Self {
        Self::at(place, 0, message)
    }

    #[cfg(test)]
    pub(super) fn line(&self) -> usize {
        self.line
    }

    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.place, self.message),
            line => write!(f, "{}:{line}: {}", self.place, self.message),
        }
    }
}
