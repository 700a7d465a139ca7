//! Graphs on the engine in one process: from the builder to what callers see.

mod inline;
mod nodes;
mod rollback;
mod runs;
mod subgraphs;
mod support;
