use uuid::Uuid;

use crate::error::Result;
use crate::outside::current_scope;

/// The next random value of the body: the same on each replay, and in each attempt of a task.
///
/// Not for secrets: whoever knows the run can tell the values.
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::prelude::*;
///
/// #[entrypoint]
/// async fn pick(models: Vec<String>) -> Result<String> {
///     let nth = random::<u64>()? as usize % models.len().max(1);
///     models.into_iter().nth(nth).ok_or_else(|| Error::msg("there are no models"))
/// }
/// ```
///
/// # Errors
/// Outside a run.
pub fn random<T: Random>() -> Result<T> {
    let scope = current_scope("`random`")?;
    Ok(T::draw(&mut || scope.random()))
}

/// What [`random()`] can give: `u32`, `u64`, `f64` from 0 to below 1, `bool`, and [`Uuid`] of
/// version 4.
#[diagnostic::on_unimplemented(
    message = "`random` cannot give a `{Self}`",
    label = "expected `u32`, `u64`, `f64`, `bool` or `Uuid`"
)]
pub trait Random: sealed::Sealed + Sized {
    /// Makes one of random words.
    #[doc(hidden)]
    fn draw(word: &mut dyn FnMut() -> u64) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! random {
    ($($type:ty: $word:ident => $value:expr;)*) => {$(
        impl sealed::Sealed for $type {}

        impl Random for $type {
            fn draw($word: &mut dyn FnMut() -> u64) -> Self {
                $value
            }
        }
    )*};
}

random! {
    u64: word => word();
    u32: word => (word() >> 32) as u32;
    bool: word => word() >> 63 == 1;
    // The 53 bits that a number from 0 to 1 can tell apart.
    f64: word => (word() >> 11) as f64 / (1_u64 << 53) as f64;
    Uuid: word => uuid::Builder::from_random_bytes(
        (u128::from(word()) << 64 | u128::from(word())).to_be_bytes()
    ).into_uuid();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<T: Random>(word: u64) -> T {
        T::draw(&mut || word)
    }

    #[test]
    fn fractions_stay_below_one() {
        assert!(of::<f64>(u64::MAX) < 1.0);
        assert!(of::<f64>(0).abs() < f64::EPSILON);
    }

    #[test]
    fn each_type_uses_the_upper_bits() {
        assert_eq!((of::<u32>(1 << 63), of::<u32>(1)), (1 << 31, 0));
        assert_eq!((of::<bool>(1 << 63), of::<bool>(u64::MAX >> 1)), (true, false));
        assert_eq!(of::<u64>(7), 7);
    }

    #[test]
    fn ids_are_of_version_4() {
        let id = of::<Uuid>(u64::MAX);
        assert_eq!(id.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
