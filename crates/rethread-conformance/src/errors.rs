//! Errors as traces show them: those of programs whole, those of the engine by a neutral kind.

use rethread::client::{ClientError, Refusal};
use rethread::kind;
use serde_json::{Value, json};

/// Kinds of the engine's errors; their messages are not compared.
const ENGINE_KINDS: [&str; 10] = [
    kind::TIMEOUT,
    kind::SERIALIZATION,
    kind::OUTSIDE_RUN,
    kind::INVALID_NAMESPACE,
    kind::INVALID_UPDATE,
    kind::RECURSION_LIMIT,
    kind::INVALID_DESTINATION,
    kind::UNKNOWN_MESSAGE,
    kind::NO_PARENT_GRAPH,
    kind::INVALID_GRAPH,
];

/// An error with a kind and a message.
pub(crate) fn raised(kind: &str, message: &str) -> Value {
    if ENGINE_KINDS.contains(&kind) {
        return engine(kind);
    }
    json!({ "kind": kind, "message": message })
}

/// An error of the engine.
pub(crate) fn engine(kind: &str) -> Value {
    json!({ "kind": kind, "message": null })
}

/// What an operation gave instead of an observation.
///
/// # Errors
/// When it is not an outcome of the operation but a trouble of the engine under test.
pub(crate) fn of_client(error: &ClientError) -> Result<Value, String> {
    Ok(match error {
        ClientError::RunFailed(failure) => raised(&failure.kind, &failure.message),
        ClientError::ReplayMismatch(_) => engine("ReplayMismatch"),
        ClientError::InvalidId(_) => engine("MissingThread"),
        ClientError::Payload(_) => engine("NotSerializable"),
        ClientError::ZeroLimit { .. } => engine("InvalidLimit"),
        ClientError::CheckpointNotFound { .. } => engine("CheckpointNotFound"),
        ClientError::Refused(refusal) => engine(of_refusal(refusal)?),
        other => return Err(other.to_string()),
    })
}

fn of_refusal(refusal: &Refusal) -> Result<&'static str, String> {
    Ok(match refusal {
        Refusal::AmbiguousAnswer { .. } => "AmbiguousResume",
        Refusal::EmptyInput => "EmptyInput",
        Refusal::InvalidUpdate { .. } => "InvalidUpdate",
        other => return Err(format!("refused: {other}")),
    })
}
