//! Every shard with its primary and replicas, and the choice among them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::appended::Appended;
use super::pool::{Connection, Manager, Pool, Purpose, StatementCounter};
use super::replicas::{Looks, ReplicaState};
use super::routing::{ShardIndex, ShardMap};
use super::session::{ReadSession, Source};
use crate::config::PostgresConfig;
use crate::ids::{Bucket, Id};
use crate::stores::pool_state::PoolState;
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
    pub(super) looks: Looks,
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
    /// Whose outboxes have got rows from this process.
    pub appended: Appended,
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
            let manager =
                |url, purpose| Manager::new(url, purpose, query_timeout, statements.clone());
            let mut replicas = Vec::new();
            for (replica, url) in urls.replicas.iter().enumerate() {
                replicas.push(Replica {
                    pool: Pool::new(
                        manager(url, Purpose::Read)?,
                        format!("shard {number} replica {}", replica + 1),
                        config.replica_pool,
                        wait,
                    ),
                    probe: Manager::new(
                        url,
                        Purpose::Read,
                        query_timeout,
                        StatementCounter::default(),
                    )?,
                    state: Arc::default(),
                });
            }
            shards.push(Shard {
                index: ShardIndex(number),
                primary: Pool::new(
                    manager(&urls.primary, Purpose::Write)?,
                    name.clone(),
                    config.primary_pool,
                    wait,
                ),
                primary_reads: Pool::new(
                    manager(&urls.primary, Purpose::Read)?,
                    name,
                    config.primary_pool,
                    wait,
                ),
                direct: Manager::new(
                    &urls.primary,
                    Purpose::Write,
                    Duration::ZERO,
                    StatementCounter::default(),
                )?,
                replicas,
                looks: Looks::default(),
            });
        }
        let map = ShardMap::even(shards.len());
        Ok(Self { shards, map, statements, query_timeout, appended: Appended::default() })
    }

    /// The same cluster with the map that is in force.
    #[must_use]
    pub fn with_map(mut self, map: ShardMap) -> Self {
        self.map = map;
        self
    }

    /// Opens connections to every server before they are needed: each costs a handshake, and the
    /// first requests of a new process would pay for all of them at once. What cannot be reached
    /// within the patience is left for when it is needed.
    pub async fn warm_up(&self, each: usize, patience: Duration) {
        let opened =
            join_all(self.shards.iter().flat_map(Shard::pools).map(|pool| pool.open(each)));
        if tokio::time::timeout(patience, opened).await.is_err() {
            tracing::warn!("not every connection could be opened beforehand");
        }
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
        for<'c> F: AsyncFn(&'c mut Connection) -> Result<T, StoreError>
            + SendFn<&'c mut Connection, Result<T, StoreError>, Fut: Send>
            + Send
            + Sync
            + 'a,
    {
        async move {
            let shard = self.shard(index)?;
            let source = shard.choose(session).await;
            if let Source::Replica(number) = source
                && let Some(replica) = shard.replicas.get(number)
            {
                let began = Instant::now();
                let outcome = self.run(&replica.pool, &query).await;
                explain::sql(
                    index.0,
                    replica.pool.server(),
                    Some(replica.state.snapshot().1),
                    began.elapsed(),
                );
                match outcome {
                    Err(error) if error.is_transient() => {
                        tracing::warn!(server = replica.pool.server(), %error, "replica failed, reading the primary");
                        replica.state.eject();
                        session.stray();
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
        for<'c> F: AsyncFn(&'c mut Connection) -> Result<T, StoreError>
            + SendFn<&'c mut Connection, Result<T, StoreError>, Fut: Send>
            + Send
            + Sync
            + 'a,
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
                    // The server did not even honour its own statement timeout: whatever state the
                    // connection is in, nobody else gets it.
                    connection.poison();
                    Err(StoreError::Deadline(pool.server().to_owned()))
                }
            }
        }
    }
}

impl Shard {
    /// The client's own replica: the first in its order that serves at all, and since when that has
    /// been so.
    fn own_replica(&self, session: &ReadSession) -> Option<(usize, i64)> {
        let start = session.own_replica(self.index, self.replicas.len());
        let order = (0..self.replicas.len()).map(|step| (start + step) % self.replicas.len());
        let mut since_ms = 0;
        for number in order {
            let state = &self.replicas.get(number)?.state;
            since_ms = since_ms.max(state.changed_at_ms());
            if state.is_serving() {
                return Some((number, since_ms));
            }
        }
        None
    }

    /// Whether a server has everything that the session is known to have written and seen. What
    /// clients saw on the replica before their own, they saw before it was set aside.
    fn fits(&self, session: &ReadSession, source: Source) -> bool {
        let Source::Replica(number) = source else { return true };
        let Some((_, since_ms)) = self.own_replica(session) else { return false };
        self.replicas.get(number).is_some_and(|replica| {
            replica.state.serves(session.required(self.index), session.seen_at_ms().max(since_ms))
        })
    }

    async fn choose(&self, session: &ReadSession) -> Source {
        let fits = |source| self.fits(session, source);
        let number = self.own_replica(session).map(|(number, _)| number);
        let own = number.map(Source::Replica);
        if let Some(own) = own
            && session.is_open(self.index)
            && !fits(own)
            && number
                .and_then(|number| self.replicas.get(number))
                .is_some_and(|replica| replica.state.is_near())
        {
            // Most often it has come as far, and the last look at it was too early to know.
            self.looks.hurry().await;
        }
        let others = (0..self.replicas.len()).map(Source::Replica);
        let source = session.source(self.index, fits, || {
            own.into_iter().chain(others).find(|source| fits(*source)).unwrap_or(Source::Primary)
        });
        if own != Some(source) && !self.replicas.is_empty() {
            session.stray();
        }
        source
    }

