//! Identities: who a thread, a run or a call is, on every machine and for ever.
//!
//! Ids that users choose are free text; everything derived from them is a 16-byte hash, so that
//! keys and messages have a fixed size. Hashes are XXH3-128: fast and stable, not cryptographic.
//! Where a collision could mix two users' data, the full text is kept and compared on load.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Longest accepted user-chosen id, in bytes.
pub const ID_BYTES_MAX: usize = 256;

/// A text that cannot be an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is empty.
    #[error("a {kind} must not be empty")]
    Empty {
        /// What the text was meant to name.
        kind: &'static str,
    },
    /// The text is longer than [`ID_BYTES_MAX`].
    #[error("a {kind} has at most {ID_BYTES_MAX} bytes, this one has {len}")]
    TooLong {
        /// What the text was meant to name.
        kind: &'static str,
        /// Its length in bytes.
        len: usize,
    },
    /// The text is not in the form of this id.
    #[error("`{text}` is no {kind}: expected {expected}")]
    Malformed {
        /// What the text was meant to name.
        kind: &'static str,
        /// The text as given.
        text: String,
        /// The form that was expected.
        expected: &'static str,
    },
}

fn check_text(kind: &'static str, text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { kind });
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong { kind, len: text.len() });
    }
    Ok(())
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes 1 to [`ID_BYTES_MAX`] bytes of free text.
            ///
            /// # Errors
            /// [`IdError`] when the text is empty or too long.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                check_text($kind, text.as_ref())?;
                Ok(Self(Arc::from(text.as_ref())))
            }

            /// The text as the user wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }
    };
}

text_id! {
    /// Names a durable conversation: the unit of order and of ownership.
    ThreadId, "thread id"
}
text_id! {
    /// Names a work queue; workers subscribe to queues, tasks choose one.
    QueueName, "queue name"
}
text_id! {
    /// Names one worker process for as long as it lives.
    WorkerId, "worker id"
}
text_id! {
    /// Names one node (a process that owns partitions) for as long as it lives.
    NodeId, "node id"
}

impl QueueName {
    /// The queue of tasks that choose none.
    pub fn standard() -> Self {
        Self(Arc::from("default"))
    }
}

impl ThreadId {
    /// The fixed-size form used in keys and messages.
    pub fn key(&self) -> ThreadKey {
        ThreadKey(xxh3_128(self.0.as_bytes()).to_be_bytes())
    }
}

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Rebuilds the id from its bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The bytes, as they stand in keys and messages.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let malformed = || IdError::Malformed {
                    kind: $kind,
                    text: text.to_owned(),
                    expected: "32 hexadecimal digits",
                };
                if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(malformed());
                }
                let value = u128::from_str_radix(text, 16).map_err(|_| malformed())?;
                Ok(Self(value.to_be_bytes()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(&self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
                } else {
                    serde_bytes::ByteArray::<16>::deserialize(deserializer)
                        .map(|bytes| Self(bytes.into_array()))
                }
            }
        }
    };
}

hash_id! {
    /// The hash of a [`ThreadId`]: routes a thread to its partition and names it in keys.
    ThreadKey, "thread key"
}
hash_id! {
    /// Names one call for ever: the same call has the same id on each replay and on each machine.
    ///
    /// Content identity: a call is its parent scope, kind, name, input and the number of equal
    /// calls made before it in that scope, or an explicit key. Two branches of a program may
    /// make their calls in either order without changing who is who.
    CallId, "call id"
}
hash_id! {
    /// Names one question to a person, stable over replays; what a resume answers.
    InterruptId, "interrupt id"
}
hash_id! {
    /// Makes a request idempotent: the same op id has its effect once.
    OpId, "op id"
}

impl ThreadKey {
    /// The partition that holds the thread, for a namespace of `partitions` partitions.
    pub fn partition(self, partitions: u16) -> PartitionId {
        let high = u64::from_be_bytes([
            self.0[0], self.0[1], self.0[2], self.0[3], self.0[4], self.0[5], self.0[6], self.0[7],
        ]);
        PartitionId((high % u64::from(partitions.max(1))) as u16)
    }
}

