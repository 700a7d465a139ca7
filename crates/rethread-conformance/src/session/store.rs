//! The store and the cache, from outside of runs.

use super::{Observed, Session, Stop};
use crate::operation::{Common, StoreAction};

impl Session<'_> {
    pub(super) async fn store(&mut self, _action: &StoreAction) -> Observed {
        Err(Stop::NotImplemented("store".into()))
    }

    pub(super) async fn clear_cache(&mut self, _common: &Common, _task: Option<&str>) -> Observed {
        Err(Stop::NotImplemented("clear_cache".into()))
    }
}
