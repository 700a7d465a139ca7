//! Names of keys. Nothing else in this crate builds one.
//!
//! ```text
//! rt:{<ns>.m}:meta          HASH    partitions and format of the namespace
//! rt:{<ns>.m}:nodes         ZSET    coordinators, by the time until which they live
//! rt:{<ns>.w}:hb            ZSET    heartbeats of workers
//! rt:{<ns>.w}:about         HASH    how workers describe themselves, and since when
//! rt:{<ns>.w}:m:<worker>            channel of a worker's mail
//! rt:{<ns>.w}:b:<queue>             channel of the mail of all workers of a queue
//! rt:{<ns>.w}:ri, rq                channels that tell of new messages and orders, on a cluster
//! rt:{<ns>.pNN}:lease       HASH    owner of the partition
//! rt:{<ns>.pNN}:in          STREAM  inbox
//! rt:{<ns>.pNN}:act         ZSET    threads that are not parked, by the time they are due
//! rt:{<ns>.pNN}:dl          STREAM  dead letters; expires
//! rt:{<ns>.pNN}:qs          SET     names of queues that have had orders
//! rt:{<ns>.pNN}:q:<queue>   STREAM  orders; consumer group `w`
//! rt:{<ns>.pNN}:op:<id>     STRING  an op id that had its effect; expires
//! rt:{<ns>.pNN}:t:<thread>  LIST    header, last event, id of the base checkpoint, checkpoints
//!                                   that are few and small; then the journal
//!                    …:c    HASH    checkpoints by id, once they are not few and small
//!                    …:ci   ZSET    their ids, in order
//!                    …:w    LIST    commands that wait for the run in progress
//! rt:{<ns>.pNN}:e:<run>     LIST    events of a run, and the channel of their wake-ups
//!                    …:end          channel of the wake-up by the end of a run
//!                    …:o    STRING  number of events before the first of the list
//! rt:{<ns>.c}:groups        SET     groups of the cache that have had values
//! rt:{<ns>.c.<group>}:g     STRING  generation of a group; grows with each clear
//!                    …:l    HASH    values that do not expire (lasting), by entry
//!                    …:v:<entry> HASH    value that expires: `g` its generation, `v` itself
//!                    …:h:<entry> STRING  who is making the value (holder); expires
//! rt:{<ns>.s}:n             ZSET    names of the store's items, in order
//! rt:{<ns>.s}:r             HASH    records of items, by name
//! rt:{<ns>.s}:x             ZSET    names of items that expire, by time
//! rt:{<any of these>}:last  STRING  written last before replicas are waited for; expires at once
//! ```
//!
//! The braces are a hash tag: the keys of one partition share a slot, so one script may touch
//! them. So do those of one group of the cache, and those of the store, which is thereby served
//! by one node of a cluster: an ordered scan over all of it needs no merging. Names that users
//! choose are escaped, so they can hold neither braces nor dots nor colons, nor anything that means
//! something in a pattern.
//!
//! A thread is one key as long as it can be: a key costs about 200 bytes before anything is in it,
//! and most threads wait. It is a list, since Redis packs elements of any size into one block of
//! 8 KiB there, but of a hash only those of up to 64 bytes. The first elements are slots, each of
//! which is replaced in its place; the journal grows at the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rethread_core::ids::{OpId, PartitionId, QueueName, RunId, ThreadKey, WorkerId};
use rethread_storage::{Result, StorageError};

use crate::escape::{escaped, push_escaped, push_hex, read_hex};

/// Hexadecimal digits of the name of a thread.
const THREAD_DIGITS: usize = 32;

/// Keys of one namespace.
#[derive(Debug)]
pub(crate) struct Keys {
    nodes: String,
    heartbeats: String,
    descriptions: String,
    mail: String,
    queue_mail: String,
    inbox_bell: String,
    queue_bell: String,
    cache_groups: String,
    // With neither the group nor the end of the hash tag.
    cache: String,
    store: StoreKeys,
    partitions: Vec<PartitionKeys>,
    // Streams of the queues that this process fetches from: built once, used by each fetch.
    queues: Mutex<HashMap<QueueName, Arc<[Arc<str>]>>>,
}

/// Keys of one partition.
#[derive(Debug)]
pub(crate) struct PartitionKeys {
    prefix: String,
    pub(crate) lease: String,
    pub(crate) inbox: String,
    pub(crate) active: String,
    pub(crate) queue_names: String,
    pub(crate) dead_letters: String,
    /// A pattern that finds the threads of the partition, and nothing else.
    pub(crate) any_thread: String,
}

