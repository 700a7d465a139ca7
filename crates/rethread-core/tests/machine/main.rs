//! The thread machine in a world of plain data.

mod attempts;
mod came_apart;
mod crash_points;
mod damaged;
mod determinism;
mod emitted;
mod graph_children;
mod graph_edits;
mod graph_rollback;
mod graph_stops;
mod graphs;
mod inline;
mod lost;
mod mixtures;
mod multitask;
mod nested;
mod policies;
mod recovery;
mod reopened;
mod support;
mod threads;
mod travel;
