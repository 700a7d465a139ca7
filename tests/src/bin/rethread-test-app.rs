//! The application of the process tests. Its tasks write to a ledger that Rethread knows nothing
//! of, and hold where a test wants them to.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use rethread::App;
use rethread::prelude::*;
use serde_json::Value as Json;

fn directory() -> Result<PathBuf> {
    let directory = std::env::var_os("TEST_APP_DIR");
    directory.map(PathBuf::from).ok_or_else(|| Error::msg("TEST_APP_DIR is not set"))
}

/// One line for each start of a body: task, input, attempt, process.
fn note(task: &str, input: &str) -> Result<u32> {
    let attempt = run_info()?.attempt;
    let mut ledger =
        OpenOptions::new().create(true).append(true).open(directory()?.join("ledger"))?;
    // One write, so that lines of several processes do not mix.
    let line = format!("{task} {input} {attempt} {}\n", std::process::id());
    ledger.write_all(line.as_bytes())?;
    Ok(attempt)
}

/// Holds until the test makes a file of this name.
async fn held_until(name: &str) -> Result<()> {
    let gate = directory()?.join(name);
    while !gate.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

#[task]
async fn step(n: u64) -> Result<u64> {
    note("step", &n.to_string())?;
    Ok(n * 10)
}

/// Holds until the file `open-<name>` is there.
#[task]
async fn hold(name: String) -> Result<String> {
    note("hold", &name)?;
    held_until(&format!("open-{name}")).await?;
    Ok(name)
}

/// Five steps, a task that holds, five steps.
#[entrypoint]
async fn steps(name: String) -> Result<Vec<u64>> {
    let mut results = Vec::new();
    for n in 0..5 {
        results.push(step(n).await?);
    }
    hold(name).await?;
    for n in 5..10 {
        results.push(step(n).await?);
    }
    Ok(results)
}

#[task]
async fn write_essay(topic: String) -> Result<String> {
    note("write_essay", &topic)?;
    Ok(format!("An essay about topic: {topic}"))
}

#[entrypoint]
async fn workflow(topic: String) -> Result<Json> {
    let essay = write_essay(topic).await?;
    let action = "Please approve/reject the essay";
    let is_approved: Json = interrupt(json!({ "essay": essay, "action": action })).await?;
    Ok(json!({ "essay": essay, "is_approved": is_approved }))
}

fn main() -> ExitCode {
    App::new()
        .entrypoint(steps::def())
        .entrypoint(workflow::def())
        .task(step::def())
        .task(hold::def())
        .task(write_essay::def())
        .main()
}
