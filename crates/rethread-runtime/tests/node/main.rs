//! Whole nodes on in-process storages: runs from the command to the last event.

mod corrupt;
mod drain;
mod eviction;
mod failures;
mod faults;
mod faulty;
mod interrupts;
mod load;
mod nested;
mod pause;
mod runs;
mod support;
mod takeover;
mod waits;
