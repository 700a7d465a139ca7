//! Tokens that were looked up a moment ago.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use rethread_client::{ClientError, Millis, Store};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::record::{NAMESPACE, TokenRecord};
use super::scope::Scope;
use super::secret::{Fingerprint, Given, given};
use crate::caller::Tenant;
use crate::error::{ApiError, ApiResult};
use crate::times;

/// Most lookups that are remembered.
const KNOWN_MAX: usize = 10_000;
/// Lookups at a time: whoever tries tokens out takes the storage from nobody.
const LOOKUPS_MAX: usize = 32;

/// What a token allows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Grant {
    /// Names the token among all.
    pub(super) token: Arc<str>,
    pub(super) tenant: Tenant,
    pub(super) scopes: Vec<Scope>,
    expires_at: Option<Millis>,
}

/// Whose token a request has.
#[derive(Debug, Clone)]
pub(super) enum Bearer {
    /// There is none.
    Nobody,
    /// It is unknown, was revoked or has expired.
    Unknown,
    Known(Arc<Grant>),
}

/// Looks tokens up, and remembers what was found for a moment.
#[derive(Debug)]
pub(crate) struct Known {
    store: Store,
    fresh: Duration,
    lookups: Semaphore,
    found: Mutex<HashMap<Fingerprint, Found>>,
}

/// When a token was looked up, and what it allowed then; none if it was unknown.
type Found = (Instant, Option<Arc<Grant>>);

impl Known {
    /// Remembers a lookup for the time `fresh`.
    pub(crate) fn new(store: Store, fresh: Duration) -> Self {
        let lookups = Semaphore::new(LOOKUPS_MAX);
        Self { store, fresh, lookups, found: Mutex::default() }
    }

    /// Whose token a request has.
    ///
    /// # Errors
    /// When the storage cannot be asked.
    pub(super) async fn bearer(&self, headers: &HeaderMap) -> ApiResult<Bearer> {
        let secret = match given(headers) {
            Given::Nothing => return Ok(Bearer::Nobody),
            Given::Foreign => return Ok(Bearer::Unknown),
            Given::Token(secret) => secret,
        };
        let fingerprint = secret.fingerprint();
        let grant = match self.remembered(&fingerprint) {
            Some(grant) => grant,
            None => self.look_up(fingerprint).await?,
        };
        let now = times::now();
        let grant = grant.filter(|grant| grant.expires_at.is_none_or(|at| now < at));
        Ok(grant.map_or(Bearer::Unknown, Bearer::Known))
    }

    fn remembered(&self, fingerprint: &Fingerprint) -> Option<Option<Arc<Grant>>> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, grant) = found.get(fingerprint)?;
        (at.elapsed() < self.fresh).then(|| grant.clone())
    }

    async fn look_up(&self, fingerprint: Fingerprint) -> ApiResult<Option<Arc<Grant>>> {
        // Never closed.
        let _permit = self.lookups.acquire().await;
        // Of many that asked at once, one looks.
        if let Some(grant) = self.remembered(&fingerprint) {
            return Ok(grant);
        }
        // The answer is as old as the question.
        let asked = Instant::now();
        let get = self.store.get::<TokenRecord>(NAMESPACE, fingerprint.as_str());
        let item = get.refresh_ttl(false).await.map_err(ClientError::from)?;
        let grant = item.map(|item| grant(fingerprint.as_str(), item.value));
        let grant = grant.transpose()?.map(Arc::new);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() >= KNOWN_MAX {
            found.retain(|_, (at, _)| at.elapsed() < self.fresh);
        }
        if found.len() >= KNOWN_MAX {
            // Whoever tries tokens out takes the place of no token that there is.
            found.retain(|_, (_, grant)| grant.is_some());
        }
        if found.len() < KNOWN_MAX {
            found.insert(fingerprint, (asked, grant.clone()));
        }
        Ok(grant)
    }
}

fn grant(token: &str, record: TokenRecord) -> ApiResult<Grant> {
    let TokenRecord { tenant, scopes, expires_at, .. } = record;
    let tenant = match tenant {
        None => Tenant::Standard,
        Some(name) => Tenant::named(&name).ok_or_else(|| {
            ApiError::internal(format_args!("the record of a token names no tenant: {name:?}"))
        })?,
    };
    Ok(Grant { token: token.into(), tenant, scopes, expires_at })
}
