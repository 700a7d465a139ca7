//! Runs cases: one, or all of some folders with a comparison.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use futures::stream;
use serde_json::Value;

use crate::body::World;
use crate::case::{Case, CaseError};
use crate::compare::differences;
use crate::counters::Counters;
use crate::engine::{Engine, EngineKind};
use crate::session::{Session, Stop};

/// How cases are run.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) engine: EngineKind,
    pub(crate) redis: String,
    pub(crate) is_evicting: bool,
    pub(crate) is_inline: bool,
}

impl Setup {
    /// Runs the case with this text; gives its trace.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub(crate) async fn trace(&self, source: &str) -> Result<Value, Stop> {
        let world = World {
            case: Arc::new(Case::read(source)?),
            source: source.into(),
            counters: Counters::default(),
            is_evicting: self.is_evicting,
            is_inline: self.is_inline,
        };
        let trouble = |error: Box<dyn std::error::Error + Send + Sync>| {
            Stop::Trouble(format!("the engine: {error}"))
        };
        let engine = Engine::start(self.engine, &world, &self.redis).await.map_err(trouble)?;
        let trace = Session::new(&world, engine.client().clone()).run().await;
        let trace = trace.map_err(|stop| match stop {
            Stop::Trouble(text) => Stop::Trouble(format!("{text}\n{}", engine.logs())),
            stop => stop,
        });
        let stopped = engine.stop().await.map_err(trouble);
        let trace = trace?;
        stopped.map(|()| trace)
    }
}

impl From<CaseError> for Stop {
    fn from(error: CaseError) -> Self {
        match error {
            CaseError::Unknown(text) => Self::NotImplemented(text),
            CaseError::Broken(text) => Self::Trouble(text),
        }
    }
}

/// What came of a case.
#[derive(Debug)]
enum Verdict {
    Passed,
    /// Something is not implemented.
    Skipped(String),
    Failed(Vec<String>),
}

/// Runs all cases of folders, some at the same time, and prints what differs. Gives whether all
/// passed.
///
/// # Errors
/// When a folder cannot be read, or has no case of which the name contains `only`.
pub(crate) async fn run(
    setup: &Setup,
    folders: &[PathBuf],
    only: &str,
    jobs: usize,
) -> Result<bool, String> {
    let began = Instant::now();
    let mut cases = Vec::new();
    for folder in folders {
        cases.extend(cases_of(folder)?);
    }
    cases.retain(|case| name_of(case).contains(only));
    if cases.is_empty() {
        return Err("there are no such cases".into());
    }
    let verdicts = stream::iter(&cases).map(|case| async move { (case, judge(setup, case).await) });
    let mut verdicts = std::pin::pin!(verdicts.buffered(jobs.max(1)));
    let (mut passed, mut skipped, mut failed) = (0, 0, Vec::new());
    while let Some((case, verdict)) = verdicts.next().await {
        let name = name_of(case);
        match verdict {
            Verdict::Passed => passed += 1,
            Verdict::Skipped(reason) => {
                skipped += 1;
                println!("skipped {name}: {reason}");
            }
            Verdict::Failed(differences) => {
                println!("FAILED  {name}");
                for line in differences.iter().take(8) {
                    println!("          {line}");
                }
                failed.push(name);
            }
        }
    }
    let spent = began.elapsed().as_secs_f64();
    println!("{passed} passed, {} failed, {skipped} skipped in {spent:.1} s", failed.len());
    if !failed.is_empty() {
        println!("failed: {}", failed.join(" "));
    }
    Ok(failed.is_empty() && skipped == 0)
}

/// The differences of two traces.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn compare_files(expected: &Path, candidate: &Path) -> Result<Vec<String>, String> {
    Ok(differences(&read_json(expected)?, &read_json(candidate)?))
}

/// Compares the expected traces of the cases in a folder with those in another one; prints what
/// differs, and gives whether anything does.
///
/// # Errors
/// When a folder or trace cannot be read.
pub(crate) fn compare_folders(expected: &Path, candidate: &Path) -> Result<bool, String> {
    let cases = cases_of(expected)?;
    let mut differing = 0;
    for case in &cases {
        let recorded = case.with_extension("expected.json");
        let other = candidate.join(recorded.file_name().unwrap_or_default());
        let found = compare_files(&recorded, &other)?;
        if !found.is_empty() {
            differing += 1;
            println!("DIFFERS {}", name_of(case));
            found.iter().take(8).for_each(|line| println!("          {line}"));
        }
    }
    println!("{} traces compared, {differing} differ", cases.len());
    Ok(differing > 0)
}

async fn judge(setup: &Setup, case: &Path) -> Verdict {
    let wanted = match expected(case) {
        Ok(wanted) => wanted,
        Err(reason) => return Verdict::Failed(vec![reason]),
    };
    let source = match read(case) {
        Ok(source) => source,
        Err(reason) => return Verdict::Failed(vec![reason]),
    };
    match setup.trace(&source).await {
        Ok(trace) => match differences(&wanted, &trace) {
            found if found.is_empty() => Verdict::Passed,
            found => Verdict::Failed(found),
        },
        Err(Stop::NotImplemented(what)) => Verdict::Skipped(what),
        Err(Stop::Trouble(text)) => Verdict::Failed(vec![text]),
        Err(Stop::Error(error)) => Verdict::Failed(vec![error.to_string()]),
    }
}

/// The cases in a folder, by name: `NAME.json`, but not `NAME.KIND.json`.
fn cases_of(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |error| format!("cannot read folder {}: {error}", folder.display());
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.extension().is_some_and(|kind| kind == "json") && !name_of(&path).contains('.') {
            cases.push(path);
        }
    }
    cases.sort();
    Ok(cases)
}

/// The trace that Rethread should give: its own where it differs from LangGraph's.
fn expected(case: &Path) -> Result<Value, String> {
    let own = case.with_extension("rethread.json");
    let recorded = case.with_extension("expected.json");
    read_json(if own.exists() { &own } else { &recorded })
}

fn read_json(path: &Path) -> Result<Value, String> {
    serde_json::from_str(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))
}

pub(crate) fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn name_of(case: &Path) -> String {
    case.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
