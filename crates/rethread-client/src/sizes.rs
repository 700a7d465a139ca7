//! How large the values of a request may be.

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
    match action {
        Action::Start { entrypoint, input } => {
            within(&|| format!("input of entrypoint `{entrypoint}`"), input)?;
        }
        Action::Resume(Answers::Only(answer)) => {
            within(&|| "answer to an interrupt".to_owned(), answer)?;
        }
        Action::Resume(Answers::ById(answers)) => {
            for (id, answer) in answers {
                within(&|| format!("answer to interrupt {id}"), answer)?;
            }
        }
        Action::Update(update) => {
            for value in [Some(&update.values), update.save.as_ref()].into_iter().flatten() {
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
