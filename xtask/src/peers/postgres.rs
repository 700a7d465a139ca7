//! A private PostgreSQL server, from Debian's package.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::Result;
use crate::clients::{free_address, install};
use crate::repo::{run, stdout_of};

/// Longest time until it takes connections.
const PATIENCE: Duration = Duration::from_secs(60);
/// Who runs it where this program is run by root, which PostgreSQL refuses.
const USER: &str = "postgres";

/// A server with an empty database; it ends, and its data is gone, when it is dropped.
pub(super) struct Postgres {
    child: Child,
    folder: PathBuf,
    port: String,
}

impl Postgres {
    pub(super) fn start() -> Result<Self> {
        let programs = programs()?;
        // Other users can reach the folder of temporary files.
        let folder = std::env::temp_dir().join(format!("rethread-postgres-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let root = is_root()?;
        if root {
            run(Command::new("chown").arg(USER).arg(&folder))?;
        }
        let mut init = as_user(root, &programs.join("initdb"));
        init.args(["--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8", "-D"]);
        stdout_of(init.arg(&folder).current_dir(&folder))?;
        let address = free_address()?;
        let port = address.rsplit(':').next().unwrap_or_default().to_owned();
        let mut server = as_user(root, &programs.join("postgres"));
        server.arg("-D").arg(&folder).args(["-p", &port, "-c", "listen_addresses=127.0.0.1"]);
        server.args(["-c", "unix_socket_directories="]).current_dir(&folder);
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = server.spawn().map_err(|error| format!("cannot start postgres: {error}"))?;
        let server = Self { child, folder, port };
        let begun = Instant::now();
        let ready = || {
            let mut ready = Command::new(programs.join("pg_isready"));
            stdout_of(ready.args(["-q", "-h", "127.0.0.1", "-p", &server.port])).is_ok()
        };
        while !ready() {
            if begun.elapsed() > PATIENCE {
                return Err("postgres takes no connections".into());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    pub(super) fn url(&self) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It and its processes end at once; what is left is removed.
        let _ = Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn is_root() -> Result<bool> {
    Ok(stdout_of(Command::new("id").arg("-u"))?.trim() == "0")
}

fn as_user(root: bool, program: &Path) -> Command {
    if !root {
        return Command::new(program);
    }
    // Replaces itself by the program, so that signals reach that.
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(program);
    command
}

/// The folder of its programs; installs it where it is missing.
pub(super) fn programs() -> Result<PathBuf> {
    if let Some(folder) = installed() {
        return Ok(folder);
    }
    install(&["postgresql"])?;
    installed().ok_or_else(|| "the package postgresql has no initdb".into())
}

fn installed() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let folders = versions.map(|version| version.path().join("bin"));
    folders.filter(|folder| folder.join("initdb").is_file()).max()
}
