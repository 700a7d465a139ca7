//! All operations.

use crate::operation::Routes;
use crate::{assistants, crons, meta, protocol, runs, state, store, thread_stream, threads};

/// Every operation of the API, in the order of the document.
pub(crate) fn all() -> Routes {
    Routes::new()
        .merge(meta::routes())
        .merge(assistants::routes())
        .merge(threads::routes())
        .merge(runs::routes())
        .merge(thread_stream::routes())
        .merge(protocol::routes())
        .merge(crons::routes())
        .merge(state::routes())
        .merge(store::routes())
}
