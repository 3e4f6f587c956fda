//! One shard: its primary, its replicas, and the choice among them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::addresses::{Addresses, PRIMARY};
use super::commit_breaker::CommitBreaker;
use super::epoch::Epoch;
use super::pool::{Manager, Pool};
use super::position::timeline_of;
use super::replicas::{Polls, ReplicaState};
use super::route::Route;
use super::routing::ShardIndex;
use super::session::{ReadSession, Source};
use crate::StoreError;
use crate::pool_state::PoolState;

/// One shard: a primary and its replicas.
#[derive(Debug)]
pub struct Shard {
    /// Its number.
    pub index: ShardIndex,
    pub(super) primary: Pool,
    pub(super) primary_reads: Pool,
    pub(super) replicas: Vec<Replica>,
    pub(super) direct: Manager,
    /// Where its servers are.
    pub addresses: Arc<Addresses>,
    pub(super) polls: Polls,
    pub(super) epoch: Epoch,
    pub(super) commits: Arc<CommitBreaker>,
    /// What a replica must have to answer anybody, in Unix milliseconds: see
    /// [`Cluster::require_since`](super::Cluster::require_since).
    pub(super) fresh_since_ms: AtomicI64,
}

#[derive(Debug)]
pub(super) struct Replica {
    pub(super) pool: Pool,
    pub(super) probe: Manager,
    pub(super) state: Arc<ReplicaState>,
}

impl AsRef<ReplicaState> for Replica {
    fn as_ref(&self) -> &ReplicaState {
        &self.state
    }
}

