//! One workload on one engine.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Workload;
use super::engine::Engine;
use super::install::Programs;
use super::postgres::Postgres;
use crate::clients::redis_server;
use crate::repo::{Repo, line_of};
use crate::{Result, redis};

/// The longest that one may take.
const LIMIT: Duration = Duration::from_secs(150);
/// Partitions of a tuned Restate: its default of 24 is for more processors than two.
const PARTITIONS: &str = "4";

/// Gives the JSON lines that it prints.
pub(super) fn measure(
    repo: &Repo,
    programs: &Programs,
    engine: Engine,
    workload: Workload,
    left: Duration,
) -> Result<Vec<String>> {
    let limit = left.min(LIMIT);
    let size = workload.size.to_string();
    let arguments = [workload.name, &size];
    match engine {
        Engine::Embedded | Engine::Redis => {
            let mut bench = Command::new(programs.bench());
            bench.args(rethread(workload, &size));
            bench.args(["--engine", engine.name(), "--repeat", "1"]);
            lines_of(bench.env(redis::VARIABLE, redis::find(repo)?), limit)
        }
        Engine::LangGraphSqlite => {
            lines_of(programs.langgraph(repo).arg("sqlite").args(arguments), limit)
        }
        Engine::LangGraphPostgres => {
            let server = Postgres::start()?;
            lines_of(programs.langgraph(repo).arg(server.url()).args(arguments), limit)
        }
        Engine::Restate | Engine::RestateTuned => {
            let tuned = engine == Engine::RestateTuned;
            let mut driver = Command::new(programs.restate());
            driver.arg(programs.restate_server());
            driver.arg(if tuned { PARTITIONS } else { "default" });
            lines_of(driver.args(arguments), limit)
        }
        Engine::BullMq => {
            let data = Data::new(repo)?;
            let (url, _server) = redis_server(repo, &data.0)?;
            let port = url.trim_end_matches('/').rsplit(':').next().unwrap_or_default();
            lines_of(programs.bullmq().env("REDIS_PORT", port).args(arguments), limit)
        }
        Engine::Apalis => {
            let data = Data::new(repo)?;
            let (url, _server) = redis_server(repo, &data.0)?;
            let mut driver = Command::new(programs.apalis());
            lines_of(driver.env("REDIS_URL", url).args(arguments), limit)
        }
    }
}

/// The arguments of the benchmarks for a workload.
fn rethread(workload: Workload, size: &str) -> Vec<String> {
    let (name, option) = match workload.name {
        "fan-out" => ("fanout", "--tasks"),
        "latency" => ("latency", "--tasks"),
        "resume" => ("resume", "--threads"),
        "replay" => ("replay", "--calls"),
        name => (name, "--in-flight"),
    };
    [name, option, size].map(str::to_owned).to_vec()
}

/// The data of a server, gone with it.
struct Data(PathBuf);

impl Data {
    fn new(repo: &Repo) -> Result<Self> {
        let folder = repo.target.join("peers").join("data");
        // What a run that was ended left.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a program and gives the JSON lines of its output. All that it started ends with it.
fn lines_of(command: &mut Command, limit: Duration) -> Result<Vec<String>> {
    let line = line_of(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|error| format!("cannot start `{line}`: {error}"))?;
    let output = child.stdout.take();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut output) = output {
            // What cannot be read is missing below.
            let _ = output.read_to_string(&mut text);
        }
        text
    });
    let ended = wait(&mut child, limit);
    end_group(&child);
    let _ = child.wait();
    let text = reader.join().unwrap_or_default();
    let lines: Vec<String> =
        text.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect();
    for line in &lines {
        println!("{line}");
    }
    match ended {
        Some(true) if !lines.is_empty() => Ok(lines),
        Some(_) => Err(format!("`{line}` failed: see its output above")),
        None => Err(format!("`{line}` was not done within {} s", limit.as_secs())),
    }
}

/// Whether it succeeded; none if it took too long.
fn wait(child: &mut Child, limit: Duration) -> Option<bool> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) => thread::sleep(Duration::from_millis(20)),
            Err(_) => return Some(false),
        }
    }
    None
}

fn end_group(child: &Child) {
    let group = format!("-{}", child.id());
    // Usually all of it has ended, which `kill` complains about.
    let mut kill = Command::new("kill");
    kill.args(["-KILL", "--", &group]).stdout(Stdio::null()).stderr(Stdio::null());
    let _ = kill.status();
}

/// The first line that a program prints, as its version.
pub(super) fn first_line(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default().lines().next().unwrap_or("unknown").to_owned()
}
