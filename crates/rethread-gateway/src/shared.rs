use std::sync::Arc;

use rethread_client::{Client, Store};
use tokio::sync::watch;

use crate::auth::Known;
use crate::coordinators::Owners;
use crate::limits::{Draining, InFlight, Most};
use crate::meters::GatewayMeters;
use crate::notices::Notices;
use crate::options::GatewayOptions;
use crate::records::Records;
use crate::thread_stream::Rosters;

/// What all requests share. Clones are cheap.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    options: GatewayOptions,
    records: Records,
    notices: Notices,
    owners: Owners,
    rosters: Rosters,
    /// The OpenAPI document, as it is sent.
    document: bytes::Bytes,
    /// Tokens that were looked up.
    known: Known,
    in_flight: Arc<InFlight>,
    meters: GatewayMeters,
    draining: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new(
        client: Client,
        options: GatewayOptions,
        operations: impl Iterator<Item = &'static str>,
        document: bytes::Bytes,
    ) -> Self {
        let known = Known::new(client.store(), options.tokens_fresh);
        let in_flight = Arc::new(InFlight::new(Most {
            requests: options.requests_max,
            streams: options.streams_max,
            token_streams: options.token_streams_max,
        }));
        let inner = Inner {
            records: Records::new(client.clone()),
            notices: Notices::default(),
            owners: Owners::default(),
            rosters: Rosters::default(),
            document,
            known,
            meters: GatewayMeters::new(operations, Arc::clone(&in_flight)),
            in_flight,
            draining: watch::channel(false).0,
            client,
            options,
        };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.inner.client
    }

    pub(crate) fn options(&self) -> &GatewayOptions {
        &self.inner.options
    }

    /// What is kept of assistants, threads and runs.
    pub(crate) fn records(&self) -> &Records {
        &self.inner.records
    }

    /// Word of what is asked for on threads.
    pub(crate) fn notices(&self) -> &Notices {
        &self.inner.notices
    }

    /// The newest runs of threads that are streamed.
    pub(crate) fn rosters(&self) -> &Rosters {
        &self.inner.rosters
    }

    /// What is known of the owners of partitions.
    pub(crate) fn owners(&self) -> &Owners {
        &self.inner.owners
    }

    /// The store of the programs.
    pub(crate) fn store(&self) -> Store {
        self.inner.client.store()
    }

    pub(crate) fn document(&self) -> bytes::Bytes {
        self.inner.document.clone()
    }

    pub(crate) fn known(&self) -> &Known {
        &self.inner.known
    }

    pub(crate) fn in_flight(&self) -> &Arc<InFlight> {
        &self.inner.in_flight
    }

    pub(crate) fn meters(&self) -> &GatewayMeters {
        &self.inner.meters
    }

    /// Becomes true when the gateway is told to stop. What is then cut is joined elsewhere: it
    /// does not count as given up by its reader.
    pub(crate) fn draining(&self) -> Draining {
        self.inner.draining.subscribe()
    }

    /// Whether the gateway was told to stop.
    pub(crate) fn is_draining(&self) -> bool {
        *self.inner.draining.borrow()
    }

    pub(crate) fn begin_drain(&self) {
        self.inner.draining.send_replace(true);
    }
}
