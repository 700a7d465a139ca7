//! The pages of the guide, so that what they show is compiled and run by `cargo test --doc`.

#[doc = include_str!("../../docs/guide/agents.md")]
struct Agents;

#[doc = include_str!("../../docs/guide/cache.md")]
struct Cache;

#[doc = include_str!("../../docs/guide/child-entrypoints.md")]
struct ChildEntrypoints;

#[doc = include_str!("../../docs/guide/choosing.md")]
struct Choosing;

#[doc = include_str!("../../docs/guide/concurrent-runs.md")]
struct ConcurrentRuns;

#[doc = include_str!("../../docs/guide/context.md")]
struct Context;

#[doc = include_str!("../../docs/guide/determinism.md")]
struct Determinism;

#[doc = include_str!("../../docs/guide/errors.md")]
struct Errors;

#[doc = include_str!("../../docs/guide/graph-state.md")]
struct GraphState;

#[doc = include_str!("../../docs/guide/graphs.md")]
struct Graphs;

#[doc = include_str!("../../docs/guide/interrupts.md")]
struct Interrupts;

#[doc = include_str!("../../docs/guide/memory.md")]
struct Memory;

#[doc = include_str!("../../docs/guide/messages.md")]
struct Messages;

#[doc = include_str!("../../docs/guide/parallel.md")]
struct Parallel;

#[doc = include_str!("../../docs/guide/running.md")]
struct Running;

#[doc = include_str!("../../docs/guide/state.md")]
struct State;

#[doc = include_str!("../../docs/guide/store.md")]
struct Store;

#[doc = include_str!("../../docs/guide/streams.md")]
struct Streams;

#[doc = include_str!("../../docs/guide/subgraphs.md")]
struct Subgraphs;

#[doc = include_str!("../../docs/guide/tasks.md")]
struct Tasks;

#[doc = include_str!("../../docs/guide/testing.md")]
struct Testing;

#[doc = include_str!("../../docs/guide/timeouts.md")]
struct Timeouts;

#[doc = include_str!("../../docs/guide/wrapping.md")]
struct Wrapping;
