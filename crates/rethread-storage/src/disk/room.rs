//! Keeps some of the disk free, so that the tables never find it full in the middle of a write.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::StorageError;

type FreeBytes = dyn Fn(&Path) -> io::Result<u64> + Send + Sync;

/// Tells how many bytes are free on the disk of a directory.
#[derive(Clone)]
pub(super) struct Probe(Arc<FreeBytes>);

impl Probe {
    /// Asks the operating system.
    pub(super) fn system() -> Self {
        Self(Arc::new(free_bytes))
    }

    #[cfg(test)]
    pub(super) fn new(probe: impl Fn(&Path) -> io::Result<u64> + Send + Sync + 'static) -> Self {
        Self(Arc::new(probe))
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

/// The room that is left for writes.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) path: PathBuf,
    /// With less than this free, nothing new is taken; with less than half of it, nothing at all.
    pub(super) free_bytes_min: u64,
    pub(super) probe: Probe,
}

/// What may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Everything,
    /// Only what brings work that was accepted to its end.
    NothingNew(StorageError),
    Nothing(StorageError),
}

impl Room {
    /// What may be written now. A disk that cannot be asked counts as empty: it will say itself
    /// when it is full.
    pub(super) fn verdict(&self) -> Verdict {
        let Ok(free) = (self.probe.0)(&self.path) else { return Verdict::Everything };
        if free >= self.free_bytes_min {
            return Verdict::Everything;
        }
        let full = StorageError::Full {
            reason: format!(
                "{free} bytes are free on the disk of {}, {} are kept free: make room on it, writing goes on by itself then",
                self.path.display(),
                self.free_bytes_min
            ),
        };
        match free >= self.free_bytes_min / 2 {
            true => Verdict::NothingNew(full),
            false => Verdict::Nothing(full),
        }
    }
}

#[cfg(unix)]
fn free_bytes(path: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_path: &Path) -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(free: io::Result<u64>) -> Verdict {
        let free = free.map_err(|error| error.kind());
        let probe = Probe::new(move |_| free.map_err(Into::into));
        Room { path: "/data".into(), free_bytes_min: 100, probe }.verdict()
    }

    #[test]
    fn the_reserve_is_used_up_in_two_steps() {
        assert_eq!(verdict(Ok(100)), Verdict::Everything);
        assert!(matches!(verdict(Ok(99)), Verdict::NothingNew(StorageError::Full { .. })));
        assert!(matches!(verdict(Ok(50)), Verdict::NothingNew(_)));
        assert!(matches!(verdict(Ok(49)), Verdict::Nothing(StorageError::Full { .. })));
        assert_eq!(verdict(Err(io::ErrorKind::Other.into())), Verdict::Everything);
    }

    #[cfg(unix)]
    #[test]
    fn the_system_knows_the_disk_of_a_directory() {
        assert!(free_bytes(Path::new("/")).is_ok());
        assert!(free_bytes(Path::new("/there/is/no/such/directory")).is_err());
    }
}
