//! Where the servers are that hold and carry the data, and how they are used.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use super::{defaults, redacted};

fn example_shards() -> Vec<&'static str> {
    vec!["postgres://plaza:secret@db:5432/shard0|postgres://plaza:secret@db-replica:5432/shard0"]
}

/// `postgres.*`: the PostgreSQL shards.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// URLs of each shard, in order: `primary|replica|replica`. In the environment the shards are
    /// separated by commas. With `sslmode=verify-full` a connection is encrypted and the server's
    /// certificate and name are verified; `sslrootcert` names a PEM file with the certificate
    /// authorities. Other modes than that and `disable`, the default, are refused.
    #[serde(deserialize_with = "shards")]
    #[schemars(with = "Vec<String>", example = example_shards())]
    pub shards: Vec<ShardUrls>,
    /// Connections to each primary per process, at least 1.
    #[serde(default = "defaults::pool")]
    pub primary_pool: u32,
    /// Connections to each replica per process, at least 1.
    #[serde(default = "defaults::pool")]
    pub replica_pool: u32,
    /// Timeout of a statement, in milliseconds.
    #[serde(default = "defaults::query_ms")]
    pub query_timeout_ms: u64,
    /// Timeout for getting a connection from a pool, in milliseconds.
    #[serde(default = "defaults::checkout_ms")]
    pub checkout_timeout_ms: u64,
    /// Interval at which each replica's replayed position is read, in milliseconds.
    #[serde(default = "defaults::poll_ms")]
    pub replica_poll_ms: u64,
    /// Lag from which a replica is ejected, in milliseconds; it serves again when its lag is below
    /// half of this.
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

/// `redis.*`: cache, timelines, streams and rate limits.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// URL of the server, `redis://host:port/db`, or `rediss://user:password@host:port/db` with
    /// TLS; then `ssl_ca_certs` names a PEM file with its certificate authorities. It must not
    /// persist data: after a crash it has to come back empty.
    #[schemars(with = "String", example = "redis://127.0.0.1:6379/0")]
    pub url: SecretString,
    /// Prefix of every key.
    #[serde(default = "defaults::prefix")]
    pub key_prefix: String,
    /// Connections per process, at least 1; commands are pipelined.
    #[serde(default = "defaults::redis_pool")]
    pub pool: u32,
    /// Timeout of a command, in milliseconds; after it Redis counts as unavailable.
    #[serde(default = "defaults::redis_ms")]
    pub timeout_ms: u64,
    /// Number of servers that share this Redis, at least 1. While Redis is unavailable, each grants
    /// this fraction of every limit.
    #[serde(default = "defaults::servers")]
    pub servers: u64,
    /// Lifetime of a cached value, in milliseconds; 0 disables the cache. Invalidations are
    /// published in any case.
    #[serde(default = "defaults::cache_ms")]
    pub cache_ttl_ms: u64,
    /// Time for which a value is served from process memory unless it changes, in milliseconds; 0
    /// disables that level. Only servers have it, and read it only while their connection for
    /// invalidations answers.
    #[serde(default = "defaults::l1_ms")]
    pub l1_ttl_ms: u64,
    /// Size of that memory, in bytes, of which 0 disables it. What is read least often is forgotten
    /// first.
    #[serde(default = "defaults::l1_bytes")]
    pub l1_max_bytes: u64,
    /// Time for which the cache is trusted without a successful poll of its generation, in
    /// milliseconds; above 1000. Processes poll four times a second, and a hung shard delays a poll
    /// by half a second.
    #[serde(default = "defaults::trust_ms")]
    pub trust_ms: u64,
    /// Watchers of a process that start or catch up at the same time, at least 1. A higher value
    /// shortens the recovery after a restart, and lengthens the waits of other requests meanwhile.
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
            .field("servers", &self.servers)
            .field("cache_ttl_ms", &self.cache_ttl_ms)
            .field("l1_ttl_ms", &self.l1_ttl_ms)
            .field("l1_max_bytes", &self.l1_max_bytes)
            .field("trust_ms", &self.trust_ms)
            .field("looks_at_once", &self.looks_at_once)
            .finish()
    }
}

/// `rabbitmq.*`: jobs.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RabbitmqConfig {
    /// URL of the broker, `amqp://user:password@host:port/vhost`, or `amqps://` with TLS; then
    /// `cacertfile` names a PEM file with its certificate authorities.
    #[schemars(with = "String", example = "amqp://plaza:secret@127.0.0.1:5672/plaza")]
    pub url: SecretString,
    /// URL of the management API with credentials, used by tests and operators only.
    #[serde(default)]
    #[schemars(with = "Option<String>", example = "http://plaza:secret@127.0.0.1:15672")]
    pub management_url: Option<SecretString>,
    /// Minimum number of unacknowledged jobs that a worker holds per queue, at least 1.
    #[serde(default = "defaults::prefetch")]
    pub prefetch: u16,
    /// Orders that a worker processes concurrently, at least 1. Most of an order's time is spent
    /// waiting for the payment provider.
    #[serde(default = "defaults::orders_at_once")]
    pub orders_at_once: u16,
    /// Delays before each retry of a failed job, in milliseconds; a job that fails after the last
    /// one is dead-lettered.
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

/// How connections to Kafka are protected, in Kafka's own terms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    #[default]
    Plaintext,
    /// Encrypted; the broker is verified.
    Ssl,
    /// Authenticated by `username` and `password`, not encrypted.
    SaslPlaintext,
    /// Encrypted and authenticated.
    SaslSsl,
}

impl SecurityProtocol {
    /// Kafka's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    /// Whether it needs a user.
    pub const fn is_authenticated(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// `kafka.*`: events.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// Brokers, as `host:port,host:port`.
    #[schemars(example = "127.0.0.1:9092")]
    pub brokers: String,
    /// Protocol of the connections. With TLS the brokers' certificates and names are verified.
    #[serde(default)]
    #[schemars(extend("default" = "plaintext"))]
    pub security_protocol: SecurityProtocol,
    /// PEM file with the certificate authorities of the brokers; the system's by default.
    #[serde(default)]
    #[schemars(example = "/etc/plaza/ca/kafka.crt")]
    pub ca_file: Option<PathBuf>,
    /// User for SASL (SCRAM-SHA-512).
    #[serde(default)]
    #[schemars(example = &"plaza")]
    pub username: Option<String>,
    /// Password of that user.
    #[serde(default)]
    #[schemars(with = "Option<String>", example = &"secret")]
    pub password: Option<SecretString>,
    /// Prefix of every topic.
    #[serde(default = "defaults::prefix")]
    pub topic_prefix: String,
    /// Partitions of each topic that plaza creates.
    #[serde(default = "defaults::partitions")]
    pub partitions: i32,
    /// Replication factor of each topic that plaza creates.
    #[serde(default = "defaults::replication")]
    pub replication: i32,
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
