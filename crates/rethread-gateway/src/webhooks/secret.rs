use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// What a secret begins with, as others write it too.
const PREFIX: &str = "whsec_";
/// Fewest and most bytes of it.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret that webhooks are signed with: `whsec_` and the base64 of 24 to 64 random bytes. It
/// is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Vec<u8>);

/// A text that is no secret for webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret for webhooks is `whsec_` and the base64 of 24 to 64 random bytes")]
pub struct InvalidWebhookSecret;

impl FromStr for WebhookSecret {
    type Err = InvalidWebhookSecret;

    fn from_str(text: &str) -> Result<Self, InvalidWebhookSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidWebhookSecret)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidWebhookSecret)?;
        if BYTES.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(InvalidWebhookSecret) }
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

impl WebhookSecret {
    /// The signature of a message, in the form of the Standard Webhooks: of its id, the time at
    /// which it is sent (in seconds since 1970) and its body, so that none of them can be another.
    pub(super) fn sign(&self, id: &str, seconds: u64, body: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0);
        let mut mac = mac.expect("invariant: a key of HMAC may have any length");
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_standard() {
        // The example of the Standard Webhooks.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse::<WebhookSecret>();
        let signature = secret.expect("a secret").sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_long_and_shown_nowhere() {
        let long = format!("whsec_{}", STANDARD.encode([7; 32]));
        let secret = long.parse::<WebhookSecret>().expect("a secret");
        assert_eq!(format!("{secret:?}"), "WebhookSecret(..)");
        for text in ["", "whsec_", "whsec_AAAA", &long[6..], "whsec_?"] {
            assert_eq!(text.parse::<WebhookSecret>(), Err(InvalidWebhookSecret), "{text}");
        }
    }
}
