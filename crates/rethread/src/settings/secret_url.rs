use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// An address that may hold a password, which is shown nowhere.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The address with its password, to connect with.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The address without what stands before the `@`, and without a query, which may hold
    /// secrets too.
    fn shown(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return "***".into() };
        let (place, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        // A password may hold a slash, an @, a ? or a # that should have been encoded.
        match place.rsplit_once('@') {
            _ if query.contains('@') => format!("{scheme}://***"),
            Some((_, host)) => format!("{scheme}://***@{host}"),
            None => format!("{scheme}://{place}"),
        }
    }
}

impl From<String> for SecretUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl From<&str> for SecretUrl {
    fn from(url: &str) -> Self {
        Self(url.to_owned())
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for SecretUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        for (url, shown) in [
            ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
            ("redis://:hunter2@host:6379", "redis://***@host:6379"),
            ("rediss://ada:hunter2/@@host/1", "rediss://***@host/1"),
            ("redis://:hunter?2@host:6379", "redis://***"),
            ("redis://ada:hunter#2@host", "redis://***"),
            ("redis+unix:///run/redis.sock?pass=hunter2", "redis+unix:///run/redis.sock"),
            ("hunter2", "***"),
        ] {
            let url = SecretUrl::from(url);
            assert_eq!(format!("{url} {url:?}"), format!("{shown} {shown}"));
            assert_eq!(serde_json::to_value(&url).expect("serializes"), shown);
        }
    }
}
