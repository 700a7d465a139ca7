use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// Whose request it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Owner {
    pub(crate) tenant: Tenant,
    /// Names the token that it has, if it has one.
    pub(crate) token: Option<Arc<str>>,
}

/// Counts what every tenant and every token has in progress, and lets no more in than it may have.
#[derive(Debug)]
pub(crate) struct InFlight {
    most: Most,
    taken: Mutex<Taken>,
}

/// How much may be in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Most {
    /// Requests of a tenant.
    pub(crate) requests: usize,
    /// Streams of a tenant.
    pub(crate) streams: usize,
    /// Streams of a token.
    pub(crate) token_streams: usize,
}

/// What is in progress, of those who have something in progress.
#[derive(Debug, Default)]
struct Taken {
    tenants: HashMap<Tenant, Counts>,
    /// Streams.
    tokens: HashMap<Arc<str>, usize>,
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
    owner: Owner,
    kind: Kind,
}

impl InFlight {
    pub(crate) fn new(most: Most) -> Self {
        Self { most, taken: Mutex::default() }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place.
    ///
    /// # Errors
    /// 429 when the tenant, or the token, has as much in progress as it may.
    pub(crate) fn enter(self: &Arc<Self>, owner: Owner, kind: Kind) -> ApiResult<Permit> {
        let full = |most: usize, what: &str| {
            let detail = format!("there are {most} {what} already; try again when one has ended");
            Err(ApiError::busy(StatusCode::TOO_MANY_REQUESTS, detail, 1))
        };
        let Most { requests, streams, token_streams } = self.most;
        let mut taken = self.taken();
        let Taken { tenants, tokens } = &mut *taken;
        let token = owner.token.as_ref().filter(|_| kind == Kind::Stream);
        if token.and_then(|token| tokens.get(token)).is_some_and(|open| *open >= token_streams) {
            return full(token_streams, "streams of this token open");
        }
        let (most, what) = match kind {
            Kind::Request => (requests, "requests in progress"),
            Kind::Stream => (streams, "streams open"),
        };
        let count = tenants.entry(owner.tenant.clone()).or_default().of(kind);
        if *count >= most {
            return full(most, what);
        }
        *count += 1;
        if let Some(token) = token {
            *tokens.entry(Arc::clone(token)).or_default() += 1;
        }
        drop(taken);
        Ok(Permit { in_flight: Arc::clone(self), owner, kind })
    }

    /// What is in progress, of all tenants.
    pub(crate) fn counts(&self) -> Counts {
        let taken = self.taken();
        taken.tenants.values().fold(Counts::default(), |sum, counts| Counts {
            requests: sum.requests + counts.requests,
            streams: sum.streams + counts.streams,
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Owner { tenant, token } = &self.owner;
        let mut taken = self.in_flight.taken();
        if let Some(counts) = taken.tenants.get_mut(tenant) {
            let count = counts.of(self.kind);
            *count = count.saturating_sub(1);
            if *counts == Counts::default() {
                taken.tenants.remove(tenant);
            }
        }
        let Some(token) = token.as_ref().filter(|_| self.kind == Kind::Stream) else { return };
        if let Some(open) = taken.tokens.get_mut(token) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                taken.tokens.remove(token);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenant_has_places_of_its_own_and_gives_them_back() {
        let most = Most { requests: 2, streams: 1, token_streams: 1 };
        let in_flight = Arc::new(InFlight::new(most));
        let acme = Tenant::named("acme").expect("a name");
        let enter = |tenant: &Tenant, kind| {
            in_flight.enter(Owner { tenant: tenant.clone(), token: None }, kind)
        };
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
        assert!(in_flight.taken().tenants.is_empty());
    }

    #[test]
    fn a_token_has_so_many_streams() {
        let most = Most { requests: 9, streams: 3, token_streams: 1 };
        let in_flight = Arc::new(InFlight::new(most));
        let enter = |token: &str, kind| {
            in_flight.enter(Owner { tenant: Tenant::Standard, token: Some(token.into()) }, kind)
        };
        let first = enter("a", Kind::Stream).expect("a place");
        let error = enter("a", Kind::Stream).expect_err("full");
        assert!(error.detail().contains("1 streams of this token"), "{}", error.detail());
        let other = enter("b", Kind::Stream).expect("another token has its own");
        drop(enter("a", Kind::Request).expect("requests have none of them"));
        drop(first);
        let third = enter("a", Kind::Stream).expect("a place");
        enter("c", Kind::Stream).map(drop).expect("one of the tenant is left");
        drop((other, third));
        assert!(in_flight.taken().tokens.is_empty());
    }
}
