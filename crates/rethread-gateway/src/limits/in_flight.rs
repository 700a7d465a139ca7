use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;

use crate::caller::Tenant;
use crate::error::{ApiError, ApiResult};

/// What a request takes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An answer of one piece.
    Request,
    /// A stream that may stay open for long.
    Stream,
}

/// Counts what every tenant has in progress, and lets no more in than it may have.
#[derive(Debug)]
pub(crate) struct InFlight {
    requests_max: usize,
    streams_max: usize,
    /// Tenants that have something in progress.
    tenants: Mutex<HashMap<Tenant, Counts>>,
}

/// How much is in progress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) requests: usize,
    pub(crate) streams: usize,
}

impl Counts {
    fn of(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Request => &mut self.requests,
            Kind::Stream => &mut self.streams,
        }
    }
}

/// The place of a request; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    in_flight: Arc<InFlight>,
    tenant: Tenant,
    kind: Kind,
}

impl InFlight {
    pub(crate) fn new(requests_max: usize, streams_max: usize) -> Self {
        Self { requests_max, streams_max, tenants: Mutex::default() }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// 429 when the tenant has as much in progress as it may.
    pub(crate) fn enter(self: &Arc<Self>, tenant: Tenant, kind: Kind) -> ApiResult<Permit> {
        let (most, what) = match kind {
            Kind::Request => (self.requests_max, "requests in progress"),
            Kind::Stream => (self.streams_max, "streams open"),
        };
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let count = tenants.entry(tenant.clone()).or_default().of(kind);
        if *count >= most {
            let detail = format!("there are {most} {what} already; try again when one has ended");
            return Err(ApiError::busy(StatusCode::TOO_MANY_REQUESTS, detail, 1));
        }
        *count += 1;
        Ok(Permit { in_flight: Arc::clone(self), tenant, kind })
    }

    /// What is in progress, of all tenants.
    pub(crate) fn counts(&self) -> Counts {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.values().fold(Counts::default(), |sum, counts| Counts {
            requests: sum.requests + counts.requests,
            streams: sum.streams + counts.streams,
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut tenants = self.in_flight.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(counts) = tenants.get_mut(&self.tenant) else { return };
        let count = counts.of(self.kind);
        *count = count.saturating_sub(1);
        if *counts == Counts::default() {
            tenants.remove(&self.tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenant_has_places_of_its_own_and_gives_them_back() {
        let in_flight = Arc::new(InFlight::new(2, 1));
        let acme = Tenant::named("acme").expect("a name");
        let enter = |tenant: &Tenant, kind| in_flight.enter(tenant.clone(), kind);
        let first = enter(&acme, Kind::Request).expect("a place");
        let second = enter(&acme, Kind::Request).expect("a place");
        let error = enter(&acme, Kind::Request).expect_err("full");
        assert_eq!(error.status(), StatusCode::TOO_MANY_REQUESTS);
        let stream = enter(&acme, Kind::Stream).expect("a place");
        enter(&acme, Kind::Stream).expect_err("full");
        drop(enter(&Tenant::Standard, Kind::Stream).expect("a place"));
        assert_eq!(in_flight.counts(), Counts { requests: 2, streams: 1 });
        drop(first);
        drop(enter(&acme, Kind::Request).expect("a place"));
        drop((second, stream));
        assert_eq!(in_flight.counts(), Counts::default());
        assert!(in_flight.tenants.lock().expect("not poisoned").is_empty());
    }
}
