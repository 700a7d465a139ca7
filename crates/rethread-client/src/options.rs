use std::path::PathBuf;
use std::time::Duration;

use rethread_core::thread::Limits;

/// A storage forgets the op id of a request after ten minutes at the earliest; repeating one
/// must end before that.
const RETRY_FOR_MAX: Duration = Duration::from_secs(9 * 60);

/// Settings of a [`Client`](crate::Client).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientOptions {
    /// The installation to speak to, where several share a server. Only for
    /// [`Client::connect_with`](crate::Client::connect_with). Default `default`.
    pub namespace: String,
    /// File with the certificates (PEM) that the certificate of Redis is checked against, for
    /// addresses with TLS. Only for [`Client::connect_with`](crate::Client::connect_with).
    /// Default: those of the system.
    pub tls_ca: Option<PathBuf>,
    /// How long an operation is repeated while the storage cannot be reached; at most nine
    /// minutes. Default 30 s.
    pub retry_for: Duration,
    /// How often a waiting reader looks for events without being woken, in case a wake-up is
    /// lost. Default 5 s.
    pub poll_interval: Duration,
    /// Most bytes of one value of a request, encoded: an input, an answer, a context. Larger ones
    /// are refused before they are sent. It should be the setting of the coordinators.
    /// Default 4 MiB.
    pub payload_bytes_max: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            tls_ca: None,
            retry_for: Duration::from_secs(30),
            poll_interval: Duration::from_secs(5),
            payload_bytes_max: Limits::default().payload_bytes_max,
        }
    }
}

impl ClientOptions {
    /// The same with another namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The same with a file of certificates for TLS.
    #[must_use]
    pub fn tls_ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.tls_ca = Some(file.into());
        self
    }

    /// The same with another time for repeating operations.
    #[must_use]
    pub fn retry_for(mut self, retry_for: Duration) -> Self {
        self.retry_for = retry_for;
        self
    }

    pub(crate) fn within_limits(mut self) -> Self {
        self.retry_for = self.retry_for.min(RETRY_FOR_MAX);
        self
    }

    /// The same with another limit for the size of values.
    #[must_use]
    pub fn payload_bytes_max(mut self, bytes: usize) -> Self {
        self.payload_bytes_max = bytes;
        self
    }

    /// The same with another poll interval.
    #[must_use]
    pub fn poll_interval(mut self, poll_interval: Duration) -> Self {
        self.poll_interval = poll_interval;
        self
    }
}
