//! Where the servers are that hold and carry the data, and how they are used.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use super::{defaults, redacted};

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
    /// Servers that share it, at least 1: while it is unavailable each of them grants that part of
    /// every limit, so that all together grant no more than one.
    #[serde(default = "defaults::servers")]
    pub servers: u64,
    /// How long a cached value lives, in milliseconds; 0: nothing is cached, here or in Redis.
    /// Other processes are still told of changes.
    #[serde(default = "defaults::cache_ms")]
    pub cache_ttl_ms: u64,
    /// How long a value may be served from process memory, in milliseconds; 0 turns that level off.
    #[serde(default = "defaults::l1_ms")]
    pub l1_ttl_ms: u64,
    /// How long a process reads the cache without having heard whether it may be trusted, in
    /// milliseconds, above 1000: it asks four times a second, and a server of a shard that hangs
    /// holds the answer up by half a second.
    #[serde(default = "defaults::trust_ms")]
    pub trust_ms: u64,
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
            .field("servers", &self.servers)
            .field("cache_ttl_ms", &self.cache_ttl_ms)
            .field("l1_ttl_ms", &self.l1_ttl_ms)
            .field("trust_ms", &self.trust_ms)
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
