use std::time::Duration;

use crate::auth::Auth;
use crate::cors::Origins;
use crate::limits::BodyLimits;
use crate::webhooks::WebhookRules;

/// Settings of a [`Gateway`](crate::Gateway).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GatewayOptions {
    /// Whether requests need a token. Default: no. [`Auth::of_listener`] says what a listener
    /// should ask for.
    pub auth: Auth,
    /// How long a token that was looked up is not looked up again: as long as one that was
    /// revoked may still work. Default 3 s.
    pub tokens_fresh: Duration,
    /// Most bytes of the body of a request; larger ones are refused with 413. Default 5 MiB,
    /// somewhat more than a value may have.
    pub body_bytes_max: usize,
    /// Most elements and members of the body of a request, counted at all levels; one with more is
    /// refused with 422. Default 100,000.
    pub body_items_max: usize,
    /// How long the body of a request may take to come. Default 30 s.
    pub body_time: Duration,
    /// How long the head of a request may take to come, and how long a connection is kept
    /// without one. Default 10 s, longer than clients keep idle connections.
    pub head_time: Duration,
    /// Most connections at a time; further ones wait to be accepted. Default 8,192.
    pub connections_max: usize,
    /// Most requests of one tenant in progress, without streams; further ones are refused with
    /// 429. Default 2,000.
    pub requests_max: usize,
    /// Most streams of one tenant; further ones are refused with 429. Default 2,000.
    pub streams_max: usize,
    /// Most streams of one token; further ones are refused with 429. Default 100.
    pub token_streams_max: usize,
    /// Most bytes of a list as an answer, such as a history or what a search finds; a longer one is
    /// refused with 422, unless it has one member. Default 32 MiB.
    pub answer_bytes_max: usize,
    /// Whether requests must name this machine (`localhost`, `127.0.0.1`) or a host of the origins
    /// that may use the API, so that no page of the internet reaches it by a name of its own that
    /// leads here. Default: no. For a listener on loopback that asks for no token.
    pub only_local_names: bool,
    /// How long a coordinator may take to do what a request needs one for, such as to cancel a run
    /// or to edit a state, and how long it may be that there is none before whoever waits for a
    /// run hears of it. Default 30 s.
    pub coordinator_time: Duration,
    /// How often a stream without traffic says that it lives. Default 5 s.
    pub heartbeat: Duration,
    /// Where the end of a run may be told. Default: nowhere.
    pub webhooks: Option<WebhookRules>,
    pub(crate) cors_origins: Origins,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            auth: Auth::Off,
            tokens_fresh: Duration::from_secs(3),
            body_bytes_max: 5 << 20,
            body_items_max: 100_000,
            body_time: Duration::from_secs(30),
            head_time: Duration::from_secs(10),
            connections_max: 8_192,
            requests_max: 2_000,
            streams_max: 2_000,
            token_streams_max: 100,
            answer_bytes_max: 32 << 20,
            only_local_names: false,
            coordinator_time: Duration::from_secs(30),
            heartbeat: Duration::from_secs(5),
            webhooks: None,
            cors_origins: Origins::All,
        }
    }
}

impl GatewayOptions {
    /// The same with another answer to whether requests need a token.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// The same with another time for which lookups of tokens are remembered.
    #[must_use]
    pub fn tokens_fresh(mut self, time: Duration) -> Self {
        self.tokens_fresh = time;
        self
    }

    /// The same with another limit for the bodies of requests.
    #[must_use]
    pub fn body_bytes_max(mut self, bytes: usize) -> Self {
        self.body_bytes_max = bytes;
        self
    }

    /// The same with another limit for the elements and members of the bodies of requests.
    #[must_use]
    pub fn body_items_max(mut self, items: usize) -> Self {
        self.body_items_max = items;
        self
    }

    /// The same with another time for the bodies of requests.
    #[must_use]
    pub fn body_time(mut self, time: Duration) -> Self {
        self.body_time = time;
        self
    }

    /// The same with another time for the heads of requests.
    #[must_use]
    pub fn head_time(mut self, time: Duration) -> Self {
        self.head_time = time;
        self
    }

    /// The same with another limit for connections.
    #[must_use]
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections;
        self
    }

    /// The same with another limit for the requests of a tenant.
    #[must_use]
    pub fn requests_max(mut self, requests: usize) -> Self {
        self.requests_max = requests;
        self
    }

    /// The same with another limit for the streams of a tenant.
    #[must_use]
    pub fn streams_max(mut self, streams: usize) -> Self {
        self.streams_max = streams;
        self
    }

    /// The same with another limit for the streams of a token.
    #[must_use]
    pub fn token_streams_max(mut self, streams: usize) -> Self {
        self.token_streams_max = streams;
        self
    }

    /// The same with another limit for lists as answers.
    #[must_use]
    pub fn answer_bytes_max(mut self, bytes: usize) -> Self {
        self.answer_bytes_max = bytes;
        self
    }

    /// The same with another answer to whether requests must name this machine.
    #[must_use]
    pub fn only_local_names(mut self, only: bool) -> Self {
        self.only_local_names = only;
        self
    }

    /// The same with another time for what a coordinator does.
    #[must_use]
    pub fn coordinator_time(mut self, time: Duration) -> Self {
        self.coordinator_time = time;
        self
    }

    /// The same with another time between heartbeats.
    #[must_use]
    pub fn heartbeat(mut self, every: Duration) -> Self {
        self.heartbeat = every;
        self
    }

    /// The same with rules by which the end of a run may be told.
    #[must_use]
    pub fn webhooks(mut self, rules: WebhookRules) -> Self {
        self.webhooks = Some(rules);
        self
    }

    /// The same for pages of these origins, such as `https://chat.example.com`, in place of all.
    /// `*` stands for all.
    #[must_use]
    pub fn cors_origins<O: AsRef<str>>(mut self, origins: impl IntoIterator<Item = O>) -> Self {
        self.cors_origins = Origins::named(origins);
        self
    }

    pub(crate) fn body_limits(&self) -> BodyLimits {
        BodyLimits {
            bytes_max: self.body_bytes_max,
            items_max: self.body_items_max,
            time: self.body_time,
        }
    }
}
