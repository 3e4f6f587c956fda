//! Every shard, and the way to read one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::addresses::{Addresses, PRIMARY};
use super::appended::Appended;
use super::commit_breaker::CommitBreaker;
use super::map_in_use::MapInUse;
use super::pool::{Manager, Pool, Purpose, StatementCounter};
use super::replicas::Polls;
use super::routing::{ShardIndex, ShardMap};
use super::session::{ReadSession, Source};
use super::shard::{Replica, Shard};
use crate::query::ReadQuery;
use crate::server::Server;
use crate::{StoreError, explain};
use plaza_base::ids::{Bucket, Id};
use plaza_config::PostgresConfig;

/// The least that opening a connection may take: one that takes longer is given up, since a server
/// that hangs accepts it and says nothing.
const PATIENCE: Duration = Duration::from_secs(3);

/// All shards and the map of buckets.
#[derive(Debug)]
pub struct Cluster {
    pub(super) shards: Vec<Shard>,
    pub(super) map: ShardMap,
    map_in_use: Arc<MapInUse>,
    statements: StatementCounter,
    pub(super) query_timeout: Duration,
    /// Whose outboxes have got rows from this process.
    pub appended: Arc<Appended>,
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
        let (mut shards, map_in_use) = (Vec::new(), Arc::<MapInUse>::default());
        for (number, urls) in config.shards.iter().enumerate() {
            let index = ShardIndex(number);
            let addresses = Addresses::new(index, urls, wait.max(PATIENCE))?;
            let manager = |seat, purpose| {
                Manager::seated((&addresses, seat), purpose, query_timeout, statements.clone())
            };
            let uncounted = |seat, purpose, timeout| {
                Manager::seated((&addresses, seat), purpose, timeout, StatementCounter::default())
            };
            let replicas = (0..urls.replicas.len()).map(|replica| Replica {
                pool: Pool::new(
                    manager(replica + 1, Purpose::Read),
                    Server::Replica(index, replica),
                    config.replica_pool,
                    wait,
                ),
                probe: uncounted(replica + 1, Purpose::Read, query_timeout),
                state: Arc::default(),
            });
            let replicas = replicas.collect();
            shards.push(Shard {
                index,
                primary: Pool::new(
                    manager(PRIMARY, Purpose::Write).of_shard(index, &map_in_use),
                    Server::Primary(index),
                    config.primary_pool,
                    wait,
                ),
                primary_reads: Pool::new(
                    manager(PRIMARY, Purpose::Read).of_shard(index, &map_in_use),
                    Server::Primary(index),
                    config.primary_pool,
                    wait,
                ),
                direct: uncounted(PRIMARY, Purpose::Write, Duration::ZERO)
                    .of_shard(index, &map_in_use),
                replicas,
                addresses,
                polls: Polls::default(),
                epoch: Default::default(),
                commits: CommitBreaker::new(index),
                fresh_since_ms: Default::default(),
            });
        }
        let map = ShardMap::even(shards.len());
        let appended = Arc::default();
        Ok(Self { shards, map, map_in_use, statements, query_timeout, appended })
    }

    /// The same cluster with the map that is in force: from now on a connection to a shard with a
    /// newer one, or whose buckets are being moved, is refused.
    #[must_use]
    pub fn with_map(mut self, map: ShardMap) -> Self {
        self.map_in_use.set(map.version);
        self.map = map;
        self
    }

    /// Opens connections to every server before they are needed: each costs a handshake, and the
    /// first requests of a new process would pay for all of them at once. What cannot be reached
    /// within the timeout is left for when it is needed.
    pub async fn warm_up(&self, each: usize, timeout: Duration) {
        let opened =
            join_all(self.shards.iter().flat_map(Shard::pools).map(|pool| pool.open(each)));
        if tokio::time::timeout(timeout, opened).await.is_err() {
            tracing::warn!("not every connection could be opened beforehand");
        }
    }

    /// The map in force.
    pub fn map(&self) -> &ShardMap {
        &self.map
    }

    /// Cancelled when a shard has refused a connection for having a newer map: nothing more can be
    /// done by the one that was read.
    pub fn map_is_old(&self) -> CancellationToken {
        self.map_in_use.is_old()
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

    /// How often a server was waited for, for these: statements that are sent together count once.
    pub fn trips(&self) -> u64 {
        self.statements.trips()
    }

    /// # Errors
    /// [`StoreError::Corrupt`] for a number that is no shard of this cluster.
    pub fn shard(&self, index: ShardIndex) -> Result<&Shard, StoreError> {
        self.shards
            .get(index.0)
            .ok_or_else(|| StoreError::Corrupt(format!("there is no shard {index}")))
    }

    /// Runs a read on the server the session has pinned for this shard, or on one that is fresh
    /// enough for it. A replica that fails is set aside and the primary asked instead.
    ///
    /// # Errors
    /// What the query returned, or the primary's unavailability.
    #[expect(
        clippy::manual_async_fn,
        reason = "the signature says that the future may move between threads"
    )]
    pub fn read<'a, T, F>(
        &'a self,
        session: &'a ReadSession,
        index: ShardIndex,
        query: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'a
    where
        T: Send + 'a,
        F: ReadQuery<T> + 'a,
    {
        async move {
            let shard = self.shard(index)?;
            let _turn = session.turn(index).await;
            let source = shard.choose(session).await;
            if let Source::Replica(number) = source
                && let Some(replica) = shard.replicas.get(number)
            {
                let began = Instant::now();
                let outcome = self.run(&replica.pool, &query).await;
                explain::sql(
                    index.0,
                    replica.pool.name(),
                    Some(replica.state.snapshot().1),
                    began.elapsed(),
                );
                match outcome {
                    Err(error) if error.is_transient() => {
                        tracing::warn!(server = replica.pool.name(), %error, "replica failed, reading the primary");
                        replica.state.eject();
                        session.mark_left_replica();
                    }
                    other => return other,
                }
            }
            let began = Instant::now();
            let outcome = self.run(&shard.primary_reads, &query).await;
            explain::sql(index.0, shard.primary_reads.name(), None, began.elapsed());
            outcome
        }
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "the signature says that the future may move between threads"
    )]
    fn run<'a, T, F>(
        &'a self,
        pool: &'a Pool,
        query: &'a F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'a
    where
        T: Send + 'a,
        F: ReadQuery<T> + 'a,
    {
        async move {
            let began = Instant::now();
            let mut span = pool.span("read");
            let outcome = self.ask(pool, query).await;
            let failed = outcome.as_ref().err().filter(|error| error.is_transient());
            if let Some(error) = failed {
                span.failed(error);
            }
            pool.count(began.elapsed(), failed.is_some());
            outcome
        }
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "the signature says that the future may move between threads"
    )]
    fn ask<'a, T, F>(
        &'a self,
        pool: &'a Pool,
        query: &'a F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'a
    where
        T: Send + 'a,
        F: ReadQuery<T> + 'a,
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
                    // The server did not even honour its own statement timeout: whatever state the
                    // connection is in, nobody else gets it.
                    connection.poison();
                    Err(StoreError::Deadline(pool.name().to_owned()))
                }
            }
        }
    }
}
