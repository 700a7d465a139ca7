//! Tokens as they travel, and what is kept of them.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, header};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What every token begins with, so that one is recognized where it should not be.
const PREFIX: &str = "rt_";
/// Hexadecimal digits behind it.
const DIGITS: usize = 64;

/// A token. It is shown once, to who makes it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

/// The SHA-256 of a token: what is kept and looked up. Whoever reads it learns nothing of the
/// token, which is random, and how long the lookup of one takes tells nothing of another.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint(String);

impl Secret {
    /// A new one, of 244 bits from the generator of the system.
    pub(super) fn random() -> Self {
        let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
        Self(format!("{PREFIX}{}{}", first.simple(), second.simple()))
    }

    /// The text as a token, if it has the form of one.
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (digits.len() == DIGITS && digits.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        let hash = Sha256::digest(&self.0);
        Fingerprint(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Fingerprint {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

/// What a request has of a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    Nothing,
    /// Something that is none of ours.
    Foreign,
    Token(Secret),
}

/// The token of a request: behind `Bearer` in `authorization`, or in `x-api-key`. Clients fill
/// the latter with keys of other services that they find in their environment, so what has not
/// the form of a token stands in the way of none.
pub(super) fn given(headers: &HeaderMap) -> Given {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let bearer = text(header::AUTHORIZATION).map(|value| match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        _ => value,
    });
    let key = text(HeaderName::from_static("x-api-key"));
    let mut given = [bearer, key].into_iter().flatten().filter(|text| !text.is_empty()).peekable();
    if given.peek().is_none() {
        return Given::Nothing;
    }
    given.find_map(Secret::parse).map_or(Given::Foreign, Given::Token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &str)]) -> Given {
        let named = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value")));
        given(&named.collect())
    }

    #[test]
    fn a_token_is_taken_from_either_header() {
        let secret = Secret::random();
        let (token, found) = (secret.reveal(), Given::Token(secret.clone()));
        let bearer = format!("Bearer {token}");
        assert_eq!(of(&[("x-api-key", token)]), found);
        assert_eq!(of(&[("authorization", &bearer)]), found);
        assert_eq!(of(&[("authorization", &format!("bearer  {token}"))]), found);
        assert_eq!(of(&[("authorization", &bearer), ("x-api-key", "lsv2_other")]), found);
        assert_eq!(of(&[("authorization", "Basic eDp5"), ("x-api-key", token)]), found);
    }

    #[test]
    fn what_is_no_token_is_told_apart_from_nothing() {
        assert_eq!(of(&[]), Given::Nothing);
        assert_eq!(of(&[("x-api-key", " ")]), Given::Nothing);
        let (long, upper) = (format!("rt_{}", "0".repeat(65)), format!("rt_{}", "A".repeat(64)));
        for text in ["x", "rt_", "rt_abc", &long, &upper] {
            assert_eq!(of(&[("x-api-key", text)]), Given::Foreign, "{text}");
        }
    }

    #[test]
    fn secrets_differ_and_are_shown_nowhere() {
        let (secret, other) = (Secret::random(), Secret::random());
        assert_ne!(secret, other);
        assert_eq!(Secret::parse(secret.reveal()), Some(secret.clone()));
        let shown = format!("{secret:?} {:?}", secret.fingerprint());
        assert!(!shown.contains(&secret.reveal()[3..]), "{shown}");
        assert!(!shown.contains(secret.fingerprint().as_str()), "{shown}");
        assert_eq!(secret.fingerprint().as_str().len(), 64);
    }

    #[test]
    fn fingerprints_stay_the_same() {
        let secret = Secret::parse(&format!("rt_{}", "0".repeat(64))).expect("a token");
        let known = "0f6dc38dad440512346cd951b4dd6a54dea6e53d3034961ae602217be93d889d";
        assert_eq!(secret.fingerprint().as_str(), known);
    }
}
