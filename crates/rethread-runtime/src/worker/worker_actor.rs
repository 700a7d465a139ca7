use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::JoinSet;

use crate::worker::attempt;
use crate::worker::side::{Assignment, Stage, WorkerSide};
use crate::worker::slots::Slot;

/// Runs bodies, each in a task of its own.
#[derive(Debug)]
pub(super) struct WorkerActor;

/// Mail of a [`WorkerActor`].
#[derive(Debug)]
pub(super) enum WorkerMessage {
    /// Run an order; the slot is free again when it is dropped.
    Run(Assignment, Slot),
}

pub(super) struct WorkerState {
    side: Arc<WorkerSide>,
    attempts: JoinSet<()>,
}

impl Actor for WorkerActor {
    type Msg = WorkerMessage;
    type State = WorkerState;
    type Arguments = Arc<WorkerSide>;

    async fn pre_start(
        &self,
        _myself: ActorRef<WorkerMessage>,
        side: Arc<WorkerSide>,
    ) -> Result<WorkerState, ActorProcessingErr> {
        Ok(WorkerState { side, attempts: JoinSet::new() })
    }

    async fn handle(
        &self,
        _myself: ActorRef<WorkerMessage>,
        message: WorkerMessage,
        state: &mut WorkerState,
    ) -> Result<(), ActorProcessingErr> {
        while let Some(ended) = state.attempts.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "an attempt ended without a report");
            }
        }
        let WorkerMessage::Run(assignment, slot) = message;
        let side = Arc::clone(&state.side);
        state.attempts.spawn(async move {
            tokio::select! {
                biased;
                () = side.reached(Stage::Killed) => {}
                () = attempt::run(&side, assignment, slot) => {}
            }
        });
        Ok(())
    }
}

impl Drop for WorkerState {
    fn drop(&mut self) {
        // Aborting them would leave their orders with a worker that lives: nobody would run them
        // again. They end by themselves, or with the process.
        self.attempts.detach_all();
    }
}
