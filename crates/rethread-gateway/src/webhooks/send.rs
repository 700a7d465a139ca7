use std::net::SocketAddr;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use serde_json::{Value, json};
use uuid::Uuid;

use super::WebhookRules;
use crate::times;

/// How often a host that cannot be reached or has a fault is asked.
const ATTEMPTS: u32 = 3;
/// Pause before the second attempt; doubled for the third.
const PAUSE: Duration = Duration::from_millis(500);

/// Why a host was not told.
#[derive(Debug, thiserror::Error)]
pub(super) enum Untold {
    #[error("its host has no address that may be asked")]
    NoAddress,
    #[error("{0}")]
    Http(reqwest::Error),
    #[error("its host answered {0}")]
    Refused(StatusCode),
}

impl From<reqwest::Error> for Untold {
    fn from(error: reqwest::Error) -> Self {
        // The address may hold a secret of its owner, and this is logged.
        Self::Http(error.without_url())
    }
}

/// Sends the body to an address. Each attempt has the same `webhook-id`, so that a receiver may
/// know it again.
pub(super) async fn post(
    rules: &WebhookRules,
    url: &Url,
    run: Uuid,
    body: &Value,
) -> Result<(), Untold> {
    let mut text = body.to_string();
    if text.len() > rules.body_bytes_max {
        let mut without = body.clone();
        without["values"] = json!(null);
        without["kwargs"] = json!({});
        text = without.to_string();
    }
    let mut pause = PAUSE;
    let mut attempt = 1;
    loop {
        let told = try_to_post(rules, url, run, &text).await;
        let may_pass = match &told {
            Ok(()) | Err(Untold::NoAddress) => false,
            Err(Untold::Refused(status)) => status.is_server_error(),
            Err(Untold::Http(_)) => true,
        };
        if !may_pass || attempt == ATTEMPTS {
            return told;
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
        attempt += 1;
    }
}

async fn try_to_post(rules: &WebhookRules, url: &Url, run: Uuid, text: &str) -> Result<(), Untold> {
    let (host, addresses) = addresses(rules, url).await?;
    // The addresses that were looked at are those that are asked: a name could change meanwhile.
    let client = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .timeout(rules.timeout)
        .resolve_to_addrs(&host, &addresses)
        .build()?;
    let (id, seconds) = (format!("run_{run}"), times::now().0 / 1_000);
    let mut request = client
        .post(url.clone())
        .header("content-type", "application/json")
        .header("webhook-id", &id)
        .header("webhook-timestamp", seconds);
    if let Some(secret) = &rules.secret {
        request = request.header("webhook-signature", secret.sign(&id, seconds, text));
    }
    let status = request.body(text.to_owned()).send().await?.status();
    if status.is_success() { Ok(()) } else { Err(Untold::Refused(status)) }
}

/// The addresses of a host, if all of them may be asked.
async fn addresses(rules: &WebhookRules, url: &Url) -> Result<(String, Vec<SocketAddr>), Untold> {
    let host = url.host_str().ok_or(Untold::NoAddress)?.to_owned();
    let port = url.port_or_known_default().ok_or(Untold::NoAddress)?;
    let plain = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let found = tokio::net::lookup_host((plain, port)).await.map_err(|_| Untold::NoAddress)?;
    let found: Vec<_> = found.collect();
    let is_fit = !found.is_empty() && found.iter().all(|it| rules.allow_address(it.ip()));
    if is_fit { Ok((host, found)) } else { Err(Untold::NoAddress) }
}
