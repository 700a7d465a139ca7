//! All runs of a thread, one after the other, as they go.

mod feed;
mod handler;
mod place;
mod reader;
mod roster;

use crate::operation::{Operation, Routes};

pub(crate) use feed::{Feed, Start};
pub(crate) use place::RunMark;
pub(crate) use roster::Rosters;

pub(crate) fn routes() -> Routes {
    Routes::new().add(
        Operation::get(
            "/threads/{thread_id}/stream",
            "stream_thread",
            "Threads",
            "Streams the runs of a thread, with `Last-Event-ID` from behind that event.",
        )
        .query::<handler::ThreadStreamQuery>()
        .events(200, "What happens in the runs.")
        .fault(404, "There is no such thread."),
        handler::stream,
    )
}
