//! The kinds of faults.

use clap::ValueEnum;

use super::Role;

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FaultKind {
    /// SIGKILL of a worker.
    KillWorker,
    /// SIGKILL of a coordinator.
    KillCoordinator,
    /// A worker sleeps for longer than it may be silent, then goes on.
    StopWorker,
    /// A coordinator sleeps beyond its leases, then goes on.
    StopCoordinator,
    /// A worker drains and is started again.
    TermWorker,
    /// A coordinator hands over and is started again.
    TermCoordinator,
    /// A worker joins, or drains and leaves for long.
    ScaleWorkers,
    /// A coordinator joins, or hands over and leaves for long.
    ScaleCoordinators,
    /// Every process is restarted in order, one after the other.
    RollingRestart,
    /// SIGKILL of the server, which starts again from its append-only file.
    KillRedis,
    /// The server closes the connections of all clients.
    KillClients,
    /// The server answers nobody for a while.
    PauseClients,
    /// The server forgets all scripts.
    FlushScripts,
    /// All leases are deleted.
    DropLeases,
    /// An order disappears from its queue.
    LoseOrder,
    /// Bytes that nobody wrote appear in an inbox and in a queue.
    Garbage,
    /// What a link carries arrives late.
    DelayLink,
    /// A link carries 64 KiB a second.
    LimitLink,
    /// Connections of a link are closed.
    CutLink,
    /// Connections of a link are closed in the middle of what they carry.
    CutMidFrame,
    /// What a link carries arrives when the fault is over.
    HoldLink,
    /// The same for requests only.
    HoldRequests,
    /// The same for answers only.
    HoldAnswers,
    /// A link takes everything and carries nothing; then its connections are closed.
    BlackHole,
    /// Requests have their effect, their answers are lost.
    SwallowAnswers,
}

/// What a kind of fault is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// A process of this role.
    Process(Role),
    /// A process of this role, or the place of one.
    Place(Role),
    /// The link of a process or of the driver.
    Link,
    /// The server.
    Server,
    /// Every process.
    All,
}

impl FaultKind {
    /// All kinds that are made when none are named.
    pub(crate) fn all() -> Vec<Self> {
        Self::value_variants().to_vec()
    }

    /// Its name in histories and on the command line.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    pub(super) fn aim(self) -> Aim {
        match self {
            Self::KillWorker | Self::StopWorker | Self::TermWorker => Aim::Process(Role::Worker),
            Self::KillCoordinator | Self::StopCoordinator | Self::TermCoordinator => {
                Aim::Process(Role::Coordinator)
            }
            Self::ScaleWorkers => Aim::Place(Role::Worker),
            Self::ScaleCoordinators => Aim::Place(Role::Coordinator),
            Self::RollingRestart => Aim::All,
            Self::KillRedis
            | Self::KillClients
            | Self::PauseClients
            | Self::FlushScripts
            | Self::DropLeases
            | Self::LoseOrder
            | Self::Garbage => Aim::Server,
            Self::DelayLink
            | Self::LimitLink
            | Self::CutLink
            | Self::CutMidFrame
            | Self::HoldLink
            | Self::HoldRequests
            | Self::HoldAnswers
            | Self::BlackHole
            | Self::SwallowAnswers => Aim::Link,
        }
    }
}
