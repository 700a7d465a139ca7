//! A run that fails.

use rethread::prelude::*;

#[task]
pub(crate) async fn explode(msg: String) -> Result<()> {
    Err(Error::new("ValueError", msg))
}

#[entrypoint]
pub(crate) async fn boom(msg: String) -> Result<()> {
    explode(msg).await
}
