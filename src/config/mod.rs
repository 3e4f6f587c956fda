//! Configuration: defaults, then the TOML file named by `PLAZA_CONFIG`, then
//! `PLAZA_<SECTION>__<FIELD>` from the environment. A struct per concern; nothing else reads the
//! environment. [`Config::load`] validates, and printing a `Config` shows no secret.

mod defaults;
mod media;
pub mod network;
mod serving;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

pub use media::{MediaConfig, S3Config};
pub use serving::{AdminConfig, AuthConfig, LimitsConfig, ServerConfig};

/// Everything a role needs to know before it starts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The public HTTP endpoint.
    #[serde(default)]
    pub server: ServerConfig,
    /// Health and metrics, apart from the public endpoint.
    #[serde(default)]
    pub admin: AdminConfig,
    /// The shards.
    pub postgres: PostgresConfig,
    /// Cache and timelines.
    pub redis: RedisConfig,
    /// Jobs.
    pub rabbitmq: RabbitmqConfig,
    /// Events.
    pub kafka: KafkaConfig,
    /// Tokens and passwords.
    pub auth: AuthConfig,
    /// How much clients may ask for.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Home timelines.
    #[serde(default)]
    pub feed: FeedConfig,
    /// Views of posts.
    #[serde(default)]
    pub views: ViewsConfig,
    /// Where an order's saga runs.
    #[serde(default)]
    pub orders: OrdersConfig,
    /// Images.
    #[serde(default)]
    pub media: MediaConfig,
    /// The payment simulator.
    #[serde(default)]
    pub payments: PaymentsConfig,
    /// Logs and traces.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
}

/// `postgres.*`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// One entry a shard, in order. In the environment: `primary|replica|replica,primary|replica
    /// ..`.
    #[serde(deserialize_with = "shards")]
    pub shards: Vec<ShardUrls>,
    /// Connections to each primary, per process.
    #[serde(default = "defaults::pool")]
    pub primary_pool: u32,
    /// Connections to each replica, per process.
    #[serde(default = "defaults::pool")]
    pub replica_pool: u32,
    /// How long a query may run, in milliseconds.
    #[serde(default = "defaults::query_ms")]
    pub query_timeout_ms: u64,
    /// How long a request may wait for a connection, in milliseconds.
    #[serde(default = "defaults::checkout_ms")]
    pub checkout_timeout_ms: u64,
    /// How often each replica's replayed position is read, in milliseconds.
    #[serde(default = "defaults::poll_ms")]
    pub replica_poll_ms: u64,
    /// A replica that lags longer than this, in milliseconds, serves nobody until it is below half
    /// of it again.
    #[serde(default = "defaults::lag_ms")]
    pub replica_max_lag_ms: u64,
}

/// Where one shard's servers are.
#[derive(Clone)]
pub struct ShardUrls {
    /// The primary.
    pub primary: SecretString,
    /// Its replicas; may be empty.
    pub replicas: Vec<SecretString>,
}

impl fmt::Debug for ShardUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replicas: Vec<String> = self.replicas.iter().map(redacted).collect();
        write!(f, "{}|{}", redacted(&self.primary), replicas.join("|"))
    }
}

/// `redis.*`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// `redis://host:port/db`. The server must come back empty after a crash (no persistence):
    /// timelines are rebuilt.
    pub url: SecretString,
    /// What every key starts with.
    #[serde(default = "defaults::prefix")]
    pub key_prefix: String,
    /// Connections per process; each carries many commands at a time.
    #[serde(default = "defaults::redis_pool")]
    pub pool: u32,
    /// How long a command may take, in milliseconds, before Redis counts as away.
    #[serde(default = "defaults::redis_ms")]
    pub timeout_ms: u64,
    /// How long a cached value lives, in milliseconds; 0: nothing is cached, here or in Redis.
    /// Other processes are still told of changes.
    #[serde(default = "defaults::cache_ms")]
    pub cache_ttl_ms: u64,
    /// How long a value may be served from process memory, in milliseconds; 0 turns that level off.
    #[serde(default = "defaults::l1_ms")]
    pub l1_ttl_ms: u64,
    /// Watchers of a process that begin, or look for what they have missed, at a time, at least 1.
    /// After a restart that is all of them: the more at once, the sooner the last is there, and the
    /// longer everybody else waits for Redis and the processor meanwhile.
    #[serde(default = "defaults::looks_at_once")]
    pub looks_at_once: usize,
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("url", &redacted(&self.url))
            .field("key_prefix", &self.key_prefix)
            .field("pool", &self.pool)
            .field("timeout_ms", &self.timeout_ms)
            .field("cache_ttl_ms", &self.cache_ttl_ms)
            .field("l1_ttl_ms", &self.l1_ttl_ms)
            .field("looks_at_once", &self.looks_at_once)
            .finish()
    }
}

