//! What is run: tasks that do nothing.

use std::time::Instant;

use rethread::App;
use rethread::prelude::*;

/// About 100 bytes in, about 100 bytes out.
#[task]
pub(crate) async fn noop(text: String) -> Result<String> {
    Ok(text)
}

/// Calls `noop` this many times, one after the other.
#[entrypoint]
pub(crate) async fn sequence(steps: u64) -> Result<u64> {
    for step in 0..steps {
        noop(format!("{step:0>96}")).await?;
    }
    Ok(steps)
}

/// The same, and gives the time that each call took, in microseconds. A replay would measure
/// nothing, which does not matter here.
#[entrypoint]
pub(crate) async fn timed_sequence(steps: u64) -> Result<Vec<u64>> {
    let mut times = Vec::new();
    for step in 0..steps {
        let begin = Instant::now();
        noop(format!("{step:0>96}")).await?;
        times.push(u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(times)
}

pub(crate) fn app() -> App {
    App::new().entrypoint(sequence::def()).entrypoint(timed_sequence::def()).task(noop::def())
}
