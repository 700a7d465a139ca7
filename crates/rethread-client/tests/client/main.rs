//! The client against the memory storage, with a coordinator that follows a script.

mod admin;
mod blocking;
mod commands;
mod coordinator;
mod edits;
mod ephemeral;
mod faults;
mod faulty;
mod graph_states;
mod graph_streams;
mod graphs;
mod hints;
mod histories;
mod readers;
mod requests;
mod runs;
mod shown;
mod states;
mod store;
mod streams;
mod subgraphs;