/// Keys of one group of the cache.
#[derive(Debug)]
pub(crate) struct GroupKeys {
    pub(crate) generation: String,
    pub(crate) lasting: String,
    prefix: String,
}

/// Keys of the store.
#[derive(Debug)]
pub(crate) struct StoreKeys {
    pub(crate) names: String,
    pub(crate) records: String,
    pub(crate) expiries: String,
}

/// Keys of one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ThreadKeys {
    pub(crate) thread: String,
    pub(crate) checkpoints: String,
    pub(crate) checkpoint_ids: String,
    pub(crate) waiting: String,
}

/// The meta key of a namespace; needed before its number of partitions is known.
pub(crate) fn meta(namespace: &str) -> String {
    format!("rt:{{{}.m}}:meta", escaped(namespace))
}

/// The key with the same hash tag that is written last before replicas are waited for.
pub(crate) fn last_beside(key: &[u8]) -> Option<String> {
    let tagged = &key[..=key.iter().position(|byte| *byte == b'}')?];
    Some(format!("{}:last", std::str::from_utf8(tagged).ok()?))
}

impl Keys {
    pub(crate) fn new(namespace: &str, partitions: u16) -> Self {
        let escaped = escaped(namespace);
        Self {
            nodes: format!("rt:{{{escaped}.m}}:nodes"),
            heartbeats: format!("rt:{{{escaped}.w}}:hb"),
            descriptions: format!("rt:{{{escaped}.w}}:about"),
            mail: format!("rt:{{{escaped}.w}}:m:"),
            queue_mail: format!("rt:{{{escaped}.w}}:b:"),
            inbox_bell: format!("rt:{{{escaped}.w}}:ri"),
            queue_bell: format!("rt:{{{escaped}.w}}:rq"),
            cache_groups: format!("rt:{{{escaped}.c}}:groups"),
            cache: format!("rt:{{{escaped}.c."),
            store: StoreKeys {
                names: format!("rt:{{{escaped}.s}}:n"),
                records: format!("rt:{{{escaped}.s}}:r"),
                expiries: format!("rt:{{{escaped}.s}}:x"),
            },
            partitions: (0..partitions)
                .map(|partition| PartitionKeys::new(&escaped, PartitionId(partition)))
                .collect(),
            queues: Mutex::default(),
        }
    }

    /// Coordinators that live.
    pub(crate) fn nodes(&self) -> &str {
        &self.nodes
    }

    pub(crate) fn heartbeats(&self) -> &str {
        &self.heartbeats
    }

    /// How workers describe themselves.
    pub(crate) fn descriptions(&self) -> &str {
        &self.descriptions
    }

    /// The channel of a worker's mail.
    pub(crate) fn mail(&self, worker: &WorkerId) -> String {
        let mut channel = self.mail.clone();
        push_escaped(&mut channel, worker.as_str().as_bytes());
        channel
    }

    /// The channel of the mail of all workers of a queue.
    pub(crate) fn queue_mail(&self, queue: &QueueName) -> String {
        let mut channel = self.queue_mail.clone();
        push_escaped(&mut channel, queue.as_str().as_bytes());
        channel
    }

    /// The channel that tells of new messages in inboxes.
    pub(crate) fn inbox_bell(&self) -> &str {
        &self.inbox_bell
    }

    /// The channel that tells of new orders.
    pub(crate) fn queue_bell(&self) -> &str {
        &self.queue_bell
    }

    pub(crate) fn cache_groups(&self) -> &str {
        &self.cache_groups
    }

    pub(crate) fn cache(&self, group: &str) -> GroupKeys {
        let mut prefix = self.cache.clone();
        push_escaped(&mut prefix, group.as_bytes());
        prefix.push_str("}:");
        GroupKeys { generation: format!("{prefix}g"), lasting: format!("{prefix}l"), prefix }
    }

    pub(crate) fn store(&self) -> &StoreKeys {
        &self.store
    }

    pub(crate) fn count(&self) -> u16 {
        self.partitions.len() as u16
    }

    pub(crate) fn partition(&self, partition: PartitionId) -> Result<&PartitionKeys> {
        self.partitions.get(usize::from(partition.0)).ok_or_else(|| StorageError::Config {
            reason: format!(
                "partition {partition} does not exist: the namespace has {} partitions; use the number that the storage reports",
                self.partitions.len()
            ),
        })
    }

