//! What is measured, one workload per file.

mod endless;
pub(crate) mod fan_out;
pub(crate) mod idle;
pub(crate) mod latency;
pub(crate) mod load;
pub(crate) mod overload;
pub(crate) mod parked;
pub(crate) mod payloads;
pub(crate) mod replay;
pub(crate) mod resume;
pub(crate) mod scale_out;
pub(crate) mod steps;
pub(crate) mod stream;
pub(crate) mod takeover;

use std::error::Error;

/// Why something could not be measured.
pub(crate) type Failure = Box<dyn Error>;
