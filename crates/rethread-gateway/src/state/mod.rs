//! States of threads: the newest, older ones, and edits.

mod edit;
mod history;
mod model;
mod read;

use crate::operation::{Operation, Routes};
use edit::StateUpdate;
use history::{HistoryQueryString, HistoryRequest};
use model::{StateEdited, ThreadState};
use read::{AtCheckpoint, StateQuery};

pub(crate) use edit::Edit;
pub(crate) use model::{CheckpointGiven, Question, source_name, task_id};

const TAG: &str = "State";
const STATE: &str = "/threads/{thread_id}/state";
const HISTORY: &str = "/threads/{thread_id}/history";
const MISSING: &str = "There is no such thread.";
const NO_CHECKPOINT: &str = "There is no such thread, or it has no such checkpoint.";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .add(
            Operation::get(STATE, "get_state", TAG, "The state of a thread.")
                .query::<StateQuery>()
                .json::<ThreadState>(200, "The newest state.")
                .fault(404, MISSING),
            read::newest,
        )
        .add(
            Operation::get(
                "/threads/{thread_id}/state/{checkpoint_id}",
                "get_state_at_checkpoint",
                TAG,
                "A state of a thread.",
            )
            .query::<StateQuery>()
            .json::<ThreadState>(200, "The state at the checkpoint.")
            .fault(404, NO_CHECKPOINT),
            read::at,
        )
        .add(
            Operation::post(
                "/threads/{thread_id}/state/checkpoint",
                "post_state_at_checkpoint",
                TAG,
                "A state of a thread.",
            )
            .reads()
            .body::<AtCheckpoint>()
            .json::<ThreadState>(200, "The state at the checkpoint, by default the newest.")
            .fault(404, NO_CHECKPOINT),
            read::at_given,
        )
        .add(
            Operation::post(STATE, "update_state", TAG, "Edits the state of a thread.")
                .body::<StateUpdate>()
                .json::<StateEdited>(200, "The checkpoint that was made.")
                .fault(400, "The thread never ran, or cannot be edited so.")
                .fault(404, NO_CHECKPOINT)
                .fault(409, "A run is in progress."),
            edit::update,
        )
        .add(
            Operation::get(HISTORY, "get_history", TAG, "The states of a thread.")
                .query::<HistoryQueryString>()
                .json::<Vec<ThreadState>>(200, "States, newest first.")
                .fault(404, MISSING),
            history::get,
        )
        .add(
            Operation::post(HISTORY, "post_history", TAG, "The states of a thread.")
                .reads()
                .optional_body::<HistoryRequest>()
                .json::<Vec<ThreadState>>(200, "States, newest first.")
                .fault(404, MISSING),
            history::post,
        )
}
