use std::fmt;

use rethread_core::event::Refusal;
use rethread_core::graph::{GraphEdit, GraphEdited};

use crate::registry::RegistryBuilder;

/// What makes an entrypoint a graph: its body makes steps, and its state can be edited as its
/// nodes would.
pub trait Steps: fmt::Debug + Send + Sync + 'static {
    /// What an edit of its state comes to. Pure: the same for the same edit.
    ///
    /// # Errors
    /// [`Refusal::InvalidUpdate`] for an edit that cannot be made.
    fn edit(&self, edit: &GraphEdit) -> Result<GraphEdited, Refusal>;

    /// Its drawing, as it is published: a map of `nodes`, `edges` and, by node, `subgraphs`.
    #[cfg(feature = "json")]
    fn drawing(&self) -> serde_json::Value;
}

/// Code that registers as one: a graph with the tasks of its nodes and the graphs in it.
pub trait Bundle {
    /// Adds its parts.
    #[must_use]
    fn add_to(&self, registry: RegistryBuilder) -> RegistryBuilder;
}
