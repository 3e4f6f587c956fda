//! Configuration: defaults, then the TOML file named by `PLAZA_CONFIG`, then
//! `PLAZA_<SECTION>__<FIELD>` from the environment. A struct per concern; nothing else reads the
//! environment. [`Config::load`] validates, and printing a `Config` shows no secret.

mod defaults;
mod media;
pub mod network;
mod serving;
mod stores;
mod upkeep;

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

pub use media::{MediaConfig, S3Config};
pub use serving::{AdminConfig, AuthConfig, LimitsConfig, MAX_RESPONSE_BYTES, ServerConfig};
pub use stores::{KafkaConfig, PostgresConfig, RabbitmqConfig, RedisConfig, ShardUrls};
pub use upkeep::{LedgerConfig, NotificationsConfig};

/// Configuration of every role.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The public HTTP endpoint.
    #[serde(default)]
    pub server: ServerConfig,
    /// The port for health and metrics, separate from the public endpoint.
    #[serde(default)]
    pub admin: AdminConfig,
    /// The PostgreSQL shards.
    pub postgres: PostgresConfig,
    /// Redis: cache, timelines, streams and rate limits.
    pub redis: RedisConfig,
    /// RabbitMQ: jobs.
    pub rabbitmq: RabbitmqConfig,
    /// Kafka: events.
    pub kafka: KafkaConfig,
    /// Tokens and passwords.
    pub auth: AuthConfig,
    /// Rate limits. Buckets are shared by all servers through Redis.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Home timelines.
    #[serde(default)]
    pub feed: FeedConfig,
    /// Views of posts.
    #[serde(default)]
    pub views: ViewsConfig,
    /// Processing of orders.
    #[serde(default)]
    pub orders: OrdersConfig,
    /// Images: their storage, limits and URLs.
    #[serde(default)]
    pub media: MediaConfig,
    /// The payment simulator and its injected faults.
    #[serde(default)]
    pub payments: PaymentsConfig,
    /// The ledger, as workers run it.
    #[serde(default)]
    pub ledger: LedgerConfig,
    /// How long notifications are kept.
    #[serde(default)]
    pub notifications: NotificationsConfig,
    /// Logs and traces.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
}

/// `feed.*`: home timelines.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeedConfig {
    /// Post ids kept per materialised timeline, at least 100.
    pub timeline_length: usize,
    /// Number of followers from which an author's posts are pulled when a home is read, instead of
    /// pushed to followers.
    pub pull_from: i64,
    /// Number of followers below which a pulled author is pushed again; at most `pull_from`, and
    /// lower to avoid oscillation.
    pub push_below: i64,
    /// Time after which a timeline that is not read is dropped, in seconds.
    pub idle_s: u64,
}

impl Default for FeedConfig {
    fn default() -> Self {
        Self { timeline_length: 400, pull_from: 10_000, push_below: 8_000, idle_s: 7 * 24 * 3_600 }
    }
}

/// `views.*`: views of posts.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ViewsConfig {
    /// Path by which views are counted. Only in executables built with the feature `case-studies`.
    #[cfg(feature = "case-studies")]
    #[schemars(extend("default" = "by_the_log"))]
    pub counted: ViewsCounted,
    /// Whether a post counts at most once per viewer and hour.
    pub once_an_hour: bool,
}

impl Default for ViewsConfig {
    fn default() -> Self {
        Self {
            #[cfg(feature = "case-studies")]
            counted: ViewsCounted::default(),
            once_an_hour: true,
        }
    }
}

/// Path by which views are counted.
#[cfg(feature = "case-studies")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ViewsCounted {
    /// Through Kafka, by the projector.
    #[default]
    ByTheLog,
    /// In the request, by updating the rows. Case 2.2 compares Kafka with it.
    ByTheRequest,
}

/// `orders.*`: orders.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OrdersConfig {
    /// Completes an order before `orderPlace` returns and enqueues no job. Case 2.1 compares jobs
    /// with it. Every buyer then waits for the payment provider, sees its failures, and has to send
    /// the order again to continue it. Only in executables built with the feature `case-studies`.
    #[cfg(feature = "case-studies")]
    pub saga_in_request: bool,
}

/// `payments.*`: faults injected into the deterministic payment simulator.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PaymentsConfig {
    /// Duration of a capture, in milliseconds.
    pub latency_ms: u64,
    /// Share of orders whose capture is declined, in thousandths; chosen by order id.
    pub decline_permille: u16,
    /// Share of capture attempts that fail transiently, in thousandths; 1000 means that the
    /// provider is down.
    pub fail_permille: u16,
    /// Share of orders whose capture fails at every attempt, in thousandths; chosen by order id,
    /// and disjoint from declined orders. Both together are at most 1000.
    pub poison_permille: u16,
}

/// `telemetry.*`: logs and traces.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// Log filter, in the syntax of `tracing`. Unless it names `lapin`, closed channels to
    /// RabbitMQ are left out.
    pub filter: String,
    /// Whether to log one JSON object per line instead of text.
    pub json: bool,
    /// Base URL of a collector for spans (OTLP over HTTP); must start with `http://`. Without it no
    /// span is exported.
    #[schemars(example = "http://collector:4318")]
    pub otlp_endpoint: Option<String>,
    /// Share of traces that are exported, 0 to 1.
    pub sample_ratio: f64,
    /// Base URL of Prometheus as an operator's browser reaches it, `http://` or `https://`. The
    /// operator's page shows the alarms that are firing there. Without it, none.
    #[schemars(example = "http://127.0.0.1:4290")]
    pub prometheus_url: Option<String>,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            filter: "warn,plaza=info".to_owned(),
            json: false,
            otlp_endpoint: None,
            sample_ratio: 1.0,
            prometheus_url: None,
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
        if self.redis.trust_ms <= 1_000 {
            return wrong("redis.trust_ms must be above 1000");
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
        if self.telemetry.prometheus_url.as_ref().is_some_and(|url| !is_web_address(url)) {
            return wrong("telemetry.prometheus_url must be an http:// or https:// URL");
        }
        if let Some(what) = self.ledger.wrong().or_else(|| self.notifications.wrong()) {
            return wrong(what);
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

/// Whether a text can be the base URL of a web server, also where it stands in a header.
fn is_web_address(url: &str) -> bool {
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    host.is_some_and(|host| {
        let stands_there = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c);
        host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
            && host.chars().all(stands_there)
    })
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
