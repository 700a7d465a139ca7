/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// Rethread in one process, each group of writes synced to disk.
    Embedded,
    /// Rethread on Redis: a coordinator, two workers and a client.
    Redis,
    LangGraphSqlite,
    LangGraphPostgres,
    Restate,
    /// Restate with fewer partitions.
    RestateTuned,
    BullMq,
    Apalis,
}

impl Engine {
    pub(super) const ALL: [Self; 8] = [
        Self::Embedded,
        Self::Redis,
        Self::LangGraphSqlite,
        Self::LangGraphPostgres,
        Self::Restate,
        Self::RestateTuned,
        Self::BullMq,
        Self::Apalis,
    ];

    /// The name in its lines.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Redis => "redis",
            Self::LangGraphSqlite => "langgraph-sqlite",
            Self::LangGraphPostgres => "langgraph-postgres",
            Self::Restate => "restate",
            Self::RestateTuned => "restate-tuned",
            Self::BullMq => "bullmq",
            Self::Apalis => "apalis",
        }
    }

    pub(super) fn is_rethread(self) -> bool {
        matches!(self, Self::Embedded | Self::Redis)
    }

    pub(super) fn is_langgraph(self) -> bool {
        matches!(self, Self::LangGraphSqlite | Self::LangGraphPostgres)
    }

    pub(super) fn is_restate(self) -> bool {
        matches!(self, Self::Restate | Self::RestateTuned)
    }

    /// Whether it has the notion: a job queue has no runs that wait for an answer and are
    /// replayed.
    pub(super) fn has(self, workload: &str) -> bool {
        let is_queue = matches!(self, Self::BullMq | Self::Apalis);
        !(is_queue && matches!(workload, "resume" | "replay"))
    }

    /// Whether a long workload takes it so long that once must do.
    pub(super) fn is_slow(self) -> bool {
        self.is_langgraph()
    }
}
