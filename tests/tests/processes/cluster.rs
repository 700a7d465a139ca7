use std::path::Path;

use rethread::{Client, client};
use rethread_redis::testing::RedisServer;
use rethread_tests::{Service, Stage};

/// A Redis with services around it.
pub(crate) struct Cluster {
    pub(crate) redis: RedisServer,
    pub(crate) stage: Stage,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        Self { redis: RedisServer::start(), stage: Stage::default() }
    }

    pub(crate) fn app() -> &'static Path {
        Path::new(env!("CARGO_BIN_EXE_rethread-test-app"))
    }

    fn service(&self, role: &str, settings: &[(&str, &str)]) -> Service {
        let url = self.redis.url();
        let mut all = vec![("RETHREAD_REDIS_URL", url.as_str()), ("RETHREAD_LEASE_TTL_MS", "1000")];
        all.extend(settings);
        Service::start(Self::app(), &self.stage, &[role], &all)
    }

    /// A coordinator that is ready.
    pub(crate) fn coordinator(&self) -> Service {
        let coordinator = self.service("coordinator", &[]);
        coordinator.wait_for_log("ready");
        coordinator
    }

    /// A coordinator that may find all partitions taken.
    pub(crate) fn standby(&self) -> Service {
        self.service("coordinator", &[])
    }

    /// A worker that is ready.
    pub(crate) fn worker(&self) -> Service {
        let worker = self.service("worker", &[("RETHREAD_WORKER_SLOTS", "4")]);
        worker.wait_for_log("ready");
        worker
    }

    pub(crate) async fn client(&self) -> client::Result<Client> {
        Client::connect(self.redis.url()).await
    }
}
