//! What an installation without work takes, and how large its program is.

use std::ffi::OsStr;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Failure;
use crate::engine::Engine;
use crate::process::cpu_seconds;
use crate::report::Sample;

/// Names a program whose size is measured, besides.
const PROGRAM_ENV: &str = "BENCH_PROGRAM";
/// Time until what the start left to do is done.
const CALM: Duration = Duration::from_secs(3);

/// Processor time and memory of each process while there is nothing to do; of an embedded engine
/// those of this process.
pub(crate) async fn idle(engine: &Engine, duration: Duration) -> Result<Sample, Failure> {
    tokio::time::sleep(CALM).await;
    let used = || -> Vec<f64> {
        let mut processes = engine.processes();
        if processes.is_empty() {
            processes.push(std::process::id());
        }
        processes.into_iter().filter_map(cpu_seconds).collect()
    };
    let (before, begun) = (used(), Instant::now());
    tokio::time::sleep(duration).await;
    let seconds = begun.elapsed().as_secs_f64();
    let percent: f64 = used().iter().zip(&before).map(|(now, then)| now - then).sum();
    let sample = Sample::new("idle", "no threads".into())
        .with("percent_of_a_core", percent / seconds * 100.0)
        .with("peak_mb", engine.peak_mb());
    let sizes = engine.resident_mb();
    let sample = sizes
        .into_iter()
        .fold(sample, |sample, (name, size)| sample.with(format!("resident_mb_{name}"), size));
    match std::env::var_os(PROGRAM_ENV) {
        Some(program) => Ok(sample.with("program_mb_stripped", stripped_mb(&program)?)),
        None => Ok(sample),
    }
}

/// The size of a program without its symbols.
fn stripped_mb(program: &OsStr) -> Result<f64, Failure> {
    let directory = TempDir::new()?;
    let stripped = directory.path().join("stripped");
    let status = Command::new("strip").arg("-o").arg(&stripped).arg(program).status()?;
    match status.success() {
        true => Ok(std::fs::metadata(&stripped)?.len() as f64 / 1e6),
        false => Err(format!("`strip` ended with {status}").into()),
    }
}
