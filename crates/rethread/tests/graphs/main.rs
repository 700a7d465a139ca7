//! Graphs on the engine in one process: from the builder to what callers see.

mod nodes;
mod runs;
mod subgraphs;
mod support;
