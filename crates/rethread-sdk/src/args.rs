use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

use rethread_core::payload::{Payload, PayloadError, in_plain_words};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};

use crate::value::Value;

/// The arguments of a task: a tuple of up to eight [`Value`]s.
///
/// They are stored as one MessagePack array, so a task can be called from other languages.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the arguments of a task",
    label = "expected a tuple of up to 8 serializable values",
    note = "a single argument is a tuple too: `call((argument,))`"
)]
pub trait Args: Send + Sized + 'static {
    /// Encodes the arguments for a task; its name is for the error.
    ///
    /// # Errors
    /// When serde refuses one of them.
    fn encode(&self, task: &str) -> Result<Payload, PayloadError>;

    /// Decodes the arguments for a task; its name is for the error.
    ///
    /// # Errors
    /// When there are more or fewer, or one is not of its type; the error names its position.
    fn decode(payload: &Payload, task: &str) -> Result<Self, PayloadError>;
}

/// A tuple that is read from an array, with errors that name the argument.
struct Tuple<A>(A);

struct TupleVisitor<A>(PhantomData<A>);

fn argument<'de, A, S>(sequence: &mut S, position: usize) -> Result<A, S::Error>
where
    A: Deserialize<'de>,
    S: SeqAccess<'de>,
{
    match sequence.next_element() {
        Ok(Some(argument)) => Ok(argument),
        Ok(None) => Err(S::Error::custom(format_args!(
            "argument {position} (`{}`) is missing",
            type_name::<A>()
        ))),
        Err(error) => {
            let type_name = type_name::<A>();
            let reason = in_plain_words(&error.to_string(), type_name);
            Err(S::Error::custom(format_args!("argument {position} (`{type_name}`): {reason}")))
        }
    }
}

/// Names the arguments in errors; written out only if there is one.
struct ArgumentsOf<'a>(&'a str);

impl fmt::Display for ArgumentsOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arguments of task `{}`", self.0)
    }
}

macro_rules! args {
    ($count:literal: $($arg:ident $position:literal),*) => {
        impl<$($arg: Value),*> Args for ($($arg,)*) {
            fn encode(&self, task: &str) -> Result<Payload, PayloadError> {
                // Serde writes the empty tuple as nothing; here it is an array like the others.
                if $count == 0 {
                    Payload::encode(&[(); 0], ArgumentsOf(task))
                } else {
                    Payload::encode(self, ArgumentsOf(task))
                }
            }

            fn decode(payload: &Payload, task: &str) -> Result<Self, PayloadError> {
                match payload.decode::<Tuple<Self>>(ArgumentsOf(task)) {
                    Ok(Tuple(args)) => Ok(args),
                    Err(PayloadError::Decode { what, reason, .. }) => {
                        Err(PayloadError::Decode { what, type_name: type_name::<Self>(), reason })
                    }
                    Err(error) => Err(error),
                }
            }
        }

        impl<'de, $($arg: Deserialize<'de>),*> Deserialize<'de> for Tuple<($($arg,)*)> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_seq(TupleVisitor::<($($arg,)*)>(PhantomData))
            }
        }

        impl<'de, $($arg: Deserialize<'de>),*> Visitor<'de> for TupleVisitor<($($arg,)*)> {
            type Value = Tuple<($($arg,)*)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of {} arguments", $count)
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
                let args = ($(argument::<$arg, S>(&mut seq, $position)?,)*);
                if seq.next_element::<IgnoredAny>()?.is_some() {
                    return Err(S::Error::custom(format_args!(
                        "there are more than {} arguments",
                        $count
                    )));
                }
                Ok(Tuple(args))
            }
        }
    };
}

args!(0:);
args!(1: A1 1);
args!(2: A1 1, A2 2);
args!(3: A1 1, A2 2, A3 3);
args!(4: A1 1, A2 2, A3 3, A4 4);
args!(5: A1 1, A2 2, A3 3, A4 4, A5 5);
args!(6: A1 1, A2 2, A3 3, A4 4, A5 5, A6 6);
args!(7: A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7);
args!(8: A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7, A8 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_always_an_array() {
        assert_eq!(().encode("t").expect("encodes").as_bytes(), [0x90]);
        assert_eq!((7u8,).encode("t").expect("encodes").as_bytes(), [0x91, 7]);
        let eight = (1u8, 2u8, 3u8, 4u8, 5u8, 6u8, 7u8, "x".to_owned());
        let payload = eight.encode("t").expect("encodes");
        assert_eq!(Args::decode(&payload, "t"), Ok(eight));
        <()>::decode(&().encode("t").expect("encodes"), "t").expect("decodes");
    }

    #[test]
    fn a_wrong_argument_is_named() {
        let payload = (1u8, "many".to_owned()).encode("t").expect("encodes");
        let error = <(u8, u32)>::decode(&payload, "charge").expect_err("no number").to_string();
        assert!(error.contains("arguments of task `charge` as `(u8, u32)`"), "{error}");
        let wrong = "argument 2 (`u32`): a text was given, expected a whole number";
        assert!(error.ends_with(wrong), "{error}");
        let payload = Payload::encode("secret", "x").expect("encodes");
        let error = <(u8,)>::decode(&payload, "t").expect_err("no list").to_string();
        assert!(error.ends_with(": a text was given, expected a list of 1 arguments"), "{error}");
    }

    #[test]
    fn the_number_of_arguments_must_fit() {
        let payload = (1u8, 2u8).encode("t").expect("encodes");
        let error = <(u8, u8, u64)>::decode(&payload, "t").expect_err("too few").to_string();
        assert!(error.contains("argument 3 (`u64`) is missing"), "{error}");
        let error = <(u8,)>::decode(&payload, "t").expect_err("too many").to_string();
        assert!(error.contains("more than 1 arguments"), "{error}");
        assert!(<()>::decode(&Payload::NULL, "t").is_err());
    }
}
