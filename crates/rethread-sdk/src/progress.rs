use rethread_core::payload::Payload;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::outside::current_scope;

/// Shows that the body makes progress, and how far it is.
///
/// It begins the body's idle timeout anew. If the attempt is lost or fails, the next one finds
/// the last progress that was kept with [`last_progress`] and can go on from there. Progress is
/// kept at most every second and when an attempt fails, so after a crash it may be a little old.
/// `()` shows a sign of life and leaves the progress as it was.
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::prelude::*;
///
/// #[task(idle_timeout = "30s", retry = Retry::attempts(5))]
/// async fn import(rows: Vec<String>) -> Result<usize> {
///     let done: usize = last_progress()?.unwrap_or(0);
///     for (nth, row) in rows.iter().enumerate().skip(done) {
///         // .. writes the row ..
///         # let _ = row;
///         heartbeat(nth + 1)?;
///     }
///     Ok(rows.len())
/// }
/// ```
///
/// # Errors
/// Outside a run, and when the progress cannot be encoded.
pub fn heartbeat(progress: impl Serialize) -> Result<()> {
    let scope = current_scope("`heartbeat`")?;
    let progress = Payload::encode(&progress, "progress of `heartbeat`")?;
    scope.heartbeat(Some(progress).filter(|progress| !progress.is_null()));
    Ok(())
}

/// What an earlier attempt of this task call said last about how far it is; none if no attempt
/// did.
///
/// # Errors
/// Outside a run, and when it is not a `T`.
pub fn last_progress<T: DeserializeOwned>() -> Result<Option<T>> {
    let scope = current_scope("`last_progress`")?;
    let info = scope.info();
    let Some(progress) = &info.progress else { return Ok(None) };
    Ok(Some(progress.decode(format_args!("progress of `{}`", info.name))?))
}
