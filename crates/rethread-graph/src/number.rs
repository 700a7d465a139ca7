//! Adding encoded numbers.

use rethread_core::parts;
use rethread_core::payload::Payload;

/// A number as it is encoded.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Whole(i128),
    Single(f32),
    Double(f64),
}

/// The number 0.
pub(crate) fn zero() -> Payload {
    encode(Number::Whole(0)).unwrap_or_default()
}

/// The sum of two numbers, or two texts as one.
///
/// Whole numbers stay whole, and are refused rather than rounded when they do not fit 64 bits.
pub(crate) fn add(old: &Payload, update: &Payload) -> Result<Payload, &'static str> {
    if let (Some(old), Some(update)) = (parts::text(old), parts::text(update)) {
        return Ok(parts::of_text(&format!("{old}{update}")));
    }
    let (Some(old), Some(update)) = (decode(old), decode(update)) else {
        return Err("an update of a field that is added to is a number, or a text to a text");
    };
    encode(old.plus(update)).ok_or("the sum does not fit 64 bits")
}

impl Number {
    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Self::Whole(a + b),
            (Self::Single(a), Self::Single(b)) => Self::Single(a + b),
            // The 0 that a field begins with has no width of its own.
            (Self::Whole(0), float) | (float, Self::Whole(0)) => float,
            (a, b) => Self::Double(a.double() + b.double()),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "a sum with a float is a float")]
    fn double(self) -> f64 {
        match self {
            Self::Whole(n) => n as f64,
            Self::Single(x) => f64::from(x),
            Self::Double(x) => x,
        }
    }
}

fn decode(payload: &Payload) -> Option<Number> {
    match payload.as_bytes().first()? {
        0xca => payload.decode("number").ok().map(Number::Single),
        0xcb => payload.decode("number").ok().map(Number::Double),
        0xcf => payload.decode::<u64>("number").ok().map(|n| Number::Whole(n.into())),
        0x00..=0x7f | 0xe0..=0xff | 0xcc..=0xce | 0xd0..=0xd3 => {
            payload.decode::<i64>("number").ok().map(|n| Number::Whole(n.into()))
        }
        _ => None,
    }
}

fn encode(number: Number) -> Option<Payload> {
    match number {
        Number::Whole(n) => match (u64::try_from(n), i64::try_from(n)) {
            (Ok(n), _) => Payload::encode(&n, "sum").ok(),
            (_, Ok(n)) => Payload::encode(&n, "sum").ok(),
            _ => None,
        },
        Number::Single(x) => Payload::encode(&x, "sum").ok(),
        Number::Double(x) => Payload::encode(&x, "sum").ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;

    fn payload(value: impl Serialize) -> Payload {
        Payload::encode(&value, "x").expect("encodes")
    }

    #[test]
    fn numbers_keep_their_kind() {
        assert_eq!(add(&payload(2_u8), &payload(3_u64)), Ok(payload(5_u8)));
        assert_eq!(add(&payload(2), &payload(-3)), Ok(payload(-1)));
        assert_eq!(add(&zero(), &payload(1.5_f32)), Ok(payload(1.5_f32)));
        assert_eq!(add(&payload(1), &payload(1.5_f64)), Ok(payload(2.5_f64)));
        assert_eq!(add(&payload(u64::MAX), &payload(-1)), Ok(payload(u64::MAX - 1)));
        assert_eq!(add(&payload("a"), &payload("b")), Ok(payload("ab")));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(add(&payload(u64::MAX), &payload(1)).is_err());
        assert!(add(&payload(1), &payload("a")).is_err());
        assert!(add(&payload(1), &Payload::NULL).is_err());
    }
}
