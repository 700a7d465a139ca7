//! Graphs without an engine: what builders refuse, and drawings.

extern crate rethread_graph as rethread;

mod building;
mod drawing;
mod driver;
mod states;
mod steps;
mod typed;
