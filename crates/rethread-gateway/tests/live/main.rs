//! The API through a real listener: runs, their streams, and both protocols over them.

// What the macros of the programs name.
extern crate rethread_sdk as rethread;

mod double_texting;
mod multi;
mod programs;
mod protocol;
mod runs;
mod stateless;
mod streams;
mod support;
mod thread_stream;
mod webhooks;
