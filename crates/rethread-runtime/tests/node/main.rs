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
mod hand;
mod interrupts;
mod load;
mod lost_work;
mod memory;
mod nested;
mod offered_work;
mod ownership;
mod ownership_load;
mod pause;
mod progress;
mod runs;
mod support;
mod takeover;
mod waits;
mod withdrawn_work;
