//! Who may do what: tokens, what they allow, and the check before every operation.
//!
//! ```text
//!   request ─► authenticate (whose token is it?) ─► route ─► admit (does it allow this
//!                    │                                        operation? is there room?)
//!                    └── Known ── store: @http, tokens           └─► handler
//! ```
//!
//! `authenticate` stands before the router and refuses nothing; `admit` is a part of every route
//! and lets nothing through that did not pass `authenticate`.

mod admission;
mod known;
mod record;
mod scope;
mod secret;
mod tokens;

use std::net::SocketAddr;

use rethread_client::{Client, ClientError};

pub(crate) use admission::{Needs, admit, authenticate};
pub(crate) use known::Known;
pub use scope::{Scope, UnknownScope};
pub use tokens::{CreatedToken, TokenError, TokenInfo, TokenRequest, Tokens};

/// Whether requests need a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Auth {
    /// Anybody who reaches the gateway may do everything; tokens are not looked at.
    #[default]
    Off,
    /// Every operation but `GET /ok` and `GET /` needs a token with the scope for it.
    Tokens,
}

/// Why a gateway does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// Other machines could use it without a token.
    #[error(
        "the HTTP API on {address} can be reached by other machines, and there is no token that \
         it could ask for: make one with `token create`, listen on 127.0.0.1, or serve everybody \
         with --insecure"
    )]
    NoTokens {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// The storage could not be asked for tokens.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl Auth {
    /// What a listener on `address` should ask for: tokens if there are any, and off loopback in
    /// any case, unless the operator says that it is to serve everybody.
    ///
    /// # Errors
    /// [`GatewayError::NoTokens`], and when the storage cannot be asked.
    pub async fn of_listener(
        client: &Client,
        address: SocketAddr,
        serves_everybody: bool,
    ) -> Result<Self, GatewayError> {
        if serves_everybody {
            return Ok(Self::Off);
        }
        let has_tokens = !Tokens::new(client).list().await?.is_empty();
        match (has_tokens, address.ip().is_loopback()) {
            (true, _) => Ok(Self::Tokens),
            (false, true) => Ok(Self::Off),
            (false, false) => Err(GatewayError::NoTokens { address }),
        }
    }
}
