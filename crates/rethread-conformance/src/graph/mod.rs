//! Graphs of cases.

mod bodies;
mod build;
mod spec;

pub(crate) use self::bodies::destinations;
pub(crate) use self::build::{BuiltGraph, Graphs};
pub(crate) use self::spec::GraphSpec;
