//! The newer protocol ("v2"): commands, and one stream of events over all runs of a thread, in
//! channels. Names are those that clients send and read, which are not those of its description.

mod channel;
mod command;
mod events;
mod messages;
mod telling;

use crate::operation::{Operation, Routes};

const TAG: &str = "Streaming";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .add(
            Operation::post(
                "/threads/{thread_id}/commands",
                "send_command",
                TAG,
                "Starts runs and answers questions.",
            )
            .body::<command::Command>()
            .json::<command::CommandAnswer>(200, "Success or error of the command.")
            .fault(400, "The body is not a command."),
            command::handle,
        )
        .add(
            Operation::post(
                "/threads/{thread_id}/stream/events",
                "stream_thread_events",
                TAG,
                "Streams what happens on a thread, which need not exist yet.",
            )
            .reads()
            .body::<channel::Subscription>()
            .events(200, "First what has happened, then what happens.")
            .fault(400, "There is no channel, or one that is not known."),
            events::stream,
        )
}
