use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A whole number that is not negative, however it is written: `7` and `7.0` are the same in
/// JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whole(pub(crate) u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(WholeVisitor)
    }
}

/// The first whole number that a float cannot tell from its neighbour.
const EXACT_END: f64 = 9_007_199_254_740_992.0;

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number that is not negative")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Whole, E> {
        let number = u64::try_from(number);
        number.map(Whole).map_err(|_| E::custom("must not be negative"))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Whole, E> {
        if number.fract() == 0.0 && (0.0..EXACT_END).contains(&number) {
            Ok(Whole(number as u64))
        } else {
            Err(E::custom("must be a whole number that is not negative"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_are_read_however_they_are_written() {
        let read = |value| serde_json::from_value::<Whole>(value).ok();
        for value in [json!(7), json!(7.0)] {
            assert_eq!(read(value), Some(Whole(7)));
        }
        assert_eq!(read(json!(u64::MAX)), Some(Whole(u64::MAX)));
        for value in [json!(-1), json!(1.5), json!(-1.0), json!(1e300), json!("7"), json!(null)] {
            assert_eq!(read(value.clone()), None, "{value}");
        }
    }
}
