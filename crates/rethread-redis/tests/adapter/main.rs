//! What is special to Redis; the meaning of the port is checked by its own suite.

mod conformance;
mod connecting;
mod events;
mod faults;
mod limits;
mod mail;
mod ownership;
mod support;
mod work;
