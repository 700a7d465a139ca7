//! What a tape costs on the embedded store.

use std::collections::BTreeMap;
use std::sync::Arc;

use rethread_storage::disk::{DiskOptions, DiskStorage, Written};
use tempfile::TempDir;

use crate::Failure;
use crate::player::Player;
use crate::tape::Step;

/// Plays a tape on a directory of its own, and counts what is written behind its beginning.
/// Nothing is asked for together, so each write is a group of its own.
pub(crate) async fn count(
    preparation: &[Step],
    work: &[Step],
) -> Result<BTreeMap<String, u64>, Failure> {
    let directory = TempDir::new()?;
    let storage = DiskStorage::open(directory.path().join("data"), DiskOptions::default())?;
    let mut player = Player::new(Arc::new(storage.clone())).await?;
    player.play(preparation).await?;
    let before = storage.written();
    player.play(work).await?;
    let Written { groups, syncs, rows, bytes, .. } = storage.written();
    let counts = [
        ("commits", groups - before.groups),
        ("syncs", syncs - before.syncs),
        ("rows", rows - before.rows),
        ("bytes", bytes - before.bytes),
    ];
    Ok(counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect())
}
