use rethread_client::Millis;
use serde::{Deserialize, Serialize};

use super::scope::Scope;

/// Where tokens are kept: the key is the fingerprint of the token.
pub(super) const NAMESPACE: [&str; 2] = ["@http", "tokens"];

/// What is kept of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TokenRecord {
    /// What it is for.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// Whose things it shows; none: those of the standard tenant.
    #[serde(default)]
    pub(super) tenant: Option<String>,
    pub(super) scopes: Vec<Scope>,
    pub(super) created_at: Millis,
    /// None: never.
    #[serde(default)]
    pub(super) expires_at: Option<Millis>,
}
