//! The client against the memory storage, with a coordinator that follows a script.

mod coordinator;
mod faults;
mod faulty;
mod runs;
mod states;
mod streams;
