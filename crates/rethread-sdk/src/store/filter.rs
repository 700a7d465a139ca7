use rethread_core::payload::{Payload, PayloadError};
use rethread_core::store::{Comparison, Condition};
use serde::Serialize;

/// How an entry of a value is compared in a search. A plain value turns into [`Filter::eq`].
///
/// An entry that an item does not have counts as nothing (JSON `null`). Values that have no order
/// between them, such as a number and a text, are neither greater nor less.
#[derive(Debug, Clone)]
pub struct Filter {
    comparison: Comparison,
    operand: Result<Payload, PayloadError>,
}

impl Filter {
    /// Equal to `value`; a map matches a map that has at least its entries.
    pub fn eq(value: impl Serialize) -> Self {
        Self::new(Comparison::Eq, value)
    }

    /// Not equal to `value`.
    pub fn ne(value: impl Serialize) -> Self {
        Self::new(Comparison::Ne, value)
    }

    /// Greater than `value`.
    pub fn gt(value: impl Serialize) -> Self {
        Self::new(Comparison::Gt, value)
    }

    /// Greater than or equal to `value`.
    pub fn ge(value: impl Serialize) -> Self {
        Self::new(Comparison::Gte, value)
    }

    /// Less than `value`.
    pub fn lt(value: impl Serialize) -> Self {
        Self::new(Comparison::Lt, value)
    }

    /// Less than or equal to `value`.
    pub fn le(value: impl Serialize) -> Self {
        Self::new(Comparison::Lte, value)
    }

    fn new(comparison: Comparison, value: impl Serialize) -> Self {
        Self { comparison, operand: Payload::encode(&value, "operand of a filter") }
    }

    pub(super) fn on(self, key: String) -> Result<Condition, PayloadError> {
        Ok(Condition { key, comparison: self.comparison, operand: self.operand? })
    }
}

impl<T: Serialize> From<T> for Filter {
    fn from(value: T) -> Self {
        Self::eq(value)
    }
}
