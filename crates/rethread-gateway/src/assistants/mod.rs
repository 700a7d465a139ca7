//! Assistants: entrypoints with the configuration of their runs. Each entrypoint has one from the
//! start.

mod change;
mod describe;
mod known;
mod model;
mod search;

use crate::operation::{Operation, Routes};
use model::{
    Assistant, AssistantCount, AssistantCreate, AssistantGraph, AssistantLatest, AssistantPatch,
    AssistantSchemas, AssistantSearch, VersionsSearch,
};

pub(crate) use known::{is_graph, resolve};
pub(crate) use model::IfExists;

use crate::json::{Object, Partial};

const TAG: &str = "Assistants";
const ONE: &str = "/assistants/{assistant_id}";
const MISSING: &str = "There is no such assistant.";

pub(crate) fn routes() -> Routes {
    found().merge(changed()).merge(described())
}

fn found() -> Routes {
    Routes::new()
        .add(
            Operation::post("/assistants/search", "search_assistants", TAG, "Lists assistants.")
                .reads()
                .body::<AssistantSearch>()
                .json::<Vec<Partial<Assistant>>>(200, "Those that match, newest first."),
            search::search,
        )
        .add(
            Operation::post("/assistants/count", "count_assistants", TAG, "Counts assistants.")
                .reads()
                .body::<AssistantCount>()
                .json::<usize>(200, "How many match."),
            search::count,
        )
        .add(
            Operation::get(ONE, "get_assistant", TAG, "One assistant, by id or entrypoint.")
                .json::<Assistant>(200, "The assistant.")
                .fault(404, MISSING),
            search::get,
        )
        .add(
            Operation::post(
                "/assistants/{assistant_id}/versions",
                "list_assistant_versions",
                TAG,
                "The versions of an assistant.",
            )
            .reads()
            .optional_body::<VersionsSearch>()
            .json::<Vec<Assistant>>(200, "The versions, newest first.")
            .fault(404, MISSING),
            search::versions,
        )
}

fn changed() -> Routes {
    Routes::new()
        .add(
            Operation::post("/assistants", "create_assistant", TAG, "Makes an assistant.")
                .administers()
                .body::<AssistantCreate>()
                .json::<Assistant>(200, "The assistant.")
                .fault(400, "Both a context and another `config.configurable` are given.")
                .fault(404, "No coordinator knows the entrypoint.")
                .fault(409, "There is an assistant of this id."),
            change::create,
        )
        .add(
            Operation::patch(ONE, "patch_assistant", TAG, "Makes a version of an assistant.")
                .administers()
                .body::<AssistantPatch>()
                .json::<Assistant>(200, "The new version.")
                .fault(400, "Both a context and another `config.configurable` are given.")
                .fault(404, "There is no such assistant, or no such entrypoint.")
                .fault(409, "It is the assistant that another entrypoint has from the start."),
            change::patch,
        )
        .add(
            Operation::delete(ONE, "delete_assistant", TAG, "Removes an assistant.")
                .administers()
                .query::<change::DeleteQuery>()
                .empty(204, "It is gone.")
                .fault(404, MISSING)
                .fault(409, "It is the assistant that its entrypoint has from the start."),
            change::delete,
        )
        .add(
            Operation::post(
                "/assistants/{assistant_id}/latest",
                "set_latest_assistant_version",
                TAG,
                "Makes a version of an assistant the one that is used.",
            )
            .administers()
            .body::<AssistantLatest>()
            .json::<Assistant>(200, "The assistant.")
            .fault(404, "There is no such assistant, or no such version."),
            change::set_latest,
        )
}

fn described() -> Routes {
    Routes::new()
        .add(
            Operation::get(
                "/assistants/{assistant_id}/schemas",
                "get_assistant_schemas",
                TAG,
                "What the entrypoint of an assistant takes and gives.",
            )
            .json::<AssistantSchemas>(200, "JSON Schemas, as far as they are known.")
            .fault(404, MISSING),
            describe::schemas,
        )
        .add(
            Operation::get(
                "/assistants/{assistant_id}/graph",
                "get_assistant_graph",
                TAG,
                "The entrypoint of an assistant as a graph.",
            )
            .query::<describe::GraphQuery>()
            .json::<AssistantGraph>(200, "Nodes and edges.")
            .fault(404, MISSING),
            describe::graph,
        )
        .add(
            Operation::get(
                "/assistants/{assistant_id}/subgraphs",
                "get_assistant_subgraphs",
                TAG,
                "Graphs within the graph; entrypoints have none.",
            )
            .query::<describe::SubgraphsQuery>()
            .json::<Object>(200, "Nothing.")
            .fault(404, MISSING),
            describe::subgraphs,
        )
        .add(
            Operation::get(
                "/assistants/{assistant_id}/subgraphs/{namespace}",
                "get_assistant_subgraphs_by_namespace",
                TAG,
                "Graphs within a part of the graph; entrypoints have none.",
            )
            .query::<describe::SubgraphsQuery>()
            .json::<Object>(200, "Nothing.")
            .fault(404, MISSING),
            describe::subgraphs_of,
        )
}