    /// The streams of a queue, one for each partition.
    pub(crate) fn queue_streams(&self, queue: &QueueName) -> Arc<[Arc<str>]> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(streams) = queues.get(queue) {
            return Arc::clone(streams);
        }
        let streams: Arc<[Arc<str>]> =
            self.partitions.iter().map(|keys| keys.queue(queue).into()).collect();
        queues.insert(queue.clone(), Arc::clone(&streams));
        streams
    }
}

impl GroupKeys {
    /// The value of an entry that expires.
    pub(crate) fn value(&self, entry: &[u8]) -> String {
        self.entry("v:", entry)
    }

    /// Who is making the value of an entry.
    pub(crate) fn holder(&self, entry: &[u8]) -> String {
        self.entry("h:", entry)
    }

    fn entry(&self, kind: &str, entry: &[u8]) -> String {
        let mut key = String::with_capacity(self.prefix.len() + kind.len() + 2 * entry.len());
        key.push_str(&self.prefix);
        key.push_str(kind);
        push_escaped(&mut key, entry);
        key
    }
}

impl PartitionKeys {
    fn new(escaped_namespace: &str, partition: PartitionId) -> Self {
        let prefix = format!("rt:{{{escaped_namespace}.{partition}}}:");
        Self {
            lease: format!("{prefix}lease"),
            inbox: format!("{prefix}in"),
            active: format!("{prefix}act"),
            queue_names: format!("{prefix}qs"),
            dead_letters: format!("{prefix}dl"),
            any_thread: format!("{prefix}t:{}", "?".repeat(THREAD_DIGITS)),
            prefix,
        }
    }

    fn named(&self, kind: &str, capacity: usize) -> String {
        let mut key = String::with_capacity(self.prefix.len() + kind.len() + capacity);
        key.push_str(&self.prefix);
        key.push_str(kind);
        key
    }

    pub(crate) fn thread(&self, thread: ThreadKey) -> ThreadKeys {
        let mut key = self.named("t:", 35);
        push_hex(&mut key, thread.as_bytes());
        let with = |suffix: &str| {
            let mut other = String::with_capacity(key.len() + suffix.len());
            other.push_str(&key);
            other.push_str(suffix);
            other
        };
        ThreadKeys {
            checkpoints: with(":c"),
            checkpoint_ids: with(":ci"),
            waiting: with(":w"),
            thread: key,
        }
    }

