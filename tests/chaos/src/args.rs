//! The command lines of both programs.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::app;
use crate::check::check;
use crate::cluster::{Cluster, FaultKind, Faults, Files};
use crate::drive::Driver;
use crate::dump::{delete_all, dump};
use crate::history::History;
use crate::profile::{Name, Profile};
use crate::{summary, synthetic};

/// Roles in which this program is started by itself.
const ROLES: [&str; 2] = ["coordinator", "worker"];

/// How long tasks may take to end at the end.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// Random programs on real processes under faults.
#[derive(Debug, Parser)]
#[command(name = "rethread-chaos")]
struct Chaos {
    /// How long, how much and how rough.
    #[arg(long, value_enum, default_value = "smoke")]
    profile: Name,
    /// Decides programs and faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only faults of these kinds, separated by commas. Default: all.
    #[arg(long, value_enum, value_delimiter = ',')]
    faults: Vec<FaultKind>,
    /// Directory for history, ledger, dump and logs; what an earlier run left there is removed.
    #[arg(long, default_value = "target/chaos")]
    out: PathBuf,
}

/// Checks what a run of chaos has left behind.
#[derive(Debug, Parser)]
#[command(name = "rethread-check")]
struct Check {
    /// The directory with `history.jsonl`, `ledger.jsonl` and `dump.jsonl`.
    #[arg(required_unless_present = "synthetic")]
    directory: Option<PathBuf>,
    /// Instead: makes a history of so many records, checks it, and says how long that took.
    #[arg(long, value_name = "RECORDS", conflicts_with = "directory")]
    synthetic: Option<usize>,
}

/// The program `rethread-chaos`, which is also its own coordinators and workers.
///
/// Exit codes: 0 all held, 1 something did not, 2 wrong arguments.
pub fn chaos_main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|role| ROLES.contains(&role.as_str())) {
        return app::app().main();
    }
    let args = Chaos::parse();
    let profile = args.profile.profile();
    let out = args.out.join(format!("{}-{}", profile.name, args.seed));
    let done = Runtime::new().and_then(|runtime| {
        let done = runtime.block_on(async {
            let faults = if args.faults.is_empty() { FaultKind::all() } else { args.faults };
            tokio::select! {
                done = chaos(&profile, args.seed, faults, &out) => done,
                _ = tokio::signal::ctrl_c() => Err(io::Error::other("stopped by Ctrl-C")),
            }
        });
        // With the tasks that hold them, the processes end too.
        runtime.shutdown_timeout(SHUTDOWN_LIMIT);
        done
    });
    exit(done)
}

/// The program `rethread-check`.
///
/// Exit codes: 0 all invariants hold, 1 one does not, 2 wrong arguments.
pub fn check_main() -> ExitCode {
    let args = Check::parse();
    exit(match (args.directory, args.synthetic) {
        (Some(directory), _) => report(&Files { directory }, None),
        (None, records) => synthetic::measure(records.unwrap_or_default()),
    })
}

async fn chaos(
    profile: &Profile,
    seed: u64,
    kinds: Vec<FaultKind>,
    out: &Path,
) -> io::Result<bool> {
    let files = Files::prepare(out)?;
    println!("profile {}, seed {seed}, in {}", profile.name, out.display());
    let history = Arc::new(History::open(&files.history(), "driver")?);
    let cluster = Arc::new(Cluster::start(&files, Arc::clone(&history)).await?);
    let mut attending = JoinSet::new();
    {
        let (revived, watched) = (Arc::clone(&cluster), Arc::clone(&cluster));
        attending.spawn(async move { revived.supervise().await });
        attending.spawn(async move { watched.watch().await });
    }
    let url = cluster.driver_link.url();
    let driver = Driver::connect(&url, history, seed).await.map_err(io::Error::other)?;
    let driver = Arc::new(driver);
    let (stop, stopped) = oneshot::channel();
    let faults = Faults::new(Arc::clone(&cluster), seed, kinds);
    let faults = tokio::spawn(faults.run(profile.faults_per_minute, stopped));
    let threads = driver.begin(profile).await;
    // The receiver lives as long as the task.
    let _ = stop.send(());
    faults.await.map_err(io::Error::other)??;
    cluster.heal();
    driver.finish(threads).await;
    // Everything is read from the storage once more, by coordinators that know nothing.
    cluster.restart_coordinators().await?;
    driver.go_on().await;
    dump(&files, &cluster.redis.url()).await?;
    // What would begin again what is deleted, or keep looking at it, ends first.
    attending.shutdown().await;
    delete_all(&files, &cluster.redis.url()).await?;
    report(&files, Some((profile, seed)))
}

/// Checks the files and prints what is in them; true if all held.
fn report(files: &Files, asked: Option<(&Profile, u64)>) -> io::Result<bool> {
    let (world, violations) = check(files)?;
    let all_held = summary::print(&world, &violations, asked);
    if !all_held && let Some((profile, seed)) = asked {
        println!("replay: cargo xtask chaos --profile {} --seed {seed}", profile.name);
        println!("check again: rethread-check {}", files.directory.display());
    }
    Ok(all_held)
}

fn exit(done: io::Result<bool>) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
