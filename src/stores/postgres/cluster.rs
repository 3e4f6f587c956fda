//! Every shard with its primary and replicas, and the choice among them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::pool::{Connection, Manager, Pool, Purpose, StatementCounter};
use super::replicas::ReplicaState;
use super::routing::{ShardIndex, ShardMap};
use super::session::{ReadSession, Source};
use crate::config::PostgresConfig;
use crate::ids::{Bucket, Id};
use crate::stores::query::SendFn;
use crate::stores::{StoreError, explain};

/// One shard: a primary and its replicas.
#[derive(Debug)]
pub struct Shard {
    /// Its number.
    pub index: ShardIndex,
    pub(super) primary: Pool,
    pub(super) primary_reads: Pool,
    pub(super) replicas: Vec<Replica>,
    pub(super) direct: Manager,
    next: AtomicUsize,
}

#[derive(Debug)]
pub(super) struct Replica {
    pub(super) pool: Pool,
    pub(super) probe: Manager,
    pub(super) state: Arc<ReplicaState>,
}

/// All shards and the map of buckets.
#[derive(Debug)]
pub struct Cluster {
    pub(super) shards: Vec<Shard>,
    pub(super) map: ShardMap,
    statements: StatementCounter,
    pub(super) query_timeout: Duration,
}

impl Cluster {
    /// Prepares pools; opens no connection. The map is an even one until [`Cluster::with_map`].
    ///
    /// # Errors
    /// A URL that is none.
    pub fn new(config: &PostgresConfig) -> Result<Self, StoreError> {
        let statements = StatementCounter::default();
        let query_timeout = Duration::from_millis(config.query_timeout_ms);
        let wait = Duration::from_millis(config.checkout_timeout_ms);
        let mut shards = Vec::new();
        for (number, urls) in config.shards.iter().enumerate() {
            let name = format!("shard {number} primary");
            let manager = |url, purpose| Manager::new(url, purpose, query_timeout, statements.clone());
            let mut replicas = Vec::new();
            for (replica, url) in urls.replicas.iter().enumerate() {
                replicas.push(Replica {
                    pool: Pool::new(
                        manager(url, Purpose::Read)?,
                        format!("shard {number} replica {}", replica + 1),
                        config.replica_pool,
                        wait,
                    ),
                    probe: Manager::new(url, Purpose::Read, query_timeout, StatementCounter::default())?,
                    state: Arc::default(),
                });
            }
            shards.push(Shard {
                index: ShardIndex(number),
                primary: Pool::new(manager(&urls.primary, Purpose::Write)?, name.clone(), config.primary_pool, wait),
                primary_reads: Pool::new(manager(&urls.primary, Purpose::Read)?, name, config.primary_pool, wait),
                direct: Manager::new(&urls.primary, Purpose::Write, Duration::ZERO, StatementCounter::default())?,
                replicas,
                next: AtomicUsize::new(number),
            });
        }
        let map = ShardMap::even(shards.len());
        Ok(Self { shards, map, statements, query_timeout })
    }

    /// The same cluster with the map that is in force.
    #[must_use]
    pub fn with_map(mut self, map: ShardMap) -> Self {
        self.map = map;
        self
    }

    /// The map in force.
    pub fn map(&self) -> &ShardMap {
        &self.map
    }

    /// How many shards there are.
    pub fn len(&self) -> usize {
        self.shards.len()
    }