/// `rabbitmq.*`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RabbitmqConfig {
    /// `amqp://user:password@host:port/vhost`.
    pub url: SecretString,
    /// The management API's address with credentials, where there is one; used by tests and
    /// operators only.
    #[serde(default)]
    pub management_url: Option<SecretString>,
    /// Unacknowledged jobs a worker holds per queue, at least; never fewer than it runs.
    #[serde(default = "defaults::prefetch")]
    pub prefetch: u16,
    /// Orders that a worker brings on at the same time: most of an order's time is the payment
    /// provider's.
    #[serde(default = "defaults::orders_at_once")]
    pub orders_at_once: u16,
    /// How long a failed job waits before each next attempt, in milliseconds; after the last it is
    /// dead.
    #[serde(default = "defaults::retry_delays_ms")]
    pub retry_delays_ms: Vec<u32>,
}

impl fmt::Debug for RabbitmqConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitmqConfig")
            .field("url", &redacted(&self.url))
            .field("prefetch", &self.prefetch)
            .field("orders_at_once", &self.orders_at_once)
            .field("retry_delays_ms", &self.retry_delays_ms)
            .finish_non_exhaustive()
    }
}

/// `kafka.*`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// `host:port,host:port`.
    pub brokers: String,
    /// What every topic's name starts with.
    #[serde(default = "defaults::prefix")]
    pub topic_prefix: String,
    /// Partitions of each topic, when plaza creates it.
    #[serde(default = "defaults::partitions")]
    pub partitions: i32,
    /// Copies of each partition, when plaza creates it.
    #[serde(default = "defaults::replication")]
    pub replication: i32,
}

/// `feed.*`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeedConfig {
    /// Post ids kept per materialised timeline.
    pub timeline_length: usize,
    /// Followers from which an author's posts are pulled at read instead of pushed.
    pub pull_from: i64,
    /// Followers below which such an author is pushed again; lower, so that nobody flaps.
    pub push_below: i64,
    /// How long a timeline that nobody reads is kept, in seconds.
    pub idle_s: u64,
}

impl Default for FeedConfig {
    fn default() -> Self {
        Self { timeline_length: 400, pull_from: 10_000, push_below: 8_000, idle_s: 7 * 24 * 3_600 }
    }
}

/// `views.*`
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ViewsConfig {
    /// How a view is counted.
    pub counted: ViewsCounted,
}

/// How a view is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewsCounted {
    /// Through Kafka, by the projector.
    #[default]
    ByTheLog,
    /// In the request that tells of it, by an update of the rows: what case 2.2 compares the log
    /// with.
    ByTheRequest,
}

/// `orders.*`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OrdersConfig {
    /// Brings an order to its end before `orderPlace` answers, and makes no job of it: what case
    /// 2.1 measures jobs against. Every buyer waits for the provider, is told of its failures, and
    /// has to send the order again to have it gone on with.
    pub saga_in_request: bool,
}

/// `payments.*`: the deterministic simulator's injectable faults.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaymentsConfig {
    /// How long a capture takes, in milliseconds.
    pub latency_ms: u64,
    /// Captures refused, in thousandths of all orders, chosen by the order's id.
    pub decline_permille: u16,
    /// Captures that fail for a while, in thousandths of all attempts; 1000: the provider is down.
    pub fail_permille: u16,
    /// Captures that fail at every attempt, in thousandths of all orders, chosen by the order's id;
    /// refused ones are others.
    pub poison_permille: u16,
}

/// `telemetry.*`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// What to log, in `tracing`'s filter syntax.
    pub filter: String,
    /// One JSON object a line instead of text.
    pub json: bool,
    /// Where spans go, by OTLP over HTTP: `http://collector:4318`. Nowhere when not set.
    pub otlp_endpoint: Option<String>,
    /// The share of traces that goes there, 0 to 1.
    pub sample_ratio: f64,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            filter: "warn,plaza=info".to_owned(),
            json: false,
            otlp_endpoint: None,
            sample_ratio: 1.0,
        }
    }
}

/// What is wrong with the configuration, in words for an operator.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(pub String);

