//! Real processes, a real Redis, and signals that leave no time to say goodbye.

mod cluster;
mod essay;
mod gateway;
mod operations;
mod redis;
mod refusals;
