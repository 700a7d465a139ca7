//! Connections over TLS.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rethread_redis::testing::RedisServer;
use rethread_redis::{RedisOptions, RedisStorage};
use rethread_storage::{InboxCursor, Storage, StorageError};

use crate::support::{P0, op, text};

/// An authority of the test's own, and a server that it vouches for.
struct Secured {
    _server: RedisServer,
    directory: tempfile::TempDir,
    port: u16,
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"))
        .expect("a certificate")
}

fn secured() -> Secured {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    let ca = authority();
    let key = KeyPair::generate().expect("a key");
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let params = CertificateParams::new(names).expect("parameters");
    let certificate = params.signed_by(&key, &ca).expect("a certificate");
    for (name, content) in
        [("ca.pem", ca.pem()), ("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem())]
    {
        std::fs::write(path(name), content).expect("writes");
    }
    std::fs::write(path("other.pem"), authority().pem()).expect("writes");
    let free = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = free.local_addr().expect("has an address").port();
    drop(free);
    let (cert, key, ca) = (path("cert.pem"), path("key.pem"), path("ca.pem"));
    let server = RedisServer::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
        "--tls-auth-clients",
        "no",
    ]);
    Secured { _server: server, directory, port }
}

fn options(secured: &Secured, ca: &Path) -> RedisOptions {
    let mut options = RedisOptions::new(format!("rediss://localhost:{}/", secured.port));
    options.tls_ca = Some(ca.to_owned());
    options
}

#[tokio::test]
async fn a_server_that_a_given_authority_vouches_for_is_used() {
    let secured = secured();
    let options = options(&secured, &secured.directory.path().join("ca.pem"));
    let storage = RedisStorage::connect(options).await.expect("connects");
    storage.submit(P0, op(), text("m")).await.expect("submits");
    // Waiting reads and wake-ups have connections of their own.
    let start = [(P0, InboxCursor::START)];
    let read = storage.read_inboxes(&start, 9, Duration::from_secs(60)).await.expect("reads");
    assert_eq!(read[0].message, "m");
    storage.watch_events(P0, crate::support::run()).await.expect("watches");
    storage.attach().await.expect("attaches").submit(P0, op(), text("n")).await.expect("submits");
}

#[tokio::test]
async fn a_server_that_no_known_authority_vouches_for_is_refused() {
    let secured = secured();
    let other = options(&secured, &secured.directory.path().join("other.pem"));
    let error = RedisStorage::connect(other).await.expect_err("unknown authority");
    assert!(matches!(error, StorageError::Unavailable { .. }), "{error}");
    let mut system = options(&secured, Path::new("unused"));
    system.tls_ca = None;
    let error = RedisStorage::connect(system).await.expect_err("unknown authority");
    assert!(!matches!(error, StorageError::Unknown { .. }), "{error}");
    let missing = options(&secured, &secured.directory.path().join("missing.pem"));
    let error = RedisStorage::connect(missing).await.expect_err("no file");
    assert!(matches!(error, StorageError::Config { .. }), "{error}");
}
