//! Ids as clients know them.

use rethread_client::{CallId, RunId};
use uuid::Uuid;

/// The namespace of the ids that are made of names.
const NAMES: Uuid = Uuid::from_u128(0x6ba7_b821_9dad_11d1_80b4_00c0_4fd4_30c8);

/// The id of the assistant that every entrypoint has, the same on each gateway for ever.
pub(crate) fn assistant_of(graph: &str) -> Uuid {
    Uuid::new_v5(&NAMES, graph.as_bytes())
}

/// The id that a call has as a task of a state or of a stream.
pub(crate) fn task(call: CallId) -> Uuid {
    uuid::Builder::from_custom_bytes(*call.as_bytes()).into_uuid()
}

/// A run that a request names.
pub(crate) fn run(id: Uuid) -> RunId {
    RunId::from_uuid(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assistant_of_a_graph_has_the_id_that_other_servers_give_it() {
        let id = assistant_of("agent").to_string();
        assert_eq!(id, "fe096781-5601-53d2-b2f6-0d3403f7e9ca");
    }
}
