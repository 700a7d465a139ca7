//! How large the values of a request may be.

use rethread_core::graph::Destination;
use rethread_core::message::{Action, Answers};
use rethread_core::payload::Payload;
use rethread_core::settings::RunSettings;

use crate::error::{ClientError, Result};

/// Checks every value of a request before it is sent.
pub(crate) fn check(action: &Action, settings: &RunSettings, max: usize) -> Result<()> {
    let within = |what: &dyn Fn() -> String, value: &Payload| {
        let bytes = value.as_bytes().len();
        if bytes <= max {
            return Ok(());
        }
        Err(ClientError::PayloadTooLarge { what: what(), bytes, max })
    };
    let answers_within = |answers: &Answers| match answers {
        Answers::Only(answer) => within(&|| "answer to an interrupt".to_owned(), answer),
        Answers::ById(answers) => answers
            .iter()
            .try_for_each(|(id, answer)| within(&|| format!("answer to interrupt {id}"), answer)),
    };
    match action {
        Action::Start { entrypoint, input } => {
            within(&|| format!("input of entrypoint `{entrypoint}`"), input)?;
        }
        Action::Resume(answers) => answers_within(answers)?,
        Action::Command(input) => {
            if let Some(answers) = &input.answers {
                answers_within(answers)?;
            }
            if let Some(update) = &input.command.update {
                within(&|| "update of a command".to_owned(), update)?;
            }
            for destination in &input.command.goto {
                if let Destination::Send { node, input } = destination {
                    within(&|| format!("input that is sent to node `{node}`"), input)?;
                }
            }
        }
        Action::Update(update) => {
            let more = update.more.iter().map(|(value, _)| value);
            for value in [&update.values].into_iter().chain(&update.save).chain(more) {
                within(&|| "value of an edit".to_owned(), value)?;
            }
        }
        // What a copy is made of was within the limits of those who made it.
        _ => {}
    }
    if let Some(context) = &settings.context {
        within(&|| "context of the run".to_owned(), context)?;
    }
    let config = &settings.config;
    for (key, value) in config.metadata.iter().chain(&config.configurable) {
        within(&|| format!("`{key}` of the run's config"), value)?;
    }
    Ok(())
}
