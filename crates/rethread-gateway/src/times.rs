//! Times as clients read them: RFC 3339, UTC, microseconds.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use rethread_client::Millis;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

const DAY_MS: u64 = 86_400_000;
/// Midnight at the end of the year 9999, which no text of four digits is behind.
const END_MS: u64 = 253_402_300_800_000;

/// The time now.
pub(crate) fn now() -> Millis {
    millis(SystemTime::now())
}

/// A time of the system in milliseconds since 1970; times before that count as 1970.
pub(crate) fn millis(at: SystemTime) -> Millis {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A time, sent as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(pub(crate) Millis);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text(self.0))
    }
}

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// A time as text: `2026-11-20T16:45:27.128000+00:00`.
pub(crate) fn text(Millis(at): Millis) -> String {
    let at = at.min(END_MS - 1);
    let (year, month, day) = date(at / DAY_MS);
    let of_day = at % DAY_MS;
    let (seconds, ms) = (of_day / 1_000, of_day % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}000+00:00")
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar: years are
/// counted from March, so that the day of a leap year is their last.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    const OF_400_YEARS: u64 = 146_097;
    let days = days + DAYS_TO_1970;
    let (era, of_era) = (days / OF_400_YEARS, days % OF_400_YEARS);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_other_servers_do() {
        for (at, expected) in [
            (0, "1970-01-01T00:00:00.000000+00:00"),
            (951_782_399_999, "2000-02-28T23:59:59.999000+00:00"),
            (951_782_400_000, "2000-02-29T00:00:00.000000+00:00"),
            (951_868_800_000, "2000-03-01T00:00:00.000000+00:00"),
            (1_795_193_127_128, "2026-11-20T16:45:27.128000+00:00"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000000+00:00"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000000+00:00"),
            (u64::MAX, "9999-12-31T23:59:59.999000+00:00"),
        ] {
            assert_eq!(text(Millis(at)), expected);
        }
    }
}
