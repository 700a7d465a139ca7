//! Fields that the engine gives.

use rethread_core::graph::StepCount;
use rethread_core::payload::PayloadError;

use crate::reducer::Reducer;
use crate::schema::Schema;
use crate::values::Values;

/// Gives the managed fields their values in the step that comes after `steps`.
pub(crate) fn give(
    schema: &Schema,
    values: &mut Values,
    steps: StepCount,
) -> Result<(), PayloadError> {
    // A run that takes an input counts the step of the input, too.
    let left = i64::from(steps.limit) - i64::from(steps.made);
    let left = if steps.took_input { left - 1 } else { left + 1 };
    for (name, reducer) in schema.fields() {
        match reducer {
            Reducer::RemainingSteps => values.write(name, &left)?,
            Reducer::IsLastStep => values.write(name, &(left == 1))?,
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Field;

    #[test]
    fn the_last_step_of_a_run_is_known() {
        let mut schema = Schema::default();
        schema.join(&Field::new("left", Reducer::RemainingSteps)).expect("joins");
        schema.join(&Field::new("last", Reducer::IsLastStep)).expect("joins");
        let at = |made| {
            let mut values = Values::new();
            let steps = StepCount { limit: 3, made, took_input: true };
            give(&schema, &mut values, steps).expect("encodes");
            let left: Option<i64> = values.read("left").expect("a number");
            (left, values.read::<bool>("last").expect("a boolean"))
        };
        assert_eq!(at(0), (Some(2), Some(false)));
        assert_eq!(at(1), (Some(1), Some(true)));
    }
}
