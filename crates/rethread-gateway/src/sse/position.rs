use std::fmt;
use std::str::FromStr;

use rethread_client::Millis;

/// What was sent of a run: the event of the log, the place among what that event shows in all
/// modes, and the part of it where it is sent in several. So it is the same for each reader,
/// whatever modes it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Position {
    pub(crate) number: u64,
    pub(crate) place: u32,
    pub(crate) part: u8,
}

/// Bits for the place, and for the part.
const PLACE_BITS: u32 = 13;
const PART_BITS: u32 = 3;

impl Position {
    /// Behind everything that an event of the log shows.
    pub(crate) fn behind(number: u64) -> Self {
        Self { number, place: u32::MAX, part: u8::MAX }
    }

    /// The same, at another part.
    pub(crate) fn part(self, part: u8) -> Self {
        Self { part, ..self }
    }

    /// As one number, which grows from each to the next.
    pub(crate) fn sequence(self) -> u64 {
        let place = u64::from(self.place.min((1 << PLACE_BITS) - 1));
        let part = u64::from(self.part.min((1 << PART_BITS) - 1));
        (self.number << (PLACE_BITS + PART_BITS)) | (place << PART_BITS) | part
    }

    pub(crate) fn from_sequence(sequence: u64) -> Self {
        let place = (sequence >> PART_BITS) & ((1 << PLACE_BITS) - 1);
        Self {
            number: sequence >> (PLACE_BITS + PART_BITS),
            place: u32::try_from(place).unwrap_or_default(),
            part: (sequence & ((1 << PART_BITS) - 1)) as u8,
        }
    }

    /// The id of a frame: `MILLIS-SEQ`.
    pub(crate) fn id(self, Millis(at): Millis) -> String {
        format!("{at}-{}", self.sequence())
    }
}

/// The last frame that a reader has seen, as its header `Last-Event-ID` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastEventId {
    /// None: it wants everything.
    Start,
    /// This one.
    Frame { at: Millis, sequence: u64 },
}

impl LastEventId {
    pub(crate) fn position(self) -> Position {
        match self {
            Self::Start => Position::default(),
            Self::Frame { sequence, .. } => Position::from_sequence(sequence),
        }
    }
}

/// A header that cannot be the id of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoEventId;

impl fmt::Display for NoEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Last-Event-ID must be the id of an event, or -1 for all events")
    }
}

impl FromStr for LastEventId {
    type Err = NoEventId;

    fn from_str(text: &str) -> Result<Self, NoEventId> {
        let text = text.trim();
        if matches!(text, "-1" | "-" | "0" | "0-0") {
            return Ok(Self::Start);
        }
        let (at, sequence) = text.split_once('-').ok_or(NoEventId)?;
        let at = Millis(at.parse().map_err(|_| NoEventId)?);
        Ok(Self::Frame { at, sequence: sequence.parse().map_err(|_| NoEventId)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_where_its_frame_is() {
        let position = Position { number: 70_000, place: 4, part: 1 };
        let id = position.id(Millis(1_795_193_955_280));
        assert!(id.starts_with("1795193955280-"));
        let parsed: LastEventId = id.parse().expect("an id");
        assert_eq!(parsed.position(), position);
        for text in ["-1", "-", " -1 "] {
            assert_eq!(text.parse(), Ok(LastEventId::Start), "{text}");
        }
        for text in ["", "x", "1", "1-", "-2", "1-x", "1-2-3"] {
            assert_eq!(text.parse::<LastEventId>(), Err(NoEventId), "{text}");
        }
    }

    #[test]
    fn later_frames_have_higher_ids() {
        let at = |number, place, part| Position { number, place, part };
        let positions = [at(1, 0, 0), at(1, 1, 0), at(1, 1, 1), at(1, 300, 0), at(2, 0, 0)];
        assert!(positions.is_sorted());
        assert!(positions.map(Position::sequence).is_sorted());
        assert!(Position::behind(1) < at(2, 0, 0));
    }
}
