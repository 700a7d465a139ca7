//! The operations of a sequence, as data.
//!
//! What an operation needs of an earlier answer (a lease, a receipt, a cursor) is named by how
//! long ago it came: so a sequence stays meaningful when operations are left out of it.

/// How many of such things ago.
pub(super) type Ago = usize;

/// Makes each value of a sequence another one.
pub(super) type Label = u32;

/// One call of the port.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Acquire {
        partition: u16,
        node: u8,
        lasts: bool,
    },
    Renew {
        leases: Vec<Ago>,
        lasts: bool,
    },
    Release {
        lease: Ago,
    },
    Announce {
        node: u8,
        lasts: bool,
    },
    WithdrawNode {
        node: u8,
    },
    Submit {
        partition: u16,
        op: u8,
        message: Label,
    },
    Read {
        partition: u16,
        after: Option<Ago>,
        max: usize,
    },
    Commit {
        lease: Ago,
        skew: i64,
        change: Box<Change>,
    },
    RepeatCommit,
    Load {
        partition: u16,
        thread: u8,
    },
    ReadHeader {
        partition: u16,
        thread: u8,
    },
    ReadCheckpoint {
        partition: u16,
        thread: u8,
        checkpoint: u8,
    },
    ListCheckpoints {
        partition: u16,
        thread: u8,
        before: Option<u8>,
        max: usize,
    },
    ReadEvents {
        partition: u16,
        run: u8,
        after: u64,
        max: usize,
    },
    Fetch {
        worker: u8,
        partition: u16,
        queue: u8,
        max: usize,
    },
    FetchAll {
        worker: u8,
    },
    HandIn {
        stranger: bool,
        parts: Vec<Part>,
    },
    Heartbeat {
        worker: u8,
    },
    Reclaim {
        worker: u8,
        partition: u16,
        queue: u8,
        by_silence: bool,
    },
    Confirm {
        worker: u8,
        receipts: Vec<Ago>,
    },
    /// Followed by a fetch of all by another: where orders that are put back stand differs.
    Retire {
        worker: u8,
        heir: u8,
        all: bool,
    },
    Describe {
        worker: u8,
        description: Label,
    },
    RemoveLetter {
        partition: u16,
        letter: Ago,
    },
    ListLetters {
        partition: u16,
        after: Option<Ago>,
        max: usize,
    },
    LookUp {
        key: u8,
        holder: u8,
    },
    Fill {
        key: u8,
        value: Label,
        life: Life,
    },
    Abandon {
        key: u8,
        holder: u8,
    },
    Clear {
        group: Option<u8>,
    },
    PutItem {
        item: u8,
        record: Label,
        life: Life,
    },
    ReadItem {
        item: u8,
    },
    DeleteItem {
        item: u8,
    },
    TouchItem {
        item: u8,
        lasts: bool,
    },
    ScanItems {
        prefix: u8,
        after: Option<u8>,
        max: usize,
    },
    Namespaces {
        prefix: u8,
    },
    Look {
        partition: u16,
    },
}

/// How long a value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Endless,
    Long,
    Over,
}

/// A part of what is handed in.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// None: one without a receipt.
    pub(super) receipt: Option<Ago>,
    pub(super) partition: u16,
    pub(super) messages: Vec<Label>,
}

/// What a commit changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    pub(super) consumed: Option<Ago>,
    pub(super) consumed_beyond: Vec<Ago>,
    pub(super) threads: Vec<ThreadChange>,
    pub(super) withdrawn: Vec<u8>,
    /// Queue, group and record.
    pub(super) orders: Vec<(u8, u8, Label)>,
    pub(super) dead_letters: Vec<Label>,
}

/// What a commit changes of a thread.
#[derive(Debug, Clone)]
pub(super) struct ThreadChange {
    pub(super) thread: u8,
    pub(super) delete: bool,
    pub(super) header: Option<Label>,
    /// None: kept; else whether it is replaced, and the entries.
    pub(super) journal: Option<(bool, Vec<Label>)>,
    pub(super) checkpoints: Vec<(u8, Label)>,
    pub(super) drop_checkpoints: Vec<u8>,
    pub(super) base: Option<u8>,
    /// Run, how many, whether it ends.
    pub(super) events: Vec<(u8, usize, bool)>,
    /// None: kept; some none: parked.
    pub(super) activity: Option<Option<u64>>,
    /// None: appends the label; else a count, and whether so many are dropped, or the one behind
    /// so many.
    pub(super) waiting: Vec<(Label, Option<(usize, bool)>)>,
}
