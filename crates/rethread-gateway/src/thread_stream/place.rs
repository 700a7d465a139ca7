use rethread_client::{CheckpointId, Event, EventKind, Millis};
use uuid::Uuid;

/// Bits of the id of a run that name it among those that began in the same millisecond.
const RUN_BITS: u32 = 20;

/// Where a run stands among those of its thread, of which one goes at a time. It is the same for
/// each reader, now and later. Within a run, the numbers of its events tell the order; no time does,
/// which may jump when another coordinator takes the thread over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// When it began.
    pub(crate) began: Millis,
    /// The checkpoint that it works on: they are counted, so they sort runs of the same millisecond.
    checkpoint: Option<CheckpointId>,
    /// When it was asked for, as far as that is known.
    asked: Millis,
    run: Uuid,
}

impl Place {
    pub(super) fn new(run: Uuid, asked: Millis, first: &Event) -> Self {
        let checkpoint = match &first.kind {
            EventKind::RunStarted { checkpoint, .. } => Some(*checkpoint),
            _ => None,
        };
        Self { began: first.at, checkpoint, asked, run }
    }
}

/// Names a run among those that began at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunMark {
    Whole(Uuid),
    /// By the last bits of its id.
    Bits(u64),
}

impl RunMark {
    pub(super) fn names(self, run: Uuid) -> bool {
        match self {
            Self::Whole(marked) => run == marked,
            Self::Bits(marked) => bits_of(run) == marked,
        }
    }
}

fn bits_of(run: Uuid) -> u64 {
    run.as_u64_pair().1 & ((1 << RUN_BITS) - 1)
}

/// A number for something in a run, by its own number there.
pub(super) fn with_run(run: Uuid, sequence: u64) -> u64 {
    (sequence << RUN_BITS) | bits_of(run)
}

/// The run and the number in it.
pub(super) fn of_run(number: u64) -> (RunMark, u64) {
    (RunMark::Bits(number & ((1 << RUN_BITS) - 1)), number >> RUN_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_tell_the_run() {
        let (run, other) = (Uuid::from_u128(0x1234_5678), Uuid::from_u128(0x1234_5679));
        let (mark, sequence) = of_run(with_run(run, 77 << 16));
        assert_eq!(sequence, 77 << 16);
        assert!(mark.names(run) && !mark.names(other));
        assert!(RunMark::Whole(run).names(run) && !RunMark::Whole(run).names(other));
    }

    #[test]
    fn runs_of_the_same_millisecond_stand_in_the_order_of_their_checkpoints() {
        let engine_run = rethread_client::RunId::from_uuid(Uuid::nil());
        let checkpoint = |made| CheckpointId::at(Millis(5), made, engine_run);
        let place = |began, made, run| {
            let (began, run) = (Millis(began), Uuid::from_u128(run));
            Place { began, checkpoint: Some(checkpoint(made)), asked: Millis(0), run }
        };
        assert!([place(5, 1, 9), place(5, 2, 1), place(6, 0, 0)].is_sorted());
    }
}
