//! Threads: what the engine knows of them, and what the gateway keeps besides.

mod busy;
mod change;
mod copy;
mod expiry;
mod known;
mod look;
mod model;
mod prune;
mod remove;
mod search;

use crate::json::Partial;
use crate::operation::{Operation, Routes};
use model::{
    PruneRequest, Pruned, Thread, ThreadCount, ThreadCreate, ThreadPatch, ThreadQuery, ThreadSearch,
};

pub(crate) use busy::{active_runs, note_end};
pub(crate) use expiry::sweep;
#[cfg(test)]
pub(crate) use expiry::sweep_once;
pub(crate) use known::require;
pub(crate) use remove::remove_those_of;

const TAG: &str = "Threads";
const ONE: &str = "/threads/{thread_id}";
const MISSING: &str = "There is no such thread.";

pub(crate) fn routes() -> Routes {
    single().merge(several())
}

fn single() -> Routes {
    Routes::new()
        .add(
            Operation::post("/threads", "create_thread", TAG, "Makes a thread.")
                .optional_body::<ThreadCreate>()
                .json::<Thread>(200, "The thread.")
                .fault(400, "Its steps cannot be laid out.")
                .fault(409, "There is a thread of this id."),
            change::create,
        )
        .add(
            Operation::get(ONE, "get_thread", TAG, "One thread.")
                .query::<ThreadQuery>()
                .json::<Thread>(200, "The thread.")
                .fault(404, MISSING),
            change::get,
        )
        .add(
            Operation::patch(ONE, "patch_thread", TAG, "Adds to the metadata of a thread.")
                .body::<ThreadPatch>()
                .json::<Thread>(200, "The thread.")
                .empty(204, "Done, and `Prefer: return=minimal` was asked for.")
                .fault(404, MISSING),
            change::patch,
        )
        .add(
            Operation::delete(ONE, "delete_thread", TAG, "Stops a thread and removes it.")
                .empty(204, "It is gone.")
                .fault(404, MISSING)
                .fault(409, "Others start runs on it all the time."),
            remove::delete,
        )
        .add(
            Operation::post(
                "/threads/{thread_id}/copy",
                "copy_thread",
                TAG,
                "Copies a thread with its history.",
            )
            .json::<Thread>(200, "The copy.")
            .fault(404, MISSING)
            .fault(409, "A run is in progress."),
            copy::copy,
        )
}

fn several() -> Routes {
    Routes::new()
        .add(
            Operation::post("/threads/search", "search_threads", TAG, "Lists threads.")
                .reads()
                .body::<ThreadSearch>()
                .json::<Vec<Partial<Thread>>>(200, "Those that match, newest first."),
            search::search,
        )
        .add(
            Operation::post("/threads/count", "count_threads", TAG, "Counts threads.")
                .reads()
                .body::<ThreadCount>()
                .json::<usize>(200, "How many match."),
            search::count,
        )
        .add(
            Operation::post("/threads/prune", "prune_threads", TAG, "Removes threads or history.")
                .body::<PruneRequest>()
                .json::<Pruned>(200, "What was done.")
                .fault(409, "A run is in progress."),
            prune::prune,
        )
}
