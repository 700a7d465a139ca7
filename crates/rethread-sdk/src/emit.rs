use rethread_core::message::Emission;
use rethread_core::payload::Payload;
use serde::Serialize;

use crate::error::Result;
use crate::outside::current_scope;

/// Writes an event to the custom stream of the run.
///
/// It reaches readers in the order written, and leaves a worker when the body next awaits
/// something. What an entrypoint writes is written again when it is replayed by a new run, and not
/// by a replay within a run. When an attempt that has written is followed by another one, readers
/// are told that what it wrote counts no more.
///
/// # Errors
/// Outside a run, and when the value cannot be encoded.
pub fn emit(value: impl Serialize) -> Result<()> {
    let scope = current_scope("`emit`")?;
    scope.emit(Emission::Custom(Payload::encode(&value, "value of `emit`")?));
    Ok(())
}

/// Writes a token of a model, or a whole message, to the stream of messages of the run.
///
/// `metadata` tells readers what it belongs to: the model, the node, the number of the message.
/// For the order, and for replays, what [`emit`] says holds.
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::prelude::*;
///
/// #[task]
/// async fn answer(prompt: String) -> Result<String> {
///     let mut answer = String::new();
///     for token in ["you", " said ", &prompt] {
///         emit_message(token, json!({ "model": "echo" }))?;
///         answer.push_str(token);
///     }
///     Ok(answer)
/// }
/// ```
///
/// # Errors
/// Outside a run, and when token or metadata cannot be encoded.
pub fn emit_message(token: impl Serialize, metadata: impl Serialize) -> Result<()> {
    let scope = current_scope("`emit_message`")?;
    let value = Payload::encode(&token, "token of `emit_message`")?;
    let metadata = Payload::encode(&metadata, "metadata of `emit_message`")?;
    scope.emit(Emission::Message { value, metadata });
    Ok(())
}
