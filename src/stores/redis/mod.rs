//! Redis: cache, timelines, sessions' consistency tokens. Away means slower, never wrong: every
//! caller has another way.

pub mod admission;
mod attempts;
pub mod cache;
pub mod client;
pub mod discard;
mod entry;
pub mod flight;
pub mod fresh;
pub mod invalidation;
pub mod keys;
mod lease;
pub mod listen;
pub mod live;
pub mod local;
pub mod persisted;
pub mod pool;
pub mod probe;
pub mod pubsub;
pub mod rate_limit;
pub mod sessions;
mod shared;
pub mod timelines;
pub mod trust;
pub mod viewed;

use std::sync::Arc;
use std::time::Duration;

pub use shared::Shared;

use super::StoreError;
use plaza_base::clock::Clock;
use plaza_config::RedisConfig;
use plaza_telemetry::metrics::float;

/// Loads that may run at the same time while Redis is unavailable, so that the shards are not run
/// over.
const LOADS_WHILE_AWAY: usize = 64;

/// The way in; cheap to clone.
#[derive(Clone, Debug)]
pub struct Redis {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pool: pool::Pool,
    keys: keys::Keys,
    local: local::Local,
    flights: flight::Flights,
    url: secrecy::SecretString,
    clock: Clock,
    ttl: Duration,
    loads_while_away: tokio::sync::Semaphore,
    watched: pubsub::Watched,
    local_buckets: rate_limit::LocalBuckets,
    trust: trust::Trust,
    scripts: Scripts,
}

struct Scripts {
    fill: redis::Script,
    generation: redis::Script,
    timeline_begin: redis::Script,
    lease: redis::Script,
    give_back: redis::Script,
    session_merge: redis::Script,
    timeline_trim: redis::Script,
    timeline_finish: redis::Script,
    rate_limit: redis::Script,
    persisted: redis::Script,
    live_push: redis::Script,
    live_open: redis::Script,
}

impl std::fmt::Debug for Scripts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripts")
    }
}

impl Redis {
    /// Prepares the pool; connects when first needed.
    ///
    /// # Errors
    /// A URL that is none.
    pub fn new(config: &RedisConfig, clock: Clock) -> Result<Self, StoreError> {
        let timeout = Duration::from_millis(config.timeout_ms);
        Ok(Self {
            inner: Arc::new(Inner {
                pool: pool::Pool::new(&config.url, config.pool, timeout)?,
                keys: keys::Keys::new(&config.key_prefix),
                local: local::Local::new(
                    Duration::from_millis(config.l1_ttl_ms),
                    config.l1_max_bytes,
                ),
                flights: flight::Flights::default(),
                url: config.url.clone(),
                clock,
                ttl: Duration::from_millis(config.cache_ttl_ms),
                loads_while_away: tokio::sync::Semaphore::new(LOADS_WHILE_AWAY),
                watched: pubsub::Watched::new(config.looks_at_once),
                local_buckets: rate_limit::LocalBuckets::of_one_of(config.servers),
                trust: trust::Trust::new(Duration::from_millis(config.trust_ms)),
                scripts: Scripts {
                    fill: redis::Script::new(include_str!("fill.lua")),
                    generation: redis::Script::new(include_str!("generation.lua")),
                    timeline_begin: redis::Script::new(include_str!("timeline_begin.lua")),
                    lease: redis::Script::new(include_str!("lease.lua")),
                    give_back: redis::Script::new(include_str!("give_back.lua")),
                    session_merge: redis::Script::new(include_str!("session_merge.lua")),
                    timeline_trim: redis::Script::new(include_str!("timeline_trim.lua")),
                    timeline_finish: redis::Script::new(include_str!("timeline_finish.lua")),
                    rate_limit: redis::Script::new(include_str!("rate_limit.lua")),
                    persisted: redis::Script::new(include_str!("persisted.lua")),
                    live_push: redis::Script::new(include_str!("live_push.lua")),
                    live_open: redis::Script::new(include_str!("live_open.lua")),
                },
            }),
        })
    }

    /// Whether it answered when it was last asked, and how the connections to it stand.
    pub fn state(&self) -> (bool, super::pool_state::PoolState) {
        (self.inner.pool.is_up(), self.inner.pool.state())
    }

    /// How often it was asked so far: commands that are sent together count once.
    pub fn trips(&self) -> u64 {
        self.inner.pool.trips()
    }

    /// Whether it answers now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.inner
            .pool
            .run(async |connection| redis::cmd("PING").query_async::<()>(connection).await)
            .await
    }

    /// What it holds, and what it has had to evict.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn memory(&self) -> Result<Memory, StoreError> {
        let ask = async |connection: &mut redis::aio::MultiplexedConnection| {
            redis::cmd("INFO")
                .arg("memory")
                .arg("stats")
                .query_async::<redis::InfoDict>(connection)
                .await
        };
        let info = self.inner.pool.run(ask).await?;
        let field = |name| info.get::<u64>(name).unwrap_or_default();
        Ok(Memory {
            used_bytes: field("used_memory"),
            max_bytes: field("maxmemory"),
            evicted: field("evicted_keys"),
        })
    }
}

/// Redis' own memory. What it evicts while it is full are caches and, past them, the streams
/// that live connections catch up from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Bytes in use.
    pub used_bytes: u64,
    /// Bytes it may use; 0: as many as there are.
    pub max_bytes: u64,
    /// Keys evicted since it started, because it was full.
    pub evicted: u64,
}

impl Memory {
    /// Sets its metrics.
    pub fn record(&self) {
        metrics::gauge!("plaza_redis_memory_bytes").set(float(self.used_bytes));
        metrics::gauge!("plaza_redis_max_memory_bytes").set(float(self.max_bytes));
        metrics::counter!("plaza_redis_evicted_total").absolute(self.evicted);
    }
}
