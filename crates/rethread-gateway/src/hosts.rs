//! The names by which a gateway is asked.
//!
//! A page of the internet can have its own name lead to this machine, and then ask what listens
//! here as if it were its own server ("DNS rebinding"). A gateway that needs no token, since only
//! this machine reaches it, is therefore asked by names of this machine only.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::cors::Origins;
use crate::error::ApiError;
use crate::shared::Shared;

/// Refuses requests by names of others, where the options say so.
pub(crate) async fn check(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let options = shared.options();
    // Browsers always say it, and others ask what they know.
    let host = request.headers().get(HOST).map(|host| host.to_str().unwrap_or_default());
    let is_fit = host.is_none_or(|host| is_local(host) || is_of(&options.cors_origins, host));
    if options.only_local_names && !is_fit {
        let detail = "without tokens the API is served to names of this machine only, such as \
                      localhost: make a token, name the origin of your page in the setting \
                      `http_cors_origins`, or serve everybody with --insecure";
        return ApiError::forbidden(detail).into_response();
    }
    next.run(request).await
}

/// Whether it names this machine, whatever the port.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_name = name == "localhost" || name.ends_with(".localhost");
    is_name || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether pages that may use the API come from there.
fn is_of(origins: &Origins, host: &str) -> bool {
    match origins {
        Origins::All => false,
        Origins::Only(list) => {
            let mut places = list.iter().filter_map(|origin| Some(origin.split_once("://")?.1));
            places.any(|place| place.eq_ignore_ascii_case(host))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_known() {
        for host in [
            "localhost",
            "LOCALHOST:8123",
            "chat.localhost:80",
            "localhost.",
            "127.0.0.1:8123",
            "127.8.9.1",
            "[::1]:8123",
            "[::1]",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "notlocalhost",
            "127.0.0.1.example.com",
            "10.0.0.1:8123",
            "[2606:4700::1111]:80",
            "0.0.0.0",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn the_hosts_of_pages_that_may_use_the_api_are_fit() {
        let origins = Origins::named(["https://chat.example.com", "http://10.0.0.1:3000"]);
        assert!(is_of(&origins, "Chat.example.com") && is_of(&origins, "10.0.0.1:3000"));
        assert!(!is_of(&origins, "example.com") && !is_of(&Origins::named(["*"]), "example.com"));
    }
}
