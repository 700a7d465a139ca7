//! Whole nodes on in-process storages: runs from the command to the last event.

mod cached;
mod cancels;
mod corrupt;
mod deletion;
mod drain;
mod eviction;
mod failures;
mod faults;
mod faulty;
mod interrupts;
mod load;
mod memory;
mod nested;
mod pause;
mod progress;
mod runs;
mod support;
mod takeover;
mod waits;