/// What a call asks for; part of its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CallKind {
    /// A task: runs on a worker, its result is recorded.
    #[serde(rename = "t")]
    Task,
    /// A child entrypoint: replayed beside its caller.
    #[serde(rename = "e")]
    Entrypoint,
    /// A durable timer.
    #[serde(rename = "s")]
    Timer,
    /// A question to a person.
    #[serde(rename = "i")]
    Interrupt,
    /// A request to the store.
    #[serde(rename = "m")]
    Store,
}

impl CallKind {
    fn tag(self) -> u8 {
        match self {
            Self::Task => 1,
            Self::Entrypoint => 2,
            Self::Timer => 3,
            Self::Interrupt => 4,
            Self::Store => 5,
        }
    }
}

impl CallId {
    /// No scope: for digests of calls that are equal wherever they are made.
    pub const ANYWHERE: Self = Self([0; 16]);

    /// The scope of the entrypoint body that an execution started with.
    pub fn root(execution: ExecutionId) -> Self {
        Self(xxh3_128(execution.0.as_bytes()).to_be_bytes())
    }

    /// What equal calls of one scope have in common; the occurrence tells them apart.
    pub fn content(scope: Self, kind: CallKind, name: &str, input: &[u8]) -> u128 {
        let mut hash = Xxh3::new();
        hash.update(&scope.0);
        hash.update(&[kind.tag()]);
        hash.update(&(name.len() as u64).to_be_bytes());
        hash.update(name.as_bytes());
        hash.update(input);
        hash.digest128()
    }

    /// The id of the `occurrence`-th call (from 0) with this content.
    pub fn nth(content: u128, occurrence: u32) -> Self {
        let mut bytes = [0; 20];
        bytes[..16].copy_from_slice(&content.to_be_bytes());
        bytes[16..].copy_from_slice(&occurrence.to_be_bytes());
        Self(xxh3_128(&bytes).to_be_bytes())
    }

    /// The id of the `index`-th interrupt (from 0) raised in this scope.
    ///
    /// Questions are matched by number, as LangGraph does: a question may carry
    /// text that differs on each replay and is still the same question.
    pub fn interrupt(self, index: u32) -> InterruptId {
        let content = Self::content(self, CallKind::Interrupt, "", &index.to_be_bytes());
        InterruptId(content.to_be_bytes())
    }

    /// The slot of an interrupt among the calls of its scope.
    pub fn of_interrupt(id: InterruptId) -> Self {
        Self(id.0)
    }

    /// The scope under which the n-th attempt (from 1) of an entrypoint's body makes its calls:
    /// further attempts make calls of their own.
    #[must_use]
    pub fn of_attempt(self, attempt: u32) -> Self {
        if attempt <= 1 { self } else { Self::nth(u128::from_be_bytes(self.0), attempt) }
    }

    /// The n-th number of a random sequence that belongs to this scope.
    pub fn random(self, nth: u64) -> u64 {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&self.0);
        bytes[16..].copy_from_slice(&nth.to_be_bytes());
        // A digest of its own: sequences must not repeat ids.
        (xxh3_128(&bytes) >> 64) as u64
    }

    /// The low 64 bits, for order-independent digests of sets of calls.
    pub fn low_bits(self) -> u64 {
        let b = self.0;
        u64::from_be_bytes([b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]])
    }
}

impl OpId {
    /// A fresh id from 128 bits that the caller drew at random.
    pub fn from_random(bits: u128) -> Self {
        Self(bits.to_be_bytes())
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps an id made elsewhere.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The id as a UUID.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError::Malformed {
                    kind: stringify!($name),
                    text: text.to_owned(),
                    expected: "a UUID",
                })
            }
        }
    };
}

uuid_id! {
    /// Names one invoke, resume or retry on a thread; it has its own status and event log.
    RunId
}
uuid_id! {
    /// Names the chain of runs from an input to its final value; they share one journal.
    ///
    /// It is the id of the first of these runs.
    ExecutionId
}
uuid_id! {
    /// Names a checkpoint; ids of one thread sort by the time they were made.
    CheckpointId
}

impl From<RunId> for ExecutionId {
    fn from(run: RunId) -> Self {
        Self(run.0)
    }
}

impl ExecutionId {
    /// The execution of a step of a graph, which starts at this checkpoint.
    pub fn of_step(checkpoint: CheckpointId) -> Self {
        Self(checkpoint.0)
    }
}

