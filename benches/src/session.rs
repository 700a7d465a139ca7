//! Many measurements, one after the other, each in a process of its own: what one leaves in
//! memory is not found by the next, and one that hangs is ended with all that it started.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::mpsc;

use crate::case::Case;
use crate::report::Report;
use crate::workloads::Failure;

/// Holds the case that a process is to measure.
pub(crate) const CASE_ENV: &str = "BENCH_CASE";

/// How one of them went.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Done,
    /// It was given up.
    Late,
    /// For this reason.
    Failed(String),
    /// By the person in front of it.
    Stopped,
}

/// Measures all cases as often as they say, in rounds, so that a busy moment of the machine does
/// not meet one of them alone, and for so long at most. Prints the table whatever happens.
///
/// # Errors
/// When something could not be measured; the other cases were.
pub(crate) async fn measure(cases: &[Case], limit: Duration) -> Result<(), Failure> {
    let rounds = cases.iter().map(|case| case.rounds).max().unwrap_or_default();
    let mut report = Report::default();
    let begun = Instant::now();
    let mut failures = Vec::new();
    'rounds: for round in 0..rounds {
        for (number, case) in cases.iter().enumerate() {
            if round >= case.rounds {
                continue;
            }
            let spent = begun.elapsed();
            let left = limit.saturating_sub(spent);
            if left.is_zero() {
                eprintln!("the time is up in round {} of {rounds}", round + 1);
                break 'rounds;
            }
            eprintln!(
                "{:4.0} s, round {} of {rounds}, {} of {}: {:?} on {}",
                spent.as_secs_f64(),
                round + 1,
                number + 1,
                cases.len(),
                case.workload,
                case.engine.name(),
            );
            match in_process(case, &mut report, left.min(case.workload.limit())).await? {
                End::Done => {}
                End::Late if left < case.workload.limit() => {
                    eprintln!("the time is up");
                    break 'rounds;
                }
                End::Late => failures.push(failed(case, "it hung")),
                End::Failed(reason) => failures.push(failed(case, &reason)),
                End::Stopped => {
                    failures.push("stopped".into());
                    break 'rounds;
                }
            }
        }
    }
    report.print_table();
    match failures.is_empty() {
        true => Ok(()),
        false => Err(format!("not all was measured:\n  {}", failures.join("\n  ")).into()),
    }
}

fn failed(case: &Case, reason: &str) -> String {
    eprintln!("error: {reason}");
    format!("{:?} on {}: {reason}", case.workload, case.engine.name())
}

async fn in_process(case: &Case, report: &mut Report, limit: Duration) -> Result<End, Failure> {
    let mut child = Command::new(std::env::current_exe()?)
        .env(CASE_ENV, serde_json::to_string(case)?)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let output = child.stdout.take().ok_or("a process has no output")?;
    let mut lines = lines_of(output);
    let limited = tokio::time::sleep(limit);
    tokio::pin!(limited);
    let stopped = tokio::signal::ctrl_c();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) if report.add_line(&line) => {}
                Some(line) => eprintln!("{line}"),
                None => break,
            },
            () = &mut limited => {
                end(&mut child)?;
                return Ok(End::Late);
            }
            _ = &mut stopped => {
                end(&mut child)?;
                return Ok(End::Stopped);
            }
        }
    }
    // Its output ends with it.
    let status = child.wait()?;
    end(&mut child)?;
    match status.success() {
        true => Ok(End::Done),
        false => Ok(End::Failed(format!("ended with {status}: see above"))),
    }
}

/// The lines that a process prints, as they come.
fn lines_of(output: ChildStdout) -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // It is waited for until its end, or killed.
            let _ = sender.send(line);
        }
    });
    lines
}

/// Ends a process and all that it started: nothing of it may work beside the next.
fn end(child: &mut Child) -> Result<ExitStatus, Failure> {
    if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
        // All of it may have ended.
        let _ = kill_process_group(group, Signal::KILL);
    }
    Ok(child.wait()?)
}