impl Shard {
    /// Its replicas, as a reader chooses among them.
    fn route(&self) -> Route<'_, Replica> {
        let fresh_since_ms = self.fresh_since_ms.load(Ordering::Acquire);
        Route { shard: self.index, replicas: &self.replicas, fresh_since_ms }
    }

    /// Looks for the primary; whether it is another server now than at the call.
    pub async fn look_for_primary(&self) -> bool {
        self.addresses.look(self.addresses.at(PRIMARY)).await
    }

    pub(super) async fn choose(&self, session: &ReadSession) -> Source {
        // Somebody else has written to a primary that this process has not heard of.
        if timeline_of(session.required(self.index)) > self.addresses.timeline() {
            self.addresses.suspect();
        }
        if self.route().is_worth_asking_again(session) {
            self.polls.recheck().await;
        }
        self.route().choose(session)
    }

    /// A connection to the primary outside every pool: for locks that live as long as it does.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], also where the database is another shard's.
    pub async fn direct(&self) -> Result<super::pool::PooledConnection, StoreError> {
        self.direct.open_own().await.map_err(|error| self.unavailable(error))
    }

    /// The same whichever shard's database it is: for whoever compares that themselves.
    pub(super) async fn direct_to_any(&self) -> Result<super::pool::PooledConnection, StoreError> {
        self.direct.open().await.map_err(|error| self.unavailable(error))
    }

    fn unavailable(&self, error: diesel::ConnectionError) -> StoreError {
        StoreError::unavailable(self.primary.server().clone(), error)
    }

    /// Each replica's name, what opens connections to it outside every pool, and its state.
    pub fn probes(&self) -> impl Iterator<Item = (&str, &Manager, &ReplicaState)> {
        self.replicas
            .iter()
            .map(|replica| (replica.pool.name(), &replica.probe, replica.state.as_ref()))
    }

    /// Each replica's name and state.
    pub fn replica_states(&self) -> impl Iterator<Item = (&str, &ReplicaState)> {
        self.replicas.iter().map(|replica| (replica.pool.name(), replica.state.as_ref()))
    }

    /// Whether no replica acknowledges its commits, so that writes are refused.
    pub fn commits_are_blocked(&self) -> bool {
        self.commits.is_blocked()
    }

    /// Each pool's name and how it stands.
    pub fn pool_states(&self) -> impl Iterator<Item = (String, PoolState)> {
        self.pools().map(Pool::state)
    }

    /// Connections to each server that have ended so far, by the pools' names.
    pub fn connections_ended(&self) -> impl Iterator<Item = (String, u64)> {
        self.pools().map(Pool::ended)
    }

    pub(super) fn pools(&self) -> impl Iterator<Item = &Pool> {
        [&self.primary, &self.primary_reads]
            .into_iter()
            .chain(self.replicas.iter().map(|replica| &replica.pool))
    }

    /// Whether it has replicas, by the configuration.
    pub fn has_replicas(&self) -> bool {
        !self.replicas.is_empty()
    }

    /// The primary's name, for operators.
    pub fn primary_name(&self) -> &str {
        self.primary.name()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::postgres::Cluster;
    use crate::postgres::session::ConsistencyToken;
    use plaza_config::PostgresConfig;

    const OWN: Source = Source::Replica(0);
    const OTHER: Source = Source::Replica(1);

    /// A shard whose replicas serve and are complete up to 1 s after the epoch; and a client whose
    /// own replica is the first.
    fn shard() -> (Cluster, u64) {
        let url = || "postgres://plaza:none@127.0.0.1:1/plaza".into();
        let shards = vec![plaza_config::ShardUrls { primary: url(), replicas: vec![url(), url()] }];
        let config: PostgresConfig =
            serde_json::from_value(serde_json::json!({ "shards": [] })).unwrap();
        let cluster = Cluster::new(&PostgresConfig { shards, ..config }).unwrap();
        for replica in &cluster.shards[0].replicas {
            for _ in 0..3 {
                poll(replica, 10, i64::MAX);
            }
        }
        let client = (0..)
            .find(|client| {
                session(*client, &ConsistencyToken::default()).own_replica(ShardIndex(0), 2) == 0
            })
            .unwrap();
        (cluster, client)
    }

    fn poll(replica: &Replica, replayed: u64, complete_to_ms: i64) {
        replica.state.poll(replayed, (Duration::ZERO, complete_to_ms), Duration::from_secs(2));
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
            assert_eq!((shard.choose(&fresh).await, fresh.has_left_replica()), (OWN, false));
        }
        // It wrote what only the other one has.
        poll(&shard.replicas[1], 20, i64::MAX);
        let wrote =
            session(client, &ConsistencyToken { shards: [(0, 20)].into(), ..Default::default() });
        assert_eq!((shard.choose(&wrote).await, wrote.has_left_replica()), (OTHER, true));
        // It saw the other one: its own must have come as far.
        let now = 5_000_000_000_000;
        poll(&shard.replicas[0], 20, now);
        poll(&shard.replicas[1], 20, now);
        for (seen_at_ms, source) in [(now - 1, OWN), (now, Source::Primary)] {
            let saw = session(client, &ConsistencyToken { seen_at_ms, ..Default::default() });
            assert_eq!((shard.choose(&saw).await, saw.has_left_replica()), (source, source != OWN));
        }
        // Within one request what was written is read from the primary, whatever the probes said.
        let writes = session(client, &ConsistencyToken::default());
        writes.require(ShardIndex(0), 20);
        assert_eq!(
            (shard.choose(&writes).await, writes.has_left_replica()),
            (Source::Primary, true)
        );
    }

    #[tokio::test]
    async fn after_a_cache_was_distrusted_no_replica_answers_that_may_lack_what_came_before() {
        let (cluster, client) = shard();
        let shard = &cluster.shards[0];
        let choose = async || shard.choose(&session(client, &ConsistencyToken::default())).await;
        let now = 5_000_000_000_000;
        poll(&shard.replicas[0], 10, now);
        poll(&shard.replicas[1], 10, now);
        assert_eq!(choose().await, OWN);
        cluster.require_since(now);
        assert_eq!(choose().await, Source::Primary);
        poll(&shard.replicas[1], 10, now + 1);
        assert_eq!(choose().await, OTHER);
        poll(&shard.replicas[0], 10, now + 1);
        assert_eq!(choose().await, OWN);
    }

    #[tokio::test]
    async fn a_replica_that_takes_over_has_everything_that_the_one_before_it_had_shown() {
        let (cluster, client) = shard();
        let shard = &cluster.shards[0];
        poll(&shard.replicas[1], 10, 1_000);
        shard.replicas[0].state.eject();
        let choose = async || shard.choose(&session(client, &ConsistencyToken::default())).await;
        assert_eq!(
            choose().await,
            Source::Primary,
            "what the first had shown, the second may lack"
        );
        poll(&shard.replicas[1], 10, i64::MAX);
        assert_eq!(choose().await, OTHER);
        // And back again: until then the second goes on.
        for _ in 0..3 {
            poll(&shard.replicas[0], 10, 1_000);
        }
        assert_eq!(choose().await, OTHER);
        poll(&shard.replicas[0], 10, i64::MAX);
        assert_eq!(choose().await, OWN);
    }
}
