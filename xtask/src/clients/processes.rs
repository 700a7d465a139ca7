//! Processes of the example, and what stands before them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::repo::{Repo, line_of};
use crate::{Result, redis};

/// Longest wait for a process to serve.
const PATIENCE: Duration = Duration::from_secs(60);

/// One of the programs of the example.
const PROGRAM: &str = "essay";

/// A process that ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    line: String,
}

impl Process {
    pub(super) fn start(program: &Path, log: &Path, args: &[&str]) -> Result<Self> {
        let told = |error: std::io::Error| format!("{}: {error}", log.display());
        if let Some(folder) = log.parent() {
            std::fs::create_dir_all(folder).map_err(told)?;
        }
        let file = File::create(log).map_err(told)?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        Self::of(command)
    }

    fn of(mut command: Command) -> Result<Self> {
        let line = line_of(&command);
        let child = command.spawn().map_err(|error| format!("cannot start `{line}`: {error}"))?;
        Ok(Self { child, line })
    }

    /// Whether it still runs.
    fn check(&mut self) -> Result<()> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("`{}` ended with {status}", self.line)),
            Err(error) => Err(format!("`{}`: {error}", self.line)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors say that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on.
pub(crate) fn free_address() -> Result<String> {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    address.map(|address| address.to_string()).map_err(|error| format!("no free port: {error}"))
}

/// Waits until a server knows the programs of the example, as long as its processes live.
pub(super) fn until_up(address: &str, processes: &mut [Process]) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if knows_programs(address) {
            return Ok(());
        }
        for process in &mut *processes {
            process.check()?;
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(format!("no program is known on {address}: see the logs in target/clients/logs"))
}

fn knows_programs(address: &str) -> bool {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        // Workers publish what they can run a moment after the gateway listens.
        write!(stream, "GET /assistants/{PROGRAM} HTTP/1.1\r\n")?;
        write!(stream, "host: {address}\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    asked().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// A private Redis server with its data in a folder, and its address.
pub(crate) fn redis_server(repo: &Repo, data: &Path) -> Result<(String, Process)> {
    let address = free_address()?;
    let port = address.rsplit(':').next().unwrap_or_default();
    let mut command = Command::new(redis::find(repo)?);
    command.args(["--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "yes"]);
    command.arg("--dir").arg(data).stdin(Stdio::null()).stdout(Stdio::null());
    let mut server = Process::of(command)?;
    let begun = Instant::now();
    while TcpStream::connect(&address).is_err() {
        server.check()?;
        if begun.elapsed() > PATIENCE {
            return Err(format!("no Redis answers on {address}"));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok((format!("redis://{address}/"), server))
}

/// The chat page, served by the example.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) url: String,
    _process: Process,
}

pub(super) fn page(program: &Path, home: &Path) -> Result<Page> {
    let mut command = Command::new(program);
    command.args(["chat", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped());
    command.current_dir(home);
    let mut process = Process::of(command)?;
    let mut line = String::new();
    if let Some(output) = process.child.stdout.take() {
        let told = BufReader::new(output).read_line(&mut line);
        told.map_err(|error| format!("the chat page: {error}"))?;
    }
    match line.trim().split_once('?') {
        Some((url, _)) => Ok(Page { url: url.to_owned(), _process: process }),
        None => Err("the chat page is not served: see above".into()),
    }
}

/// Hands connections to several servers in turn, so that no two requests of a client need reach
/// the same one.
#[derive(Debug)]
pub(super) struct Balancer;

impl Balancer {
    /// Gives its address. It runs as long as this program.
    pub(super) fn start(servers: Vec<String>) -> Result<String> {
        let told = |error: std::io::Error| format!("balancer: {error}");
        let listener = TcpListener::bind("127.0.0.1:0").map_err(told)?;
        let address = listener.local_addr().map_err(told)?;
        thread::spawn(move || {
            for (client, server) in listener.incoming().flatten().zip(servers.iter().cycle()) {
                // A server that is gone: the client sees that its connection ends.
                let Ok(server) = TcpStream::connect(server) else { continue };
                join(&client, &server);
                join(&server, &client);
            }
        });
        Ok(address.to_string())
    }
}

/// Copies what one side says to the other, and its end.
fn join(from: &TcpStream, to: &TcpStream) {
    if let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) {
        thread::spawn(move || {
            // However it ends, both sides are told.
            let _ = copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
            let _ = from.shutdown(Shutdown::Read);
        });
    }
}
