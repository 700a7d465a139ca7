//! What is special to Redis; the meaning of the port is checked by its own suite.

mod cache;
mod commands;
mod conformance;
mod connecting;
mod events;
mod faults;
mod limited_user;
mod limits;
mod mail;
mod operators;
mod outages;
mod ownership;
mod parked;
mod proxy;
mod replicas;
mod slots;
mod store;
mod support;
mod threads;
#[cfg(feature = "tls")]
mod tls;
mod waiting;
mod withdrawn;
mod work;
