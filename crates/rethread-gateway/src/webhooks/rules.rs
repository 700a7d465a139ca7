use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use reqwest::Url;

use super::WebhookSecret;

/// Where the end of a run may be told.
///
/// ```
/// use rethread_gateway::{GatewayOptions, WebhookRules};
///
/// let rules = WebhookRules::to_hosts(["hooks.example.com"]);
/// let options = GatewayOptions::default().webhooks(rules);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookRules {
    /// The hosts that may be asked. `*.example.com` stands for all hosts below `example.com`.
    pub hosts: Vec<String>,
    /// Whether hosts may be asked without encryption. Default no.
    pub allow_http: bool,
    /// Whether hosts may be asked that are this machine or in its network. Default no.
    pub allow_private: bool,
    /// What messages are signed with. Default nothing: whoever gets one cannot know that it is
    /// from here.
    pub secret: Option<WebhookSecret>,
    /// How long a host may take to answer. Default 5 s.
    pub timeout: Duration,
    /// Most bytes that are sent; the values of a run that has more are left out. Default 64 KiB.
    pub body_bytes_max: usize,
}

impl WebhookRules {
    /// Hosts that may be asked, over https and outside this network.
    pub fn to_hosts(hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            hosts: hosts.into_iter().map(|host| host.into().to_ascii_lowercase()).collect(),
            allow_http: false,
            allow_private: false,
            secret: None,
            timeout: Duration::from_secs(5),
            body_bytes_max: 64 << 10,
        }
    }

    /// The same, with messages that are signed.
    #[must_use]
    pub fn signed_with(mut self, secret: WebhookSecret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// The same, also without encryption.
    #[must_use]
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = allow;
        self
    }

    /// The same, also for hosts that are this machine or in its network.
    #[must_use]
    pub fn allow_private(mut self, allow: bool) -> Self {
        self.allow_private = allow;
        self
    }

    /// The address, if it may be asked; else why not.
    pub(super) fn allow(&self, url: &str) -> Result<Url, &'static str> {
        let url = Url::parse(url).map_err(|_| "it is not a URL")?;
        let is_fit = match url.scheme() {
            "https" => true,
            "http" => self.allow_http,
            _ => false,
        };
        if !is_fit {
            return Err("its address must begin with https://");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("its address must not have a name or a password");
        }
        let host = url.host_str().ok_or("its address has no host")?.to_ascii_lowercase();
        if !self.hosts.iter().any(|pattern| fits(pattern, &host)) {
            return Err("the operator does not allow its host");
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if literal.is_ok_and(|address| !self.allow_address(address)) {
            return Err("its host is in the network of the server");
        }
        Ok(url)
    }

    /// Whether an address that a host has may be asked.
    pub(super) fn allow_address(&self, address: IpAddr) -> bool {
        let is_public = match address {
            IpAddr::V4(v4) => is_public_v4(v4),
            IpAddr::V6(v6) => is_public_v6(v6),
        };
        self.allow_private || is_public
    }
}

fn fits(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')),
        None => pattern == host,
    }
}

/// Whether an address is one of the internet at large.
fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, ..] = v4.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_benchmark = a == 198 && (b == 18 || b == 19);
    let is_special = a == 0 || a >= 224 || (a == 192 && b == 0);
    !(v4.is_loopback()
        || v4.is_private()
        || v4.is_link_local()
        || v4.is_documentation()
        || is_shared
        || is_benchmark
        || is_special)
}

/// The same: addresses of the internet begin with 2 or 3, without the ways to reach version 4.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    if let Some(v4) = v6.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let [first, second, ..] = v6.segments();
    let is_tunnel = first == 0x2002 || (first == 0x2001 && second < 0x0200);
    let is_documentation = (first == 0x2001 && second == 0x0db8) || first == 0x3fff;
    (0x2000..0x4000).contains(&first) && !is_tunnel && !is_documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_hosts_are_asked() {
        let rules = WebhookRules::to_hosts(["Hooks.example.com", "*.acme.org", "127.0.0.1"]);
        for url in ["https://hooks.example.com/x?y", "https://a.b.acme.org", "HTTPS://A.ACME.ORG/"]
        {
            assert!(rules.allow(url).is_ok(), "{url}");
        }
        for url in [
            "http://hooks.example.com/x",
            "https://example.com",
            "https://acme.org",
            "https://evilacme.org",
            "https://u:p@hooks.example.com",
            "https://hooks.example.com.evil.org",
            "file:///etc/passwd",
            "hooks.example.com",
            "https://127.0.0.1/",
        ] {
            assert!(rules.allow(url).is_err(), "{url}");
        }
        let open = rules.allow_http(true).allow_private(true);
        assert!(open.allow("http://127.0.0.1:8080/x").is_ok());
    }

    #[test]
    fn addresses_of_the_own_network_are_not_asked() {
        let rules = WebhookRules::to_hosts(["x"]);
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
        ] {
            assert!(!rules.allow_address(address.parse().expect("an address")), "{address}");
        }
        for address in ["1.1.1.1", "93.184.216.34", "2606:4700::1111"] {
            assert!(rules.allow_address(address.parse().expect("an address")), "{address}");
        }
    }
}