    /// The thread whose key [`PartitionKeys::any_thread`] found.
    pub(crate) fn thread_of(&self, key: &[u8]) -> Option<ThreadKey> {
        let digits = key.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b"t:")?;
        read_hex(digits).map(ThreadKey::from_bytes)
    }

    /// The log of a run; also the name of the channel on which its readers are woken.
    pub(crate) fn events(&self, run: RunId) -> String {
        let mut key = self.named("e:", 32);
        push_hex(&mut key, run.as_uuid().as_bytes());
        key
    }

    /// The channel on which those are woken that wait for the end of a run; `commit.lua` knows its
    /// name too.
    pub(crate) fn end(&self, run: RunId) -> String {
        let mut channel = self.named("e:", 36);
        push_hex(&mut channel, run.as_uuid().as_bytes());
        channel.push_str(":end");
        channel
    }

    pub(crate) fn events_offset(&self, run: RunId) -> String {
        let mut key = self.named("e:", 34);
        push_hex(&mut key, run.as_uuid().as_bytes());
        key.push_str(":o");
        key
    }

    pub(crate) fn op(&self, op: OpId) -> String {
        let mut key = self.named("op:", 32);
        push_hex(&mut key, op.as_bytes());
        key
    }

    pub(crate) fn queue(&self, queue: &QueueName) -> String {
        let mut key = self.named("q:", queue.as_str().len());
        push_escaped(&mut key, queue.as_str().as_bytes());
        key
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rethread_core::ids::ThreadId;

    use super::*;

    /// A small generator, so that the same ids are tried on each run.
    struct Draw(u64);

    impl Draw {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            self.0 >> 33
        }

        fn name(&mut self) -> String {
            const PIECES: [&str; 20] = [
                "*", "?", "[", "]", "{", "}", ":", "\0", "\n", "\r\n", "=", ".", "a", "p07", "%",
                "é", "日本", "🦀", " ", "-_",
            ];
            let pieces = 1 + self.next() % 6;
            (0..pieces).map(|_| PIECES[(self.next() % PIECES.len() as u64) as usize]).collect()
        }
    }

    fn tag(key: &str) -> &str {
        let open = key.find('{').expect("has a hash tag");
        let close = key[open..].find('}').expect("has a hash tag") + open;
        &key[open + 1..close]
    }

    #[test]
    fn keys_of_any_two_ids_differ_and_keep_the_tag_of_their_partition() {
        let mut draw = Draw(7);
        let mut seen: HashMap<String, (String, String)> = HashMap::new();
        for _ in 0..100_000 {
            let pair = (draw.name(), draw.name());
            let keys = PartitionKeys::new(&escaped(&pair.0), PartitionId(3));
            let queue = QueueName::new(&pair.1).expect("not empty");
            let key = keys.queue(&queue);
            assert_eq!(tag(&key), format!("{}.p03", escaped(&pair.0)));
            assert!(key.bytes().all(|byte| byte.is_ascii_graphic()), "{key}");
            assert_eq!(key.matches(['{', '}']).count(), 2, "{key}");
            if let Some(other) = seen.insert(key.clone(), pair.clone()) {
                assert_eq!(other, pair, "{key}");
            }
        }
    }

    #[test]
    fn all_keys_of_a_partition_share_its_tag() {
        let keys = PartitionKeys::new(&escaped("a{b}.p01"), PartitionId(12));
        let thread = keys.thread(ThreadId::new("*?[]{}:\0\n").expect("not empty").key());
        let run = RunId::from_uuid(uuid::Uuid::from_u128(5));
        let all = [
            keys.lease.clone(),
            keys.inbox.clone(),
            keys.active.clone(),
            keys.queue_names.clone(),
            keys.queue(&QueueName::standard()),
            keys.op(OpId::from_random(9)),
            keys.events(run),
            keys.events_offset(run),
            thread.thread,
            thread.checkpoints,
            thread.checkpoint_ids,
            thread.waiting,
            keys.dead_letters.clone(),
        ];
        for key in &all {
            assert_eq!(tag(key), "a=7bb=7d=2ep01.p12", "{key}");
        }
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn keys_of_a_cache_group_share_its_tag_and_differ_by_entry() {
        let keys = Keys::new("n.s", 1);
        let mut draw = Draw(9);
        let mut seen = HashMap::new();
        for _ in 0..10_000 {
            let pair = (draw.name(), draw.name());
            let group = keys.cache(&pair.0);
            let entry = pair.1.as_bytes();
            let all =
                [&group.generation, &group.lasting, &group.value(entry), &group.holder(entry)];
            for key in all {
                assert_eq!(tag(key), format!("n=2es.c.{}", escaped(&pair.0)), "{key}");
                assert!(key.bytes().all(|byte| byte.is_ascii_graphic()), "{key}");
            }
            assert_eq!(all.into_iter().collect::<std::collections::HashSet<_>>().len(), 4);
            if let Some(other) = seen.insert(group.value(entry), pair.clone()) {
                assert_eq!(other, pair);
            }
        }
        let binary: Vec<u8> = (0..=255).collect();
        assert!(keys.cache("g").value(&binary).is_ascii());
    }

    #[test]
    fn keys_of_the_store_share_a_tag_that_nothing_else_has() {
        let keys = Keys::new("default", 1);
        let StoreKeys { names, records, expiries } = keys.store();
        for key in [names, records, expiries] {
            assert_eq!(tag(key), "default.s");
        }
        let others = [keys.heartbeats(), keys.cache_groups(), &keys.cache("s").generation];
        assert!(others.iter().all(|key| tag(key) != "default.s"));
        let queue = QueueName::new("w").expect("not empty");
        let worker = WorkerId::new("w").expect("not empty");
        assert_ne!(keys.queue_mail(&queue), keys.mail(&worker));
    }

    #[test]
    fn the_key_of_a_thread_can_be_read_back_and_nothing_else() {
        let keys = PartitionKeys::new("ns", PartitionId(1));
        let thread = ThreadId::new("t").expect("an id").key();
        let named = keys.thread(thread);
        assert_eq!(named.thread.len(), keys.any_thread.len());
        assert_eq!(keys.thread_of(named.thread.as_bytes()), Some(thread));
        assert_eq!(keys.thread_of(named.waiting.as_bytes()), None);
        let other = PartitionKeys::new("ns", PartitionId(2));
        assert_eq!(other.thread_of(named.thread.as_bytes()), None);
    }

    #[test]
    fn a_partition_that_does_not_exist_is_refused() {
        let keys = Keys::new("default", 16);
        assert!(keys.partition(PartitionId(15)).is_ok());
        assert!(matches!(keys.partition(PartitionId(16)), Err(StorageError::Config { .. })));
    }
}