impl Config {
    /// Reads the file (`PLAZA_CONFIG`, when set) and the environment, and validates.
    ///
    /// # Errors
    /// A file that is not there, a field that is unknown, missing or out of bounds.
    pub fn load(file: Option<&PathBuf>) -> Result<Self, ConfigError> {
        let mut builder = config::Config::builder();
        if let Some(file) = file {
            builder = builder
                .add_source(config::File::from(file.as_path()).format(config::FileFormat::Toml));
        }
        let environment = config::Environment::with_prefix("PLAZA")
            .prefix_separator("_")
            .separator("__")
            .try_parsing(true);
        let loaded: Self = builder
            .add_source(Only(environment))
            .build()
            .and_then(config::Config::try_deserialize)
            .map_err(|error| ConfigError(error.to_string()))?;
        loaded.validated()
    }

    fn validated(self) -> Result<Self, ConfigError> {
        let wrong = |what: &str| Err(ConfigError(what.to_owned()));
        if self.postgres.shards.is_empty() {
            return wrong("postgres.shards names no shard");
        }
        if self.postgres.primary_pool == 0
            || self.postgres.replica_pool == 0
            || self.redis.pool == 0
        {
            return wrong("a pool needs at least one connection");
        }
        if self.feed.push_below > self.feed.pull_from {
            return wrong("feed.push_below must not be above feed.pull_from");
        }
        if self.feed.timeline_length < 100 {
            return wrong("feed.timeline_length must be at least 100, the largest page");
        }
        let payments = &self.payments;
        if payments.fail_permille > 1000
            || payments.decline_permille.saturating_add(payments.poison_permille) > 1000
        {
            return wrong(
                "payments.*_permille is out of 1000, declined and poisonous orders together too",
            );
        }
        if self.rabbitmq.prefetch == 0 || self.rabbitmq.orders_at_once == 0 {
            return wrong(
                "a worker that takes no job at a time does no work: rabbitmq.prefetch, rabbitmq.orders_at_once",
            );
        }
        if !(0.0..=1.0).contains(&self.telemetry.sample_ratio) {
            return wrong("telemetry.sample_ratio is a share, 0 to 1");
        }
        if self
            .telemetry
            .otlp_endpoint
            .as_ref()
            .is_some_and(|endpoint| !endpoint.starts_with("http://"))
        {
            return wrong(
                "telemetry.otlp_endpoint must begin with http:// (a collector beside plaza; TLS is its business)",
            );
        }
        if let Some(what) = self.media.wrong() {
            return wrong(what);
        }
        Ok(self)
    }

    /// The deadline of one request.
    pub fn request_deadline(&self) -> Duration {
        Duration::from_millis(self.server.deadline_ms)
    }
}

/// The environment's `PLAZA_*` variables that name a section (`PLAZA_A__B`); the others
/// (`PLAZA_CONFIG`, `PLAZA_BIN`) are for scripts.
#[derive(Debug, Clone)]
struct Only(config::Environment);

impl config::Source for Only {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }
    fn collect(&self) -> Result<config::Map<String, config::Value>, config::ConfigError> {
        let mut all = self.0.collect()?;
        all.retain(|key, _| key.contains('.'));
        Ok(all)
    }
}

/// A URL as it may be printed: with the password starred.
pub fn redacted(url: &SecretString) -> String {
    let url = url.expose_secret();
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 <= at => {
            let credentials = url.get(scheme + 3..at).unwrap_or_default();
            let user = credentials.split(':').next().unwrap_or_default();
            format!(
                "{}://{user}:***{}",
                url.get(..scheme).unwrap_or_default(),
                url.get(at..).unwrap_or_default()
            )
        }
        _ => url.to_owned(),
    }
}

fn shards<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ShardUrls>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        List(Vec<String>),
        Line(String),
    }
    let entries = match Form::deserialize(deserializer)? {
        Form::List(list) => list,
        Form::Line(line) => line.split(',').map(str::to_owned).collect(),
    };
    let mut parsed = Vec::new();
    for entry in entries {
        let mut urls = entry.split('|').map(str::trim).filter(|url| !url.is_empty());
        let Some(primary) = urls.next() else {
            return Err(serde::de::Error::custom("postgres.shards: an entry is empty"));
        };
        parsed
            .push(ShardUrls { primary: primary.into(), replicas: urls.map(Into::into).collect() });
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_printed() {
        let urls = ShardUrls {
            primary: "postgres://plaza:secret@h:1/db".into(),
            replicas: vec!["postgres://plaza:secret@h:2/db".into()],
        };
        let printed = format!("{urls:?}");
        assert!(!printed.contains("secret"), "{printed}");
        assert!(printed.contains("plaza:***@h:2/db"), "{printed}");
    }
}
