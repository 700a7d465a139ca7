//! Server-sent events: what happens in a run, as clients read it.
//!
//! ```text
//!   RunEvents (the client's stream, every mode that is needed)
//!      │ Happened: position, time, path, what
//!      ▼
//!   Frames (v1) ──► Frame: event, data, id ──► body (heartbeats)
//! ```
//!
//! Nothing is kept for a reader: each has its own place in the log of the run, from which it
//! reads as fast as its connection takes. So a stalled one holds back nobody.

mod body;
mod checkpoint;
mod chunk;
mod frame;
mod frames;
mod modes;
mod position;
mod showing;
mod source;
mod task;

pub(crate) use body::{Cut, events, waiting};
pub(crate) use chunk::Message;
pub(crate) use frame::Frame;
pub(crate) use frames::Frames;
pub(crate) use modes::{StreamMode, StreamModes};
pub(crate) use position::{LastEventId, Position};
pub(crate) use showing::{Showing, asked, error_frame, interrupts, merged, metadata_frame};
pub(crate) use source::{Happened, RunEvents};
pub(crate) use task::task_data;
