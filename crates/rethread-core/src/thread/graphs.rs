//! What is asked of the code of a graph besides its body.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::event::Refusal;
use crate::graph::{GraphChange, GraphEdit, GraphEdited, StepEnd, StepTask};
use crate::parts;
use crate::payload::Payload;
use crate::replay::{BodyOutput, Program, panic_failure};

/// Asks for an edit; a panic of user code (of a reducer, for example) refuses it.
pub(super) fn edit_caught(
    program: &dyn Program,
    entrypoint: &str,
    edit: &GraphEdit,
) -> Result<Edited, Refusal> {
    let edited = catch_unwind(AssertUnwindSafe(|| program.edit(entrypoint, edit)));
    let edited = edited.unwrap_or_else(|panic| {
        let failure = panic_failure(panic.as_ref());
        Err(Refusal::InvalidUpdate { reason: format!("graph `{entrypoint}`: {failure}") })
    });
    edited.map(Edited::from)
}

/// What an edit of a graph comes to.
pub(super) struct Edited {
    /// What is saved.
    pub(super) saved: Payload,
    /// What is shown, and the same in the form of a result.
    pub(super) values: Payload,
    pub(super) result: Payload,
    /// What is left to be run.
    pub(super) tasks: Vec<StepTask>,
    /// In the name of which nodes something was written.
    pub(super) wrote: Vec<(String, Payload)>,
}

impl From<GraphEdited> for Edited {
    fn from(edited: GraphEdited) -> Self {
        let GraphEdited { output: BodyOutput { value, save, step }, wrote } = edited;
        let StepEnd { values, tasks, .. } = step.map(|step| *step).unwrap_or_default();
        let saved = save.unwrap_or_else(|| value.clone());
        Self { saved, values, result: value, tasks, wrote }
    }
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
    let edit = GraphEdit { run: None, previous, values, results, change };
    let Edited { values, tasks, .. } = edit_caught(program, entrypoint, &edit)?;
    Ok(StepEnd { values, tasks, ..StepEnd::default() })
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
