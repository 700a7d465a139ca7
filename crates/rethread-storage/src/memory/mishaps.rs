//! What can happen to a storage beside what is asked of it, for simulations.

use rethread_core::ids::PartitionId;

use super::model::Model;

impl Model {
    /// Forgets who owns a partition, as if the key of the lease were deleted. Its counters stay.
    pub fn forget_owner(&mut self, partition: PartitionId) {
        if let Ok(partition) = self.live.partition_mut(partition) {
            partition.ownership.forget_holder();
        }
    }

    /// Goes back to an earlier state of this storage: its newest writes are lost.
    ///
    /// Orders and messages get no id that one had which was lost, as on a server, whose ids follow
    /// its clock. Else the receipt of a lost order, which its worker still holds, would fit another
    /// one, and a message could come behind a reader that has not lost its place.
    pub fn roll_back_to(&mut self, earlier: Self) {
        let lost = std::mem::replace(self, earlier);
        self.live.leave_out_ids_of(&lost.live);
    }

    /// Loses an order that no worker has ever had, the one at this place among them, and says whether
    /// there was one.
    pub fn lose_order(&mut self, nth: usize) -> bool {
        self.live.lose_order(nth)
    }
}
