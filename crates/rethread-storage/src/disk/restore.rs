//! Brings the state in memory back from the tables.

use std::collections::HashMap;

use bytes::Bytes;
use fjall::{Readable, Slice, Snapshot};
use rethread_core::ids::{Millis, OpId, PartitionId, ThreadKey};

use super::keys::{self, live_tag};
use super::tables::{Tables, unreadable};
use super::values::{Reader, damaged, decode_counters, decode_counts, decode_letter, decode_order};
use crate::live::{Counts, Limits, Live, OrderId, Ownership};
use crate::{DeadLetterId, Result};

/// Takes what is behind the tag of one key, and the value.
type UsePair<'a> = dyn FnMut(PartitionId, &[u8], Slice) -> Result<()> + 'a;

/// Reads everything that the last process left: nobody owns a partition, no order is assigned.
///
/// Op ids are remembered for their full time again, which is longer than promised.
pub(super) fn restore(
    tables: &Tables,
    partitions: u16,
    limits: Limits,
    now: Millis,
) -> Result<Live> {
    let mut live = Live::new(partitions, limits);
    let view = tables.view();
    let each = |tag: u8, use_pair: &mut UsePair<'_>| each_pair(tables, &view, tag, use_pair);
    each(live_tag::LEDGER, &mut |partition, _, value| {
        let (epoch, last_commit) = decode_counters(&value)?;
        live.partition_mut(partition)?.ownership = Ownership::restored(epoch, last_commit);
        Ok(())
    })?;
    each(live_tag::OP, &mut |partition, rest, _| {
        let op = Reader(rest).id().ok_or_else(|| damaged("an op id"))?;
        live.partition_mut(partition)?.inbox.remember(OpId::from_bytes(op), now);
        Ok(())
    })?;
    each(live_tag::INBOX, &mut |partition, rest, value| {
        let number = Reader(rest).number().ok_or_else(|| damaged("an inbox"))?;
        live.deliver(partition, number, Bytes::copy_from_slice(&value));
        Ok(())
    })?;
    each(live_tag::ACTIVE, &mut |partition, rest, value| {
        let thread = Reader(rest).id().map(ThreadKey::from_bytes);
        let (thread, due) = thread
            .zip(Reader(&value).number())
            .ok_or_else(|| damaged("the list of active threads"))?;
        live.partition_mut(partition)?.active.insert(thread, Millis(due));
        Ok(())
    })?;
    each(live_tag::LETTER, &mut |partition, rest, value| {
        let mut reader = Reader(rest);
        let id = reader.number().zip(reader.number()).ok_or_else(|| damaged("a dead letter"))?;
        let (at, _) = decode_letter(&value)?;
        live.partition_mut(partition)?.letters.restore(DeadLetterId(id.0, id.1), at);
        Ok(())
    })?;
    let mut fetches = HashMap::<(PartitionId, OrderId), Counts>::new();
    each(live_tag::FETCHES, &mut |partition, rest, value| {
        let id = Reader(rest).number().ok_or_else(|| damaged("the fetches of an order"))?;
        fetches.insert((partition, id), decode_counts(&value)?);
        Ok(())
    })?;
    let mut orders = Vec::new();
    each(live_tag::ORDER, &mut |partition, rest, value| {
        let id = Reader(rest).number().ok_or_else(|| damaged("a queued order"))?;
        orders.push((id, partition, decode_order(&value)?));
        Ok(())
    })?;
    // Ids count over all partitions: queues go on in the order in which orders were made.
    orders.sort_unstable_by_key(|(id, ..)| *id);
    for (id, partition, (order, entered)) in orders {
        let counts = fetches.remove(&(partition, id)).unwrap_or_default();
        live.restore_order(id, partition, order, entered.unwrap_or(now), counts);
    }
    // A count can be left behind by a fetch whose order was reclaimed and finished before the
    // count was written. Ids are given anew from here on, so it would count for another order.
    for (partition, id) in fetches.into_keys() {
        tables.live.remove(keys::fetches(partition, id)).map_err(unreadable)?;
    }
    Ok(live)
}

fn each_pair(tables: &Tables, view: &Snapshot, tag: u8, use_pair: &mut UsePair<'_>) -> Result<()> {
    for pair in view.prefix(&tables.live, [tag]) {
        let (key, value) = pair.into_inner().map_err(unreadable)?;
        let mut reader = Reader(&key);
        let partition = reader.byte().and_then(|_| reader.short());
        let partition = partition.ok_or_else(|| damaged("a key of the live table"))?;
        use_pair(PartitionId(partition), reader.0, value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OrderGroup;

    #[test]
    fn what_format_1_stored_is_read() {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let partition = PartitionId(0);
        let (tables, _) = Tables::open(directory.path(), 1, 1 << 20).expect("it opens");
        let thread = ThreadKey::from_bytes([7; 16]);
        let put = |table: &fjall::Keyspace, key: Vec<u8>, value: &[u8]| {
            table.insert(key, value).expect("it is written");
        };
        put(&tables.live, keys::order(partition, 3), b"\0\x01qrecord");
        put(&tables.threads, keys::header(partition, thread), b"header");
        let standing = [&5_u64.to_be_bytes()[..], &0_u64.to_be_bytes(), &[0, 0]].concat();
        put(&tables.threads, keys::standing(partition, thread), &standing);

        let live = restore(&tables, 1, Limits::default(), Millis(9)).expect("it is read");
        let orders = live.queued_orders(partition).expect("the partition exists");
        assert_eq!((orders[0].group, &orders[0].order[..]), (OrderGroup([0; 16]), &b"record"[..]));
        let listed = live.list_orders(partition, 9, Millis(11)).expect("the partition exists");
        assert_eq!(listed[0].age_ms, 2, "as old as the opening");
        let loaded = tables.load_thread(partition, thread).expect("it is read");
        assert_eq!(loaded.expect("it is there").waiting, [""; 0]);
    }
}
