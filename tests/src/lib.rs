//! What the process tests share: services as child processes, and waiting for conditions.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest wait for any condition.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` gives something.
///
/// # Panics
/// When it has not after [`PATIENCE`].
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(begin.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The directory in which an application and its test meet: ledger and gates.
#[derive(Debug)]
pub struct Stage(TempDir);

impl Default for Stage {
    fn default() -> Self {
        Self(TempDir::new().expect("a temporary directory"))
    }
}

/// One start of a task body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The task.
    pub task: String,
    /// Its input.
    pub input: String,
    /// The attempt that the body was told.
    pub attempt: u32,
    /// The process it ran in.
    pub pid: u32,
}

impl Stage {
    /// The directory.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Lets tasks go on that hold for this name.
    pub fn open(&self, name: &str) {
        fs::write(self.path().join(format!("open-{name}")), "").expect("a gate can be made");
    }

    /// All starts of task bodies so far.
    pub fn ledger(&self) -> Vec<Start> {
        let text = fs::read_to_string(self.path().join("ledger")).unwrap_or_default();
        text.lines()
            .filter_map(|line| {
                let mut words = line.split(' ');
                Some(Start {
                    task: words.next()?.to_owned(),
                    input: words.next()?.to_owned(),
                    attempt: words.next()?.parse().ok()?,
                    pid: words.next()?.parse().ok()?,
                })
            })
            .collect()
    }

    /// How often bodies of a task started for an input.
    pub fn starts(&self, task: &str, input: &str) -> Vec<Start> {
        let mut starts = self.ledger();
        starts.retain(|start| start.task == task && start.input == input);
        starts
    }
}

/// A service of the test application; killed when dropped.
#[derive(Debug)]
pub struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts the test application with arguments and settings, on a stage.
    pub fn start(app: &Path, stage: &Stage, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let number = fs::read_dir(stage.path()).map(Iterator::count).unwrap_or_default();
        let log = stage.path().join(format!("log-{}-{number}", arguments[0]));
        let file = fs::File::create(&log).expect("a log file");
        let child = Command::new(app)
            .args(arguments)
            .env("TEST_APP_DIR", stage.path())
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("the test application starts");
        Self { child, log }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until its log has a text.
    pub fn wait_for_log(&self, text: &str) {
        let pid = self.pid();
        wait_for(&format!("`{text}` in the log of {pid}"), || {
            self.log().contains(text).then_some(())
        });
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let status =
            Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -{name} {}", self.pid());
    }

    /// Kills it without warning.
    pub fn kill(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        wait_for("the service to end", || self.child.try_wait().ok().flatten())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of {}\n{}", self.pid(), self.log());
        }
        self.kill();
    }
}

/// What a program that ran to its end has printed.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// The last line of standard output.
    pub fn last_line(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }
}

/// Runs a program to its end with this standard input.
pub fn run(command: &mut Command, input: &str) -> Finished {
    use std::io::Write;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends early does not read it all.
        let _ = stdin.write_all(input.as_bytes());
    }
    let mut stderr = child.stderr.take().expect("piped");
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        text
    });
    let mut stdout = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut stdout).expect("text");
    let status = child.wait().expect("it ends");
    Finished { code: status.code(), stdout, stderr: errors.join().expect("read") }
}

/// The example of this name, built as the tests are.
///
/// # Panics
/// When it cannot be built.
pub fn example(name: &str) -> PathBuf {
    // Tests of one process share the build; cargo itself sees that nothing is built twice.
    static BUILT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let tests = std::env::current_exe().expect("a test has a path");
    let target = tests.parent().and_then(Path::parent).expect("target/<profile>/deps");
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if built.insert(name.to_owned()) {
        let profile = if target.ends_with("release") { "release" } else { "dev" };
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut cargo = Command::new(cargo);
        // What cargo tells a test about its package would have build scripts run again.
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_about_a_package(name)) {
            cargo.env_remove(name);
        }
        let status = cargo
            .args(["build", "--quiet", "-p", "rethread-examples"])
            .args(["--profile", profile, "--example", name])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "example {name} can be built");
    }
    target.join("examples").join(name)
}

fn is_about_a_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}
