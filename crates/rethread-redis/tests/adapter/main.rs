//! What is special to Redis; the meaning of the port is checked by its own suite.

mod cache;
mod conformance;
mod connecting;
mod events;
mod faults;
mod limits;
mod mail;
mod operators;
mod ownership;
mod slots;
mod store;
mod support;
mod threads;
mod waiting;
mod withdrawn;
mod work;
