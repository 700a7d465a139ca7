//! What is checked before a namespace is used.

use redis::{Cmd, cmd};
use rethread_storage::{Durability, Result, StorageError};

use crate::error::{Effect, malformed};
use crate::link::Link;
use crate::options::RedisOptions;
use crate::server::Server;
use crate::{keys, reply, script};

/// Version of the stored form: keys, fields and their meaning.
const FORMAT: &str = "2";

/// What a namespace turned out to be.
pub(crate) struct Namespace {
    pub(crate) partitions: u16,
    pub(crate) durability: Durability,
}

/// Checks the server, then finds or creates the namespace.
pub(crate) async fn open(link: &Link, options: &RedisOptions) -> Result<Namespace> {
    if options.namespace.is_empty() {
        return Err(StorageError::Config {
            reason: "the namespace is empty: give it a name, such as `default`".to_owned(),
        });
    }
    let durability = match (check_servers(link).await?, options.replicas) {
        (durability, 0) => durability,
        // A primary that restarts empty empties its replicas.
        (Durability::Volatile, _) => Durability::Volatile,
        (_, replicas) => Durability::Replicated(replicas),
    };
    let loads = script::all().into_iter().map(script::Script::load).collect();
    for loaded in link.read_everywhere(loads).await?.into_iter().flatten() {
        link.checked(loaded)?;
    }
    let partitions = open_namespace(link, options).await?;
    Ok(Namespace { partitions, durability })
}

/// Asks every server that has data whether it can be trusted with it; the least that an
/// acknowledged write survives on them.
pub(crate) async fn check_servers(link: &Link) -> Result<Durability> {
    let mut durability = Durability::Process;
    for mut answers in link.read_everywhere(vec![cmd("INFO")]).await? {
        let info = link.checked(answers.pop().unwrap_or_default())?;
        let server = Server::read(&reply::text(info, "INFO of Redis")?);
        server.check(link.address())?;
        if server.durability() == Durability::Volatile {
            durability = Durability::Volatile;
        }
    }
    Ok(durability)
}

async fn open_namespace(link: &Link, options: &RedisOptions) -> Result<u16> {
    let wanted = options.partitions.unwrap_or(RedisOptions::PARTITIONS_DEFAULT);
    if wanted == 0 || wanted > RedisOptions::PARTITIONS_MAX {
        return Err(StorageError::Config {
            reason: format!(
                "{wanted} partitions are not possible: choose 1 to {}",
                RedisOptions::PARTITIONS_MAX
            ),
        });
    }
    let meta = keys::meta(&options.namespace);
    let set = |field: &str, value: &str| -> Cmd {
        let mut set = cmd("HSETNX");
        set.arg(&meta).arg(field).arg(value);
        set
    };
    let mut get = cmd("HMGET");
    get.arg(&meta).arg("format").arg("partitions");
    // Repeating it changes nothing, so it may be sent again like a read.
    let sets = vec![set("format", FORMAT), set("partitions", &wanted.to_string()), get];
    let mut answers = link.run_all(sets, Effect::Read).await?.into_iter();
    let mut answer = || link.checked(answers.next().unwrap_or_default());
    answer()?;
    answer()?;
    let what = "description of the namespace";
    let mut fields = reply::array(answer()?, what)?.into_iter();
    let format = reply::text(fields.next().unwrap_or_default(), what)?;
    if format != FORMAT {
        return Err(StorageError::Config {
            reason: format!(
                "namespace `{}` has format {format}, this version knows format {FORMAT}: use the version that created it, or another namespace",
                options.namespace
            ),
        });
    }
    let stored = reply::number(fields.next().unwrap_or_default(), what)?;
    let stored = u16::try_from(stored)
        .ok()
        .filter(|stored| (1..=RedisOptions::PARTITIONS_MAX).contains(stored))
        .ok_or_else(|| malformed(what, format!("it has {stored} partitions")))?;
    match options.partitions {
        Some(wanted) if wanted != stored => Err(StorageError::Config {
            reason: format!(
                "namespace `{}` was created with {stored} partitions, not {wanted}: leave the setting out, or use another namespace",
                options.namespace
            ),
        }),
        _ => Ok(stored),
    }
}