impl CheckpointId {
    /// The `nth` checkpoint id made at `at` in a run: time first, so that ids sort.
    ///
    /// `nth` grows with each checkpoint of the thread, which keeps the order of two checkpoints
    /// made within one millisecond.
    pub fn at(at: Millis, nth: u64, run: RunId) -> Self {
        let tail = xxh3_128(run.0.as_bytes()).to_be_bytes();
        let mut random = [0; 10];
        // The version and the variant take the high bits of the first and the third byte.
        random[0] = ((nth >> 14) & 0x0f) as u8;
        random[1] = ((nth >> 6) & 0xff) as u8;
        random[2] = (nth & 0x3f) as u8;
        random[3..].copy_from_slice(&tail[..7]);
        Self(uuid::Builder::from_unix_timestamp_millis(at.0, &random).into_uuid())
    }

    /// The `nth` checkpoint (from 0) that a call of a child entrypoint makes. It is made of the
    /// call's id, so a replay makes it again; it does not sort by time.
    pub fn of_child(call: CallId, nth: u32) -> Self {
        let content = u128::from_be_bytes(call.0);
        Self(uuid::Builder::from_custom_bytes(CallId::nth(!content, nth).0).into_uuid())
    }
}

/// One of a fixed number of groups of threads; the unit of ownership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionId(pub u16);

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{:02}", self.0)
    }
}

/// Proof that its holder owns a partition; compared for equality by every mutating operation.
///
/// The epoch grows with each new owner. The nonce makes two owners differ even when a storage
/// that lost its newest writes hands out an epoch twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OwnerToken {
    /// Counts the owners of the partition, from 1.
    pub epoch: u64,
    /// 128 fresh random bits.
    pub nonce: u128,
}

impl fmt::Display for OwnerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:032x}", self.epoch, self.nonce)
    }
}

impl fmt::Debug for OwnerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for OwnerToken {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let parse = || {
            let (epoch, nonce) = text.split_once(':')?;
            Some(Self { epoch: epoch.parse().ok()?, nonce: u128::from_str_radix(nonce, 16).ok()? })
        };
        parse().ok_or_else(|| IdError::Malformed {
            kind: "owner token",
            text: text.to_owned(),
            expected: "`epoch:nonce`",
        })
    }
}

/// Milliseconds since the Unix epoch, always given from outside: the core reads no clock.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Millis(pub u64);

impl Millis {
    /// This time plus `delay_ms`, without overflow.
    #[must_use]
    pub fn plus(self, delay_ms: u64) -> Self {
        Self(self.0.saturating_add(delay_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_ids_are_checked() {
        assert_eq!(ThreadId::new(""), Err(IdError::Empty { kind: "thread id" }));
        assert!(ThreadId::new("é".repeat(128)).is_ok());
        assert!(ThreadId::new("x".repeat(257)).is_err());
    }

    #[test]
    fn hash_ids_survive_text_and_msgpack() {
        let id = CallId::nth(7, 3);
        assert_eq!(id.to_string().parse::<CallId>(), Ok(id));
        let bytes = rmp_serde::to_vec(&id).expect("encodes");
        assert_eq!(bytes.len(), 18, "bin8 header and 16 bytes");
        assert_eq!(rmp_serde::from_slice::<CallId>(&bytes).expect("decodes"), id);
        assert!("+1".repeat(16).parse::<CallId>().is_err());
    }

    #[test]
    fn content_separates_name_and_input() {
        let scope = CallId::from_bytes([0; 16]);
        let a = CallId::content(scope, CallKind::Task, "ab", b"c");
        let b = CallId::content(scope, CallKind::Task, "a", b"bc");
        assert_ne!(a, b);
    }

    #[test]
    fn checkpoint_ids_sort_by_time_then_number() {
        let run = RunId::from_uuid(Uuid::from_u128(1));
        let ids = [
            CheckpointId::at(Millis(5), 0, run),
            CheckpointId::at(Millis(5), 1, run),
            CheckpointId::at(Millis(5), 300, run),
            CheckpointId::at(Millis(6), 2, run),
        ];
        assert!(ids.is_sorted());
    }

    #[test]
    fn owner_tokens_survive_text() {
        let token = OwnerToken { epoch: 3, nonce: 0xabc };
        assert_eq!(token.to_string().parse::<OwnerToken>(), Ok(token));
        assert!("3".parse::<OwnerToken>().is_err());
    }
}
