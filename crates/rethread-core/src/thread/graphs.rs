//! What is asked of the code of a graph besides its body.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::event::Refusal;
use crate::graph::{GraphChange, GraphEdit, GraphEdited, StepEnd};
use crate::parts;
use crate::payload::Payload;
use crate::replay::{Program, panic_failure};

/// Asks for an edit; a panic of user code (of a reducer, for example) refuses it.
pub(super) fn edit_caught(
    program: &dyn Program,
    entrypoint: &str,
    edit: &GraphEdit,
) -> Result<GraphEdited, Refusal> {
    catch_unwind(AssertUnwindSafe(|| program.edit(entrypoint, edit))).unwrap_or_else(|panic| {
        let failure = panic_failure(panic.as_ref());
        Err(Refusal::InvalidUpdate { reason: format!("graph `{entrypoint}`: {failure}") })
    })
}

/// What the checkpoint shows that the input of an entrypoint makes.
pub(super) fn input_shown(
    program: &dyn Program,
    entrypoint: &str,
    previous: Option<Payload>,
    values: Payload,
) -> Result<StepEnd, Refusal> {
    if !program.is_graph(entrypoint) {
        return Ok(StepEnd { values, ..StepEnd::default() });
    }
    let (results, change) = (Vec::new(), GraphChange::Input);
    let edited = edit_caught(program, entrypoint, &GraphEdit { previous, values, results, change });
    Ok(edited?.output.step.map(|step| *step).unwrap_or_default())
}

/// The values of a step with the fields that only its run has, as streams show them.
pub(super) fn with_carried(values: &Payload, carried: Option<&Payload>) -> Payload {
    let fields = parts::fields(values).zip(carried.and_then(parts::fields));
    let Some((fields, carried)) = fields else { return values.clone() };
    let all = fields.iter().chain(&carried);
    parts::map_of_fields(all.map(|(name, value)| (name.as_str(), value)))
}

/// The value of an entrypoint in the form of a result: of a graph, the fields that are part of it.
pub(super) fn as_result(program: &dyn Program, entrypoint: &str, values: Payload) -> Payload {
    let Some(outputs) = program.options(entrypoint).outputs else { return values };
    let Some(fields) = parts::fields(&values) else { return values };
    let shown = fields.iter().filter(|(name, _)| outputs.contains(name));
    parts::map_of_fields(shown.map(|(name, value)| (name.as_str(), value)))
}
