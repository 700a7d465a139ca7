use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// A place in what a run shows: behind an event of its log, or within what that event shows.
///
/// It is the same for each choice of modes, so a stream may go on in other modes than those in
/// which it began. As a text it is `NUMBER`, or `NUMBER.PLACE` within what an event shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    number: u64,
    /// [`u32::MAX`] behind all that the event shows.
    place: u32,
}

impl Cursor {
    /// Before everything that a run shows.
    pub const START: Self = Self::behind(0);

    /// Behind everything that the event of this number shows; events are numbered from 1.
    pub const fn behind(number: u64) -> Self {
        Self { number, place: u32::MAX }
    }

    /// Behind one of the things that an event shows; see
    /// [`StreamEvent::place`](crate::StreamEvent::place).
    pub const fn within(number: u64, place: u32) -> Self {
        Self { number, place }
    }

    /// Number of the last event of the log that was shown, in whole or in part.
    pub const fn number(self) -> u64 {
        self.number
    }

    /// Number of the last event of the log that was shown in whole.
    pub(crate) fn whole(self) -> u64 {
        match self.place {
            u32::MAX => self.number,
            _ => self.number.saturating_sub(1),
        }
    }

    /// Whether this place of an event has been shown.
    pub(super) fn covers(self, number: u64, place: u32) -> bool {
        Self::within(number, place) <= self
    }
}

impl Default for Cursor {
    fn default() -> Self {
        Self::START
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            u32::MAX => write!(f, "{}", self.number),
            place => write!(f, "{}.{place}", self.number),
        }
    }
}

impl FromStr for Cursor {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        Ok(match text.split_once('.') {
            None => Self::behind(text.parse()?),
            Some((number, place)) => Self::within(number.parse()?, place.parse()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_ordered_as_what_they_stand_behind() {
        let ordered = [
            Cursor::START,
            Cursor::within(1, 0),
            Cursor::within(1, 3),
            Cursor::behind(1),
            Cursor::within(2, 0),
        ];
        assert!(ordered.is_sorted());
        for cursor in ordered {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        assert_eq!(ordered.map(Cursor::whole), [0, 0, 0, 1, 1]);
        assert!("".parse::<Cursor>().is_err() && "1.".parse::<Cursor>().is_err());
    }
}
