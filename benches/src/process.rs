//! What the system says of processes.

use std::path::Path;
use std::process::Child;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// A process that ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Service(pub(crate) Child);

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// User and system time of a process, in seconds, from its `stat` file; none where there is no
/// such file.
pub(crate) fn cpu_seconds(pid: u32) -> Option<f64> {
    /// Ticks per second in that file, fixed on Linux.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in brackets that may hold anything.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

/// Memory of a process that is resident, in MiB.
pub(crate) fn resident_mb(pid: u32) -> Option<f64> {
    status_mb(pid, "VmRSS:")
}

/// The most memory of a process that has been resident, in MiB.
pub(crate) fn most_resident_mb(pid: u32) -> Option<f64> {
    status_mb(pid, "VmHWM:")
}

fn status_mb(pid: u32, field: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}

/// A clock that all processes of the machine share, in microseconds.
pub(crate) fn shared_clock_us() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let whole = u64::try_from(time.tv_sec).unwrap_or_default() * 1_000_000;
    whole + u64::try_from(time.tv_nsec).unwrap_or_default() / 1_000
}

/// Lets this process, and those that it starts from now on, open as many files as the system
/// allows.
pub(crate) fn open_many_files() -> std::io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// Bytes that the files of a directory take on the disk; what vanishes meanwhile counts nothing.
pub(crate) fn disk_bytes(directory: &Path) -> u64 {
    /// Bytes of a block as the system counts them, on any file system.
    const BLOCK: u64 = 512;
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
            Ok(metadata) => std::os::unix::fs::MetadataExt::blocks(&metadata) * BLOCK,
            Err(_) => 0,
        })
        .sum()
}
