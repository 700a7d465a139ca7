//! Runs: on a thread, or alone. What becomes of them is read from the engine; what the gateway
//! keeps of a run is the request and, once it is seen, the end.

mod cancel;
mod create;
mod ended;
mod ending;
mod later;
mod look;
mod model;
mod multitask;
mod order;
mod query;
mod read;
mod start;
mod watch;

use crate::json::{Partial, Several};
use crate::operation::{Operation, Routes};
use query::{BulkQuery, CancelQuery, JoinQuery, RunsCancel, RunsQuery, StreamQuery};

pub(crate) use create::{Place, create};
#[cfg(test)]
pub(crate) use ended::Ends;
pub(crate) use ended::sweep as sweep_ended;
pub(crate) use ending::{Ending, RunName, result};
#[cfg(test)]
pub(crate) use later::sweep_delayed;
pub(crate) use later::{DelayedRun, PassingRun, drop_delayed, sweep, sweep_passed};
pub(crate) use model::{Run, RunCreate};
pub(crate) use read::{last_event_id, made_with, now};
pub(crate) use watch::Watch;

const TAG: &str = "Thread Runs";
const ALONE: &str = "Stateless Runs";
const RUNS: &str = "/threads/{thread_id}/runs";
const RUN: &str = "/threads/{thread_id}/runs/{run_id}";
const MISSING: &str = "There is no such run.";
const NO_THREAD: &str = "There is no such thread or assistant.";
const NO_ASSISTANT: &str = "There is no such assistant.";
const BUSY: &str = "A run is in progress, and the strategy is `reject`.";
const BOTH: &str = "Both a context and another `config.configurable` are given.";
const EVENTS: &str = "What happens in the run.";
const OUTCOME: &str = "The result, the questions or the error.";

pub(crate) fn routes() -> Routes {
    made().merge(looked_at()).merge(stopped()).merge(alone())
}

fn made() -> Routes {
    let create = |path, id, summary| {
        Operation::post(path, id, TAG, summary)
            .body::<RunCreate>()
            .fault(400, BOTH)
            .fault(404, NO_THREAD)
            .fault(409, BUSY)
    };
    Routes::new()
        .add(
            create(RUNS, "create_run", "Makes a run, and goes on without waiting for it.")
                .json::<Run>(200, "The run."),
            start::create_one,
        )
        .add(
            create("/threads/{thread_id}/runs/stream", "stream_run", "Makes a run and streams it.")
                .events(200, EVENTS),
            start::create_and_stream,
        )
        .add(
            create("/threads/{thread_id}/runs/wait", "wait_run", "Makes a run and waits for it.")
                .json::<serde_json::Value>(200, OUTCOME),
            start::create_and_wait,
        )
}

fn looked_at() -> Routes {
    Routes::new()
        .add(
            Operation::get(RUNS, "list_runs", TAG, "Lists the runs of a thread.")
                .query::<RunsQuery>()
                .json::<Vec<Partial<Run>>>(200, "The runs, newest first.")
                .fault(404, "There is no such thread."),
            look::list,
        )
        .add(
            Operation::get(RUN, "get_run", TAG, "One run.")
                .json::<Run>(200, "The run.")
                .fault(404, MISSING),
            look::get,
        )
        .add(
            Operation::get(
                "/threads/{thread_id}/runs/{run_id}/join",
                "join_run",
                TAG,
                "Waits for a run.",
            )
            .query::<JoinQuery>()
            .json::<serde_json::Value>(200, OUTCOME)
            .fault(404, MISSING),
            read::join,
        )
        .add(
            Operation::get(
                "/threads/{thread_id}/runs/{run_id}/stream",
                "join_run_stream",
                TAG,
                "Streams a run, with `Last-Event-ID` from behind that event.",
            )
            .query::<StreamQuery>()
            .events(200, EVENTS),
            read::stream_on,
        )
}

fn stopped() -> Routes {
    Routes::new()
        .add(
            Operation::delete(RUN, "delete_run", TAG, "Stops a run and removes its record.")
                .empty(204, "It is gone.")
                .fault(404, MISSING),
            cancel::delete,
        )
        .add(
            Operation::post(
                "/threads/{thread_id}/runs/{run_id}/cancel",
                "cancel_run",
                TAG,
                "Stops a run.",
            )
            .query::<CancelQuery>()
            .json::<serde_json::Map<String, serde_json::Value>>(200, "It is over (`wait=1`).")
            .empty(202, "It is stopped.")
            .fault(404, "There is no such run, or it is over already."),
            cancel::cancel,
        )
        .add(
            Operation::post("/runs/cancel", "cancel_runs", TAG, "Stops runs.")
                .query::<BulkQuery>()
                .optional_body::<RunsCancel>()
                .empty(204, "They are stopped.")
                .fault(404, "No runs in progress match."),
            cancel::cancel_several,
        )
}

fn alone() -> Routes {
    let create = |path, id, summary| {
        Operation::post(path, id, ALONE, summary)
            .body::<RunCreate>()
            .fault(400, BOTH)
            .fault(404, NO_ASSISTANT)
    };
    Routes::new()
        .add(
            create("/runs", "create_stateless_run", "Makes a run that has no thread.")
                .json::<Run>(200, "The run."),
            start::create_one,
        )
        .add(
            create("/runs/stream", "stream_stateless_run", "Makes a run and streams it.")
                .events(200, EVENTS),
            start::create_and_stream,
        )
        .add(
            create("/runs/wait", "wait_stateless_run", "Makes a run and waits for it.")
                .json::<serde_json::Value>(200, OUTCOME),
            start::create_and_wait,
        )
        .add(
            Operation::get(
                "/runs/{run_id}/stream",
                "join_stateless_run_stream",
                ALONE,
                "Streams a run, with `Last-Event-ID` from behind that event.",
            )
            .query::<StreamQuery>()
            .events(200, EVENTS),
            read::stream_alone,
        )
        .add(
            Operation::post("/runs/batch", "create_run_batch", ALONE, "Makes several runs.")
                .body::<Several<RunCreate>>()
                .json::<Vec<Run>>(200, "The runs.")
                .fault(400, BOTH)
                .fault(404, NO_ASSISTANT),
            start::create_batch,
        )
}
