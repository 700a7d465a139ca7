//! What values settings may have.

use rethread_gateway::WebhookSecret;

use super::{SecretText, Settings, SettingsError};

/// A journal is loaded as a whole, and so is a value.
const BYTES_MAX: usize = 1 << 30;

/// Of the HTTP API.
fn http(settings: &Settings) -> Result<(), SettingsError> {
    let must = |is_so: bool, name, reason: &str| {
        if is_so { Ok(()) } else { Err(SettingsError::OutOfRange { name, reason: reason.into() }) }
    };
    let body = settings.http_body_bytes_max;
    let range = "choose from 1,024 (1 KiB) to 1,073,741,824 (1 GiB)";
    must((1_024..=BYTES_MAX).contains(&body), "http_body_bytes_max", range)?;
    let answer = settings.http_answer_bytes_max;
    must((1_024..=BYTES_MAX).contains(&answer), "http_answer_bytes_max", range)?;
    let items = settings.http_body_items_max;
    let range = "choose from 100 to 100,000,000";
    must((100..=100_000_000).contains(&items), "http_body_items_max", range)?;
    for (value, name) in [
        (settings.http_connections_max, "http_connections_max"),
        (settings.http_requests_max, "http_requests_max"),
        (settings.http_streams_max, "http_streams_max"),
        (settings.http_token_streams_max, "http_token_streams_max"),
    ] {
        must((1..=1_000_000).contains(&value), name, "choose from 1 to 1,000,000")?;
    }
    let range = "choose from 100 to 60,000 (a minute)";
    must((100..=60_000).contains(&settings.http_heartbeat_ms), "http_heartbeat_ms", range)?;
    let range = "choose from 100 to 600,000 (ten minutes)";
    must((100..=600_000).contains(&settings.http_coordinator_ms), "http_coordinator_ms", range)?;
    let is_origin = |origin: &String| {
        origin == "*"
            || origin.split_once("://").is_some_and(|(scheme, host)| {
                matches!(scheme, "http" | "https") && !host.is_empty() && !host.contains('/')
            })
    };
    let form = "name origins such as https://chat.example.com, without a path, or `*` for all";
    must(settings.http_cors_origins.iter().all(is_origin), "http_cors_origins", form)?;
    let secret = settings.http_webhook_secret.as_ref();
    let form = "give `whsec_` and the base64 of 24 to 64 random bytes, such as whsec_$(openssl rand \
                -base64 32)";
    let is_secret = |secret: &SecretText| secret.reveal().parse::<WebhookSecret>().is_ok();
    must(secret.is_none_or(is_secret), "http_webhook_secret", form)?;
    let unsigned = "who is told of runs must be able to know that it is from here: set \
                    `http_webhook_secret`";
    must(settings.http_webhook_hosts.is_empty() || secret.is_some(), "http_webhook_hosts", unsigned)
}

/// Checks every value, and the ones that must fit each other.
pub(super) fn check(settings: &Settings) -> Result<(), SettingsError> {
    let must = |is_so: bool, name, reason: &str| {
        if is_so { Ok(()) } else { Err(SettingsError::OutOfRange { name, reason: reason.into() }) }
    };
    let from_1 = |value: u64, name| must(value >= 1, name, "choose at least 1");

    must(settings.worker_slots >= 1, "worker_slots", "a worker needs at least 1 slot")?;
    must(!settings.worker_queues.is_empty(), "worker_queues", "name at least one queue")?;
    let range = "choose at most 1,000 (a second): readers wait for it";
    must(settings.emit_batch_ms <= 1_000, "emit_batch_ms", range)?;
    let partitions = settings.partitions.unwrap_or(1);
    must((1..=1_024).contains(&partitions), "partitions", "choose from 1 to 1024")?;
    let lost_by_chance = "a lease of less than 500 ms is lost by chance";
    must(settings.lease_ttl_ms >= 500, "lease_ttl_ms", lost_by_chance)?;
    let heartbeat = "a heartbeat comes every 300 ms, so choose at least 500";
    must(settings.worker_dead_after_ms >= 500, "worker_dead_after_ms", heartbeat)?;
    let length = settings.namespace.len();
    must((1..=64).contains(&length), "namespace", "use 1 to 64 bytes")?;

    from_1(settings.calls_max as u64, "calls_max")?;
    from_1(settings.orders_max.into(), "orders_max")?;
    from_1(settings.interrupts_max as u64, "interrupts_max")?;
    from_1(settings.inbox_max, "inbox_max")?;
    // The first event and the last are made by the engine.
    must(settings.events_max >= 10, "events_max", "choose at least 10")?;
    let value_bytes = settings.payload_bytes_max;
    let range = "choose from 1,024 (1 KiB) to 1,073,741,824 (1 GiB)";
    must((1_024..=BYTES_MAX).contains(&value_bytes), "payload_bytes_max", range)?;
    let journal_bytes = settings.journal_bytes_max;
    let range = "choose from `payload_bytes_max` to 1,073,741,824 (1 GiB)";
    must((value_bytes..=BYTES_MAX).contains(&journal_bytes), "journal_bytes_max", range)?;
    let minute = "choose at least 60,000 (a minute)";
    must(settings.dead_letter_retention_ms >= 60_000, "dead_letter_retention_ms", minute)?;

    let is_tls = |url: &str| url.get(..6).is_some_and(|it| it.eq_ignore_ascii_case("rediss"));
    let url = settings.redis_url.as_ref().map(|url| url.reveal());
    let needs_tls = "it is of use only with a `redis_url` that begins with `rediss`";
    let has_tls = url.is_some_and(is_tls);
    must(settings.redis_tls_ca.is_none() || has_tls, "redis_tls_ca", needs_tls)?;
    let needs_redis = "the embedded store has no replicas; name a `redis_url`";
    must(settings.redis_replicas == 0 || url.is_some(), "redis_replicas", needs_redis)?;

    if let Some(address) = settings.admin_listen {
        let reachable = "other machines could read health and metrics there without a password: \
                         use 127.0.0.1, or set `admin_insecure` where the network keeps others \
                         away";
        let is_allowed = address.ip().is_loopback() || settings.admin_insecure;
        must(is_allowed, "admin_listen", reachable)?;
    }
    http(settings)?;
    if let Some(endpoint) = &settings.otlp_endpoint {
        let is_http = endpoint.reveal().starts_with("http://");
        let form = "give the address of a collector for OTLP over HTTP without TLS, such as \
                    http://127.0.0.1:4318";
        must(is_http, "otlp_endpoint", form)?;
        let without = "this program was built without the feature `otlp` of rethread";
        must(cfg!(feature = "otlp"), "otlp_endpoint", without)?;
    }
    Ok(())
}
