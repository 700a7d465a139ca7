use std::collections::HashMap;

use serde_json::Value;

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum IdKind {
    Checkpoint,
    Interrupt,
    Task,
}

/// The one-to-one correspondence between expected and given ids, as found so far.
#[derive(Debug, Default)]
pub(super) struct Ids {
    there: HashMap<(IdKind, String), String>,
    back: HashMap<(IdKind, String), String>,
    /// The pairs in the order in which they were found.
    found: Vec<(IdKind, String, String)>,
}

/// A point to go back to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(usize);

impl Ids {
    /// Whether the ids correspond, as far as is known; from now on they do. Both may be nothing.
    pub(super) fn same(&mut self, kind: IdKind, wanted: &Value, given: &Value) -> bool {
        let (Some(wanted), Some(given)) = (wanted.as_str(), given.as_str()) else {
            return wanted.is_null() && given.is_null();
        };
        let (there, back) = ((kind, wanted.to_owned()), (kind, given.to_owned()));
        match (self.there.get(&there), self.back.get(&back)) {
            (None, None) => {
                self.found.push((kind, there.1.clone(), back.1.clone()));
                self.there.insert(there, given.to_owned());
                self.back.insert(back, wanted.to_owned());
                true
            }
            (Some(known), Some(other)) => known == given && other == wanted,
            _ => false,
        }
    }

    /// The pairs found so far.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.found.len())
    }

    /// Forgets what was found behind the mark.
    pub(super) fn undo(&mut self, mark: Mark) {
        for (kind, wanted, given) in self.found.drain(mark.0..) {
            self.there.remove(&(kind, wanted));
            self.back.remove(&(kind, given));
        }
    }

    /// What was found behind the mark, in an order of its own.
    pub(super) fn since(&self, mark: Mark) -> Vec<(String, String)> {
        let pairs = self.found.iter().skip(mark.0);
        let mut pairs: Vec<_> =
            pairs.map(|(_, wanted, given)| (wanted.clone(), given.clone())).collect();
        pairs.sort();
        pairs
    }
}
