//! Rare states that the seeds must reach.

macro_rules! goals {
    ($($(#[$doc:meta])* $goal:ident = $name:literal,)*) => {
        /// A rare state.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Goal {
            $($(#[$doc])* $goal,)*
        }

        impl Goal {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$goal),*];

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$goal => $name,)*
                }
            }
        }
    };
}

goals! {
    /// Another owner commits.
    Takeover = "takeover",
    /// A commit was refused since the partition has another owner.
    FencedCommit = "fenced commit",
    /// The same commit came again.
    CommitRepeated = "commit repeated",
    /// A mutating request whose outcome the caller does not know.
    UnknownOutcome = "unknown outcome",
    /// A worker was given an order of a dead one.
    OrderReclaimed = "reclaimed order",
    /// A worker handed an order in that is not its own any more.
    LateReportRefused = "late report refused",
    /// A worker was told that an order is not its own.
    ConfirmRefused = "confirm refused",
    /// Orders were handed back by a worker that left.
    HandedBack = "hand-back at drain",
    /// A node was drained.
    Drained = "drain",
    /// A node crashed.
    Crashed = "crash",
    /// A node stood still for some time.
    Paused = "pause",
    /// A node was cut off.
    Cut = "cut",
    /// The storage had no room.
    Full = "storage full",
    /// The storage was restarted with all it had.
    StoreRestarted = "storage restarted",
    /// The storage was put back to an earlier state.
    RolledBack = "rollback",
    /// An owner noticed that.
    RollbackNoticed = "rollback noticed",
    /// Leases were deleted.
    LeasesLost = "leases deleted",
    /// An order was lost from its queue.
    OrderLost = "order lost",
    /// Mail to a worker was lost.
    MailLost = "mail lost",
    /// A thread was loaded.
    ThreadLoaded = "thread loaded",
    /// A run waited for people.
    Interrupted = "interrupted",
    /// A run failed and was tried again.
    Retried = "run retried",
    /// Equal answers were given twice, one was refused or joined.
    AnsweredTwice = "answered twice",
    /// An answer was given to a run in progress.
    Joined = "answer joined",
    /// A run was cancelled.
    Cancelled = "cancelled run",
    /// A body was cancelled.
    BodyCancelled = "cancelled body",
    /// Orders were taken back.
    OrdersWithdrawn = "orders withdrawn",
    /// A task waited for people and gave its slot up.
    SlotGivenUp = "suspended task",
    /// A dead letter was written.
    DeadLetter = "dead letter",
    /// A second run was refused.
    Rejected = "second run rejected",
    /// A second run waited.
    Enqueued = "second run enqueued",
    /// A second run ended the first.
    InterruptedBySecond = "second run interrupted the first",
    /// A second run took the first back.
    RolledBackBySecond = "second run rolled the first back",
    /// An order that was lost was made again.
    Repaired = "repair",
    /// A partition was given up so that all nodes have their share.
    Rebalanced = "rebalance",
    /// A thread was removed.
    Deleted = "thread deleted",
    /// A task was given up because no worker survived it.
    Poisoned = "poison",
    /// Nodes of a graph ran beside each other.
    NodesBeside = "graph: nodes beside each other",
    /// A graph asked people.
    GraphAsked = "graph: question",
    /// A graph in a graph did, or what its nodes had called.
    InnerGraphAsked = "graph: question further inside",
    /// A graph paused at a breakpoint.
    GraphPaused = "graph: breakpoint",
    /// A step of a graph failed and was tried again in a further run.
    GraphRetried = "graph: step tried again",
    /// A graph was cancelled and went on.
    GraphCancelled = "graph: cancelled",
    /// A second run took back one of a graph.
    GraphRolledBack = "graph: rolled back",
    /// A graph in a graph made a step.
    InnerStep = "graph: step of an inner graph",
    /// Another owner made the next step of a run.
    StepTakenOver = "graph: next step by another owner",
    /// Deliveries of a lost connection were given again.
    DeliveryLost = "lost delivery found again",
}
