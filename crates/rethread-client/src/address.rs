//! From an address to a storage.

use std::sync::Arc;

use rethread_storage::Storage;

use crate::error::{ClientError, Result};
use crate::options::ClientOptions;

/// Schemes of this build.
const SUPPORTED: &[&str] = &[
    #[cfg(feature = "redis")]
    "redis://",
    #[cfg(feature = "redis")]
    "redis+unix://",
    #[cfg(feature = "redis")]
    "redis+cluster://",
    #[cfg(feature = "tls")]
    "rediss://",
    #[cfg(feature = "tls")]
    "rediss+cluster://",
];

/// Opens the storage that an address names.
#[cfg_attr(
    not(feature = "redis"),
    expect(unused_variables, reason = "only storages with an address have options")
)]
pub(crate) async fn open(url: &str, options: &ClientOptions) -> Result<Arc<dyn Storage>> {
    let scheme = SUPPORTED.iter().copied().find(|scheme| has_scheme(url, scheme));
    match scheme {
        #[cfg(feature = "redis")]
        Some(_) => open_redis(url, options).await,
        _ => Err(unsupported(url)),
    }
}

fn has_scheme(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

fn unsupported(url: &str) -> ClientError {
    // Only the scheme is repeated: the rest may hold a password.
    let is_scheme = |text: &&str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+');
    let scheme = url.split_once("://").map(|(scheme, _)| scheme).filter(is_scheme);
    let found = match scheme {
        Some(scheme) if is_tls(scheme) => {
            format!(
                "a `{scheme}://` address: TLS needs the feature `tls`, which this build is without"
            )
        }
        Some(scheme) => format!("a `{scheme}://` address"),
        None => "an address without a scheme".to_owned(),
    };
    let supported = match SUPPORTED {
        [] => "none (this build has no feature for a storage)".to_owned(),
        schemes => schemes.join(", "),
    };
    ClientError::UnsupportedUrl { found, supported }
}

fn is_tls(scheme: &str) -> bool {
    ["rediss", "rediss+cluster"].iter().any(|tls| scheme.eq_ignore_ascii_case(tls))
}

#[cfg(feature = "redis")]
async fn open_redis(url: &str, options: &ClientOptions) -> Result<Arc<dyn Storage>> {
    use rethread_redis::{RedisOptions, RedisStorage};

    let mut settings = RedisOptions::new(url).namespace(&options.namespace);
    settings.tls_ca.clone_from(&options.tls_ca);
    Ok(Arc::new(RedisStorage::connect(settings).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_scheme_is_named_without_the_rest() {
        let error = |url| unsupported(url).to_string();
        assert!(error("http://user:secret@host").starts_with("cannot connect to a `http://` a"));
        let tls = error("rediss://user:secret@host");
        assert!(
            tls.contains(
                "TLS needs the feature `tls`, which this build is without; supported are: "
            ),
            "{tls}"
        );
        assert!(!tls.contains("secret"), "{tls}");
        for url in ["user:secret@host:6379", "user:secret@host://x", ""] {
            assert!(error(url).starts_with("cannot connect to an address without a scheme; "));
        }
    }
}
