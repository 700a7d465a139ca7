use std::time::Duration;

use rethread_client::{Client, ClientError, Store};
use serde::Serialize;

use super::record::{NAMESPACE, TokenRecord};
use super::scope::Scope;
use super::secret::Secret;
use crate::caller::Tenant;
use crate::times;

/// Digits of a fingerprint that tell one token from the others.
const ID_DIGITS: usize = 16;
/// Longest name of a token, in bytes.
const NAME_MAX: usize = 256;

/// The tokens of a storage: makes, lists and revokes them.
///
/// What is kept of a token is its SHA-256. Gateways look again every few seconds, so a token that
/// is revoked works for that long.
#[derive(Debug, Clone)]
pub struct Tokens {
    store: Store,
}

/// A token that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TokenRequest {
    /// What it is for, shown in lists.
    pub name: Option<String>,
    /// Whose things it shows: 1 to 64 letters, digits, `-` and `_`; not `http`, not `rethread`.
    /// None: those of the standard tenant, which are also those of requests without a token.
    pub tenant: Option<String>,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// How long it works. None: until it is revoked.
    pub expires_in: Option<Duration>,
}

impl TokenRequest {
    /// A token with these scopes, that works until it is revoked.
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self { scopes: scopes.into_iter().collect(), ..Self::default() }
    }

    /// Says what it is for.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Names the tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Limits the time that it works for.
    #[must_use]
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.expires_in = Some(time);
        self
    }
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TokenInfo {
    /// Names it among all tokens; no secret.
    pub id: String,
    /// What it is for.
    pub name: Option<String>,
    /// Its tenant; none: the standard one.
    pub tenant: Option<String>,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// When it expires, in milliseconds since 1970; none: never.
    pub expires_at_ms: Option<u64>,
    /// Whether it has expired.
    pub is_expired: bool,
}

/// A token that was made.
#[derive(Debug, Clone)]
pub struct CreatedToken {
    secret: Secret,
    /// What is known of it.
    pub info: TokenInfo,
}

impl CreatedToken {
    /// The token itself, which cannot be had again.
    pub fn reveal(&self) -> &str {
        self.secret.reveal()
    }
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// What was asked for cannot be.
    #[error("{reason}")]
    Invalid {
        /// What is wrong.
        reason: &'static str,
    },
    /// The storage could not be written.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Tokens {
    /// The tokens of the storage that the client speaks to.
    pub fn new(client: &Client) -> Self {
        Self { store: client.store() }
    }

    /// Makes a token.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] without a scope, or with a name or tenant that cannot be one; and
    /// when the storage cannot be written.
    pub async fn create(&self, request: TokenRequest) -> Result<CreatedToken, TokenError> {
        let TokenRequest { name, tenant, mut scopes, expires_in } = request;
        let must = |is_so, reason| if is_so { Ok(()) } else { Err(TokenError::Invalid { reason }) };
        must(!scopes.is_empty(), "a token without a scope allows nothing: name at least one")?;
        let fits = name.as_ref().is_none_or(|name| name.len() <= NAME_MAX);
        must(fits, "the name of a token has at most 256 bytes")?;
        let is_tenant = tenant.as_ref().is_none_or(|name| Tenant::named(name).is_some());
        must(
            is_tenant,
            "a tenant has 1 to 64 letters, digits, `-` and `_`, and is not `http` or `rethread`",
        )?;
        scopes.sort_unstable();
        scopes.dedup();
        let now = times::now();
        let expires_at = expires_in.map(|time| {
            let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            now.plus(ms)
        });
        let secret = Secret::random();
        let record = TokenRecord { name, tenant, scopes, created_at: now, expires_at };
        let fingerprint = secret.fingerprint();
        let put = self.store.put(NAMESPACE, fingerprint.as_str(), &record).index(false);
        put.await.map_err(ClientError::from)?;
        Ok(CreatedToken { info: info(fingerprint.as_str(), record), secret })
    }

    /// All tokens, the newest first.
    ///
    /// # Errors
    /// When the storage cannot be read.
    pub async fn list(&self) -> Result<Vec<TokenInfo>, ClientError> {
        let mut list: Vec<_> =
            self.records().await?.into_iter().map(|(key, record)| info(&key, record)).collect();
        list.sort_by_key(|token| std::cmp::Reverse(token.created_at_ms));
        Ok(list)
    }

    /// Revokes the token of this id; gives what it was, or none if there is none.
    ///
    /// # Errors
    /// When the storage cannot be read or written.
    pub async fn revoke(&self, id: &str) -> Result<Option<TokenInfo>, ClientError> {
        let found = self.records().await?.into_iter().find(|(key, _)| id_of(key) == id);
        let Some((key, record)) = found else { return Ok(None) };
        self.store.delete(NAMESPACE, &key).await?;
        Ok(Some(info(&key, record)))
    }

    async fn records(&self) -> Result<Vec<(String, TokenRecord)>, ClientError> {
        let search = self.store.search(NAMESPACE).refresh_ttl(false).limit(usize::MAX);
        let items = search.items::<TokenRecord>().await?;
        Ok(items.into_iter().map(|item| (item.key, item.value)).collect())
    }
}

fn id_of(fingerprint: &str) -> &str {
    fingerprint.get(..ID_DIGITS).unwrap_or(fingerprint)
}

fn info(fingerprint: &str, record: TokenRecord) -> TokenInfo {
    let TokenRecord { name, tenant, scopes, created_at, expires_at } = record;
    TokenInfo {
        id: id_of(fingerprint).to_owned(),
        name,
        tenant,
        scopes,
        created_at_ms: created_at.0,
        expires_at_ms: expires_at.map(|at| at.0),
        is_expired: expires_at.is_some_and(|at| at <= times::now()),
    }
}
