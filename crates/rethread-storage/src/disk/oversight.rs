//! The dead letters of the adapter.

use rethread_core::ids::PartitionId;

use super::DiskStorage;
use super::committer::Request;
use crate::{DeadLetter, DeadLetterId, Result};

impl DiskStorage {
    pub(super) async fn dead_letters(
        &self,
        partition: PartitionId,
        after: Option<DeadLetterId>,
        max: usize,
    ) -> Result<Vec<DeadLetter>> {
        let now = self.inner.clock.now();
        let ids = self.with(|live| live.dead_letters(partition, after, max, now))?;
        self.read_tables(move |tables| tables.read_letters(partition, ids)).await
    }

    pub(super) async fn remove_letter(
        &self,
        partition: PartitionId,
        id: DeadLetterId,
    ) -> Result<bool> {
        self.ask(|reply| Request::RemoveLetter { partition, id, reply }).await
    }
}
