//! What one request, and one tenant, may take up.
//!
//! Each limit is checked before work is done for what exceeds it.

mod body;
mod hold;
mod in_flight;
mod nesting;

pub(crate) use body::{BodyLimits, read};
pub(crate) use hold::{Draining, hold, told};
pub(crate) use in_flight::{InFlight, Kind, Most, Owner, Permit};
