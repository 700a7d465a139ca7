//! Urls of servers, and how connections to them are made.

use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};
use rethread_storage::{Result, StorageError};

use crate::options::RedisOptions;

const CLUSTER: &str = "redis+cluster://";
const CLUSTER_TLS: &str = "rediss+cluster://";

/// Where to begin.
#[derive(Debug)]
pub(super) enum Entrance {
    Single(Box<ConnectionInfo>),
    /// Nodes of a cluster, any of which knows the others.
    Cluster(Vec<ConnectionInfo>),
}

/// How connections are made.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) connect_timeout: Duration,
    pub(super) response_timeout: Duration,
    /// Certificates (PEM) that are trusted instead of those of the system.
    #[cfg(feature = "tls")]
    authorities: Option<Vec<u8>>,
}

impl Settings {
    pub(super) fn new(options: &RedisOptions) -> Result<Self> {
        #[cfg(not(feature = "tls"))]
        if options.tls_ca.is_some() {
            return Err(without_tls());
        }
        Ok(Self {
            connect_timeout: options.connect_timeout,
            response_timeout: options.response_timeout,
            #[cfg(feature = "tls")]
            authorities: match &options.tls_ca {
                None => None,
                Some(path) => Some(std::fs::read(path).map_err(|error| StorageError::Config {
                    reason: format!(
                        "cannot read the certificates in {}: {error}; correct the path of the CA file",
                        path.display()
                    ),
                })?),
            },
        })
    }

    /// What makes connections to this server.
    pub(super) fn client(&self, info: ConnectionInfo) -> Result<Client> {
        let address = info.addr().to_string();
        let unusable = |error: redis::RedisError| crate::error::unreachable(&error, &address);
        #[cfg(feature = "tls")]
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            // Fails if the program has chosen one before, which is then used.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let root_cert = self.authorities.clone();
            let certificates = redis::TlsCertificates { client_tls: None, root_cert };
            return Client::build_with_tls(info, certificates).map_err(unusable);
        }
        Client::open(info).map_err(unusable)
    }
}

/// Reads the url of the options.
pub(super) fn read(url: &str) -> Result<Entrance> {
    for (scheme, single) in [(CLUSTER, "redis://"), (CLUSTER_TLS, "rediss://")] {
        let Some(rest) = url.strip_prefix(scheme) else { continue };
        let (login, nodes) = match rest.rsplit_once('@') {
            Some((login, nodes)) => (format!("{login}@"), nodes),
            None => (String::new(), rest),
        };
        let nodes = nodes.trim_end_matches('/').split(',');
        let infos = nodes.map(|node| info(&format!("{single}{login}{node}")));
        return Ok(Entrance::Cluster(infos.collect::<Result<_>>()?));
    }
    Ok(Entrance::Single(Box::new(info(url)?)))
}

fn info(url: &str) -> Result<ConnectionInfo> {
    #[cfg(not(feature = "tls"))]
    if url.starts_with("rediss:") {
        return Err(without_tls());
    }
    // The error would show the url, and with it the password.
    let info = url.into_connection_info().map_err(|error| StorageError::Config {
        reason: format!(
            "cannot read the url of Redis: expected redis://[user:password@]host[:port][/db], rediss:// for TLS, redis+cluster://host:port[,host:port...] or redis+unix:///path ({})",
            error.category()
        ),
    })?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Ok(info.set_redis_settings(settings).set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

/// The same way of connecting, to another node of the cluster.
pub(super) fn sibling(of: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    let addr = match of.addr() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => ConnectionAddr::TcpTls {
            host: host.to_owned(),
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        },
        _ => ConnectionAddr::Tcp(host.to_owned(), port),
    };
    of.clone().set_addr(addr)
}

#[cfg(not(feature = "tls"))]
fn without_tls() -> StorageError {
    StorageError::Config {
        reason: "TLS to Redis is not part of this build: build with the cargo feature `tls`, or use redis://".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_clusters_name_nodes() {
        let Ok(Entrance::Cluster(nodes)) = read("redis+cluster://u:p@a:7000,b:7001,c/") else {
            panic!("a cluster");
        };
        let shown: Vec<_> = nodes.iter().map(|node| node.addr().to_string()).collect();
        assert_eq!(shown, ["a:7000", "b:7001", "c:6379"]);
        assert!(nodes.iter().all(|node| node.redis_settings().username() == Some("u")));
        assert_eq!(sibling(&nodes[0], "d", 9).addr().to_string(), "d:9");
        assert!(matches!(read("redis://a:1/2"), Ok(Entrance::Single(_))));
        assert!(matches!(read("redis+cluster://"), Err(StorageError::Config { .. })));
    }
}