    /// Whether there is no shard: never, in a validated configuration.
    pub fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }

    /// Every shard's number.
    pub fn indexes(&self) -> impl Iterator<Item = ShardIndex> + use<> {
        (0..self.shards.len()).map(ShardIndex)
    }

    /// The shard a bucket is on.
    pub fn shard_of(&self, bucket: Bucket) -> ShardIndex {
        self.map.shard_of(bucket)
    }

    /// The shard an id is on.
    pub fn shard_of_id<I: Id>(&self, id: I) -> ShardIndex {
        self.map.shard_of(id.bucket())
    }

    /// Statements sent for requests so far, over all shards (probes and relays not counted).
    pub fn statements(&self) -> u64 {
        self.statements.total()
    }

    /// # Errors
    /// [`StoreError::Corrupt`] for a number that is no shard of this cluster.
    pub fn shard(&self, index: ShardIndex) -> Result<&Shard, StoreError> {
        self.shards.get(index.0).ok_or_else(|| StoreError::Corrupt(format!("there is no shard {index}")))
    }

    /// Runs a read on the server the session has pinned for this shard, or on one that is fresh enough for it. A replica that
    /// fails is set aside and the primary asked instead.
    ///
    /// # Errors
    /// What the query returned, or the primary's unavailability.
    #[expect(clippy::manual_async_fn, reason = "the signature says that the future may move between threads")]
    pub fn read<'a, T, F>(
        &'a self,
        session: &'a ReadSession,
        index: ShardIndex,
        query: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'a
    where
        T: Send + 'a,
        for<'c> F: AsyncFn(&'c mut Connection) -> Result<T, StoreError>
            + SendFn<&'c mut Connection, Result<T, StoreError>, Fut: Send>
            + Send
            + Sync
            + 'a,
    {
        async move {
            let shard = self.shard(index)?;
            let source = shard.choose(session);
            if let Source::Replica(number) = source
                && let Some(replica) = shard.replicas.get(number)
            {
                let began = Instant::now();
                let outcome = self.run(&replica.pool, &query).await;
                explain::sql(index.0, replica.pool.server(), Some(replica.state.snapshot().1), began.elapsed());
                match outcome {
                    Err(error) if error.is_transient() => {
                        tracing::warn!(server = replica.pool.server(), %error, "replica failed, reading the primary");
                        replica.state.eject();
                    }
                    other => return other,
                }
            }
            let began = Instant::now();
            let outcome = self.run(&shard.primary_reads, &query).await;
            explain::sql(index.0, shard.primary_reads.server(), None, began.elapsed());
            outcome
        }
    }

    #[expect(clippy::manual_async_fn, reason = "the signature says that the future may move between threads")]
    fn run<'a, T, F>(&'a self, pool: &'a Pool, query: &'a F) -> impl Future<Output = Result<T, StoreError>> + Send + 'a
    where
        T: Send + 'a,
        for<'c> F: AsyncFn(&'c mut Connection) -> Result<T, StoreError>
            + SendFn<&'c mut Connection, Result<T, StoreError>, Fut: Send>
            + Send
            + Sync
            + 'a,
    {
        async move {
            let mut connection = pool.get().await?;
            match tokio::time::timeout(self.query_timeout, query(&mut connection)).await {
                Ok(Err(error)) => {
                    if error.is_transient() {
                        connection.poison();
                    }
                    Err(error)
                }
                Ok(result) => result,
                Err(_) => {
                    // The server did not even honour its own statement timeout: whatever state the connection is in, nobody else gets it.
                    connection.poison();
                    Err(StoreError::Deadline(pool.server().to_owned()))
                }
            }
        }
    }
}

impl Shard {
    fn choose(&self, session: &ReadSession) -> Source {
        let required = session.required(self.index);
        let fits = |source| match source {
            Source::Primary => true,
            Source::Replica(number) => self.replicas.get(number).is_some_and(|replica| replica.state.serves(required)),
        };
        session.source(self.index, fits, || {
            let start = self.next.fetch_add(1, Ordering::Relaxed);
            (0..self.replicas.len())
                .map(|step| Source::Replica((start + step) % self.replicas.len()))
                .find(|source| fits(*source))
                .unwrap_or(Source::Primary)
        })
    }

    /// A connection to the primary outside every pool: for locks that live as long as it does.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn direct(&self) -> Result<super::pool::PooledConnection, StoreError> {
        self.direct.open().await.map_err(|error| StoreError::unavailable(self.primary.server(), error))
    }

    /// Each replica's name and state.
    pub fn replica_states(&self) -> impl Iterator<Item = (&str, &ReplicaState)> {
        self.replicas.iter().map(|replica| (replica.pool.server(), replica.state.as_ref()))
    }

    /// The primary's name, for operators.
    pub fn primary_name(&self) -> &str {
        self.primary.server()
    }
}
