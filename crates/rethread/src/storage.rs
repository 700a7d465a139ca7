//! Opens the storage that the settings name.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rethread_redis::{RedisOptions, RedisStorage};
use rethread_storage::disk::{DiskOptions, DiskStorage, Sync};
use rethread_storage::{Result, Storage};

use crate::settings::{DataSync, Settings};

/// Redis if the settings name one, else the embedded store.
pub(crate) async fn open(settings: &Settings) -> Result<Arc<dyn Storage>> {
    match &settings.redis_url {
        Some(url) => open_redis(settings, url).await,
        None => open_disk(&settings.data_dir, settings.data_sync, settings.event_retention_ms),
    }
}

async fn open_redis(settings: &Settings, url: &str) -> Result<Arc<dyn Storage>> {
    let mut options = RedisOptions::new(url).namespace(&settings.namespace);
    options.event_retention = Duration::from_millis(settings.event_retention_ms);
    if let Some(partitions) = settings.partitions {
        options = options.partitions(partitions);
    }
    Ok(Arc::new(RedisStorage::connect(options).await?))
}

pub(crate) fn open_disk(
    directory: &Path,
    sync: DataSync,
    event_retention_ms: u64,
) -> Result<Arc<dyn Storage>> {
    let sync = match sync {
        DataSync::Disk => Sync::Group,
        DataSync::Process => Sync::Buffered,
    };
    let options = DiskOptions {
        sync,
        event_retention: Duration::from_millis(event_retention_ms),
        ..DiskOptions::default()
    };
    Ok(Arc::new(DiskStorage::open(directory, options)?))
}
