//! Graphs: nodes that share a state, played step by step.
//!
//! A [`StateGraph`] has *fields* that all nodes read and write, *nodes* (async functions from the
//! state to an update of it) and *edges*. All nodes of a step run at the same time, on workers;
//! when all have ended, their updates are put together by the reducers of the fields, a
//! checkpoint is made, and the edges tell which nodes run next.
//!
//! A graph is run, served, watched, resumed and edited as an entrypoint is, and the two call each
//! other: nodes may call tasks, entrypoints and graphs, and all of these may call graphs.
//!
//! | to | use |
//! |---|---|
//! | build a graph | [`StateGraph`], [`State`], [`Node`], [`Branch`], [`START`], [`END`] |
//! | go somewhere from inside a node | [`Command`], [`Send`] |
//! | put messages together | [`Message`], [`MessagesState`], [`add_messages`] |
//! | draw it | [`Drawing`] |
//! | build a graph whose fields are known at run time only | [`Field`], [`Reducer`], [`Values`] |
//!
//! Import [`Send`] by its name: a glob import of this crate hides the `Send` of std.
//!
//! How it works: `play` is the body of a graph, which plays one step each time the engine begins
//! it; `point` is what a step leaves for the next one; `update` puts updates together; `run` is
//! what a worker does for a node, or the coordinator for one that is inline.

mod branch;
mod command;
mod compiled;
mod draw;
mod edit;
mod error;
mod field_type;
mod graph;
mod ids;
mod managed;
mod mermaid;
mod message;
mod message_form;
mod messages;
mod node;
mod node_fn;
mod number;
mod play;
mod point;
mod recorded;
mod reducer;
mod route;
mod run;
mod schema;
mod state;
mod state_graph;
mod step;
mod topology;
mod tree;
mod update;
mod validate;
mod values;

#[doc(hidden)]
pub mod __private;
#[doc(hidden)]
pub use crate::__private as __graph;

pub use branch::{Branch, IntoBranch, PathFn};
pub use command::{Command, Goto, IntoNodeOutput, Send};
pub use draw::{Drawing, DrawnEdge, DrawnNode};
pub use error::GraphError;
pub use graph::Graph;
pub use message::{
    Content, Message, Messages, MessagesState, MessagesStateUpdate, ToolCall, add_messages,
};
pub use messages::REMOVE_ALL_MESSAGES;
pub use node::{IntoNode, Node, NodeError};
pub use node_fn::NodeFn;
pub use reducer::{OwnReducer, Reducer};
pub use route::{IntoRoutes, Route, Way};
pub use schema::Field;
pub use state::{Change, GraphState, NodeInput, Overwrite, Sent, State, Update};
pub use state_graph::StateGraph;
pub use values::Values;

pub use rethread_core::graph::START;
pub use rethread_macros::{Route, State};

/// Where a graph ends.
pub const END: &str = "__end__";