    /// A connection to the primary outside every pool: for locks that live as long as it does.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn direct(&self) -> Result<super::pool::PooledConnection, StoreError> {
        self.direct
            .open()
            .await
            .map_err(|error| StoreError::unavailable(self.primary.server(), error))
    }

    /// Each replica's name, what opens connections to it outside every pool, and its state.
    pub fn probes(&self) -> impl Iterator<Item = (&str, &Manager, &ReplicaState)> {
        self.replicas
            .iter()
            .map(|replica| (replica.pool.server(), &replica.probe, replica.state.as_ref()))
    }

    /// Each replica's name and state.
    pub fn replica_states(&self) -> impl Iterator<Item = (&str, &ReplicaState)> {
        self.replicas.iter().map(|replica| (replica.pool.server(), replica.state.as_ref()))
    }

    /// Each pool's name and how it stands.
    pub fn pool_states(&self) -> impl Iterator<Item = (String, PoolState)> {
        self.pools().map(Pool::state)
    }

    /// Connections to each server that have ended so far, by the pools' names.
    pub fn connections_ended(&self) -> impl Iterator<Item = (String, u64)> {
        self.pools().map(Pool::ended)
    }

    fn pools(&self) -> impl Iterator<Item = &Pool> {
        [&self.primary, &self.primary_reads]
            .into_iter()
            .chain(self.replicas.iter().map(|replica| &replica.pool))
    }

    /// The primary's name, for operators.
    pub fn primary_name(&self) -> &str {
        self.primary.server()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::postgres::session::ConsistencyToken;

    const OWN: Source = Source::Replica(0);
    const OTHER: Source = Source::Replica(1);

    /// A shard whose replicas serve and are complete up to 1 s after the epoch; and a client whose
    /// own replica is the first.
    fn shard() -> (Cluster, u64) {
        let url = || "postgres://plaza:none@127.0.0.1:1/plaza".into();
        let shards =
            vec![crate::config::ShardUrls { primary: url(), replicas: vec![url(), url()] }];
        let config: PostgresConfig =
            serde_json::from_value(serde_json::json!({ "shards": [] })).unwrap();
        let cluster = Cluster::new(&PostgresConfig { shards, ..config }).unwrap();
        for replica in &cluster.shards[0].replicas {
            for _ in 0..3 {
                look(replica, 10, i64::MAX);
            }
        }
        let client = (0..)
            .find(|client| {
                session(*client, &ConsistencyToken::default()).own_replica(ShardIndex(0), 2) == 0
            })
            .unwrap();
        (cluster, client)
    }

    fn look(replica: &Replica, replayed: u64, complete_to_ms: i64) {
        replica.state.look(replayed, (Duration::ZERO, complete_to_ms), Duration::from_secs(2));
    }

    fn session(client: u64, token: &ConsistencyToken) -> ReadSession {
        ReadSession::new(1, token, client)
    }

    #[tokio::test]
    async fn a_client_keeps_to_its_replica_and_what_it_saw_elsewhere_is_known() {
        let (cluster, client) = shard();
        let shard = &cluster.shards[0];
        for _ in 0..20 {
            let fresh = session(client, &ConsistencyToken::default());
            assert_eq!((shard.choose(&fresh).await, fresh.has_strayed()), (OWN, false));
        }
        // It wrote what only the other one has.
        look(&shard.replicas[1], 20, i64::MAX);
        let wrote =
            session(client, &ConsistencyToken { shards: [(0, 20)].into(), ..Default::default() });
        assert_eq!((shard.choose(&wrote).await, wrote.has_strayed()), (OTHER, true));
        // It saw the other one: its own must have come as far.
        let now = 5_000_000_000_000;
        look(&shard.replicas[0], 20, now);
        look(&shard.replicas[1], 20, now);
        for (seen_at_ms, source) in [(now - 1, OWN), (now, Source::Primary)] {
            let saw = session(client, &ConsistencyToken { seen_at_ms, ..Default::default() });
            assert_eq!((shard.choose(&saw).await, saw.has_strayed()), (source, source != OWN));
        }
        // Within one request what was written is read from the primary, whatever the looks said.
        let writes = session(client, &ConsistencyToken::default());
        writes.require(ShardIndex(0), 20);
        assert_eq!((shard.choose(&writes).await, writes.has_strayed()), (Source::Primary, true));
    }

    #[tokio::test]
    async fn a_replica_that_takes_over_has_everything_that_the_one_before_it_had_shown() {
        let (cluster, client) = shard();
        let shard = &cluster.shards[0];
        look(&shard.replicas[1], 10, 1_000);
        shard.replicas[0].state.eject();
        let choose = async || shard.choose(&session(client, &ConsistencyToken::default())).await;
        assert_eq!(
            choose().await,
            Source::Primary,
            "what the first had shown, the second may lack"
        );
        look(&shard.replicas[1], 10, i64::MAX);
        assert_eq!(choose().await, OTHER);
        // And back again: until then the second goes on.
        for _ in 0..3 {
            look(&shard.replicas[0], 10, 1_000);
        }
        assert_eq!(choose().await, OTHER);
        look(&shard.replicas[0], 10, i64::MAX);
        assert_eq!(choose().await, OWN);
    }
}
