//! Opens the storage that the settings name.

use std::sync::Arc;
use std::time::Duration;

use rethread_redis::{RedisOptions, RedisStorage};
use rethread_storage::disk::{DiskOptions, DiskStorage, Sync};
use rethread_storage::{Durability, Result, Storage, StorageError};
use tokio::time::{Instant, sleep};

use crate::settings::{DataSync, Settings};

/// How long a data directory may take to be given up by an engine that was dropped.
const UNLOCK_MAX: Duration = Duration::from_secs(2);
/// Time between two looks at it.
const UNLOCK_POLL: Duration = Duration::from_millis(20);

/// Redis if the settings name one, else the embedded store.
pub(crate) async fn open(settings: &Settings) -> Result<Arc<dyn Storage>> {
    match &settings.redis_url {
        Some(url) => open_redis(settings, url.reveal()).await,
        None => open_unlocked(settings).await,
    }
}

async fn open_redis(settings: &Settings, url: &str) -> Result<Arc<dyn Storage>> {
    let mut options = RedisOptions::new(url).namespace(&settings.namespace);
    options.event_retention = Duration::from_millis(settings.event_retention_ms);
    options.dead_letter_retention = Duration::from_millis(settings.dead_letter_retention_ms);
    options.inbox_max = settings.inbox_max;
    options.replicas = settings.redis_replicas;
    options.tls_ca.clone_from(&settings.redis_tls_ca);
    if let Some(partitions) = settings.partitions {
        options = options.partitions(partitions);
    }
    let storage = RedisStorage::connect(options).await?;
    if storage.durability() == Durability::Volatile {
        tracing::warn!(
            "Redis has no append-only file: a restart of it loses every run; set `appendonly yes`"
        );
    }
    Ok(Arc::new(storage))
}

/// Opens the embedded store. A dropped engine ends on threads of its own and on the caller's
/// runtime, so its directory is free a little later.
async fn open_unlocked(settings: &Settings) -> Result<Arc<dyn Storage>> {
    let give_up = Instant::now() + UNLOCK_MAX;
    loop {
        match open_disk(settings) {
            Err(StorageError::Locked { .. }) if Instant::now() < give_up => {
                sleep(UNLOCK_POLL).await;
            }
            result => return result,
        }
    }
}

fn open_disk(settings: &Settings) -> Result<Arc<dyn Storage>> {
    let sync = match settings.data_sync {
        DataSync::Disk => Sync::Group,
        DataSync::Process => Sync::Buffered,
    };
    let options = DiskOptions {
        sync,
        event_retention: Duration::from_millis(settings.event_retention_ms),
        dead_letter_retention: Duration::from_millis(settings.dead_letter_retention_ms),
        inbox_max: settings.inbox_max,
        ..DiskOptions::default()
    };
    Ok(Arc::new(DiskStorage::open(&settings.data_dir, options)?))
}
