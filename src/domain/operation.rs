//! Who asks, how fresh the answer must be, and until when.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::mutation::KeySource;
use super::relations::Relations;
use super::users::User;
use super::{Domain, DomainError};
use plaza_base::ids::{Id, SessionId, UserId};
use plaza_stores::StoreError;
use plaza_stores::postgres::session::Lsn;
use plaza_stores::postgres::{ReadSession, ShardIndex};
use plaza_stores::redis::cache::CachePolicy;

pub use plaza_stores::postgres::session::ConsistencyToken;

/// How long a second read of the newest state may take.
const FRESH: Duration = Duration::from_secs(1);

/// A logged-in client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// Who.
    pub user_id: UserId,
    /// From which log-in.
    pub session_id: SessionId,
}

/// One request, job or batch at work.
#[derive(Debug)]
pub struct Operation {
    /// What it works with.
    pub domain: Arc<Domain>,
    /// Who asks; `None` for the anonymous and for workers.
    pub viewer: Option<Viewer>,
    /// What it may read from.
    pub reads: ReadSession,
    /// When it must be over.
    pub deadline: Instant,
    /// The mutation's idempotency key, if it has one: at most 200 bytes.
    pub client_key: Option<String>,
    /// Who made it.
    pub key_source: KeySource,
    /// Which attempt of the proxy's this is at the same request, from 1.
    pub attempt: u32,
    /// Where the client is, for limits.
    pub address: Option<IpAddr>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// W3C trace context, handed on with every message.
    pub traceparent: Option<String>,
    /// Entries of the process's own cache that were loaded before this moment (Unix ms) are too old
    /// for this client.
    pub cache_floor_ms: i64,
    /// Caches may hold less than this client has seen: do not read them.
    pub bypass_cache: bool,
    /// The viewer's relations, once they were needed; they are read anew after a write.
    relations: Mutex<Arc<OnceCell<Arc<Relations>>>>,
    /// Users whom it has read, where it remembers them.
    people: Option<Mutex<HashMap<UserId, Option<User>>>>,
    written: Mutex<Written>,
}

impl Operation {
    /// A client's request. `token` is everything the client, or its session, has already seen.
    pub fn request(
        domain: &Arc<Domain>,
        viewer: Option<Viewer>,
        token: &ConsistencyToken,
        timeout: Duration,
    ) -> Self {
        Self {
            domain: Arc::clone(domain),
            viewer,
            reads: ReadSession::new(
                domain.cluster.len(),
                token,
                viewer.map_or(0, |viewer| viewer.session_id.as_i64().cast_unsigned()),
            ),
            deadline: Instant::now() + timeout,
            client_key: None,
            key_source: KeySource::default(),
            attempt: 1,
            address: None,
            user_agent: None,
            traceparent: None,
            cache_floor_ms: token.written_at_ms,
            bypass_cache: token.bypass_cache,
            relations: Mutex::default(),
            people: None,
            written: Mutex::default(),
        }
    }

    /// What is delivered once: reads see everything up to now, so that a replica that lags leaves
    /// nothing out of it for good.
    pub fn as_of_now(domain: &Arc<Domain>, viewer: Option<Viewer>, timeout: Duration) -> Self {
        let seen_at_ms = domain.clock.now_ms();
        let token = ConsistencyToken { seen_at_ms, ..Default::default() };
        Self::request(domain, viewer, &token, timeout)
    }

    /// Work without a client that must see the newest state: jobs and projections. Reads primaries,
    /// past every cache.
    pub fn internal(domain: &Arc<Domain>, timeout: Duration) -> Self {
        Self::newest(domain, None, timeout)
    }

    /// The same for a viewer: what they may see, as it is now.
    pub fn newest(domain: &Arc<Domain>, viewer: Option<Viewer>, timeout: Duration) -> Self {
        Self {
            reads: domain.primary(),
            bypass_cache: true,
            ..Self::request(domain, viewer, &ConsistencyToken::default(), timeout)
        }
    }

    /// Reads again, for the same viewer, what may be too new for a replica or a cache.
    pub fn fresh(&self) -> Self {
        Self::newest(&self.domain, self.viewer, FRESH)
    }

    /// Reads each user once, and again after each write: for what is over soon. Who may be seen is
    /// asked of a user, and then who they are.
    pub fn remember_people(&mut self) {
        self.people = Some(Mutex::default());
    }

    /// Users whom it has read and remembers, `None` for one who does not exist; whom it has not.
    pub(super) fn remembered(&self, ids: &[UserId]) -> (HashMap<UserId, User>, Vec<UserId>) {
        let Some(people) = &self.people else { return (HashMap::new(), ids.to_vec()) };
        let people = people.lock();
        let (mut known, mut unknown) = (HashMap::with_capacity(ids.len()), Vec::new());
        for id in ids {
            match people.get(id) {
                Some(Some(user)) => drop(known.insert(*id, user.clone())),
                Some(None) => {}
                None => unknown.push(*id),
            }
        }
        (known, unknown)
    }

    /// All users whom it has read, where it remembers them.
    pub(super) fn all_remembered(&self) -> Vec<(UserId, Option<User>)> {
        let Some(people) = &self.people else { return Vec::new() };
        people.lock().iter().map(|(id, user)| (*id, user.clone())).collect()
    }

    /// Reads users anew: what it has read of them is known to be behind.
    pub(super) fn forget_people(&self) {
        if let Some(people) = &self.people {
            people.lock().clear();
        }
    }

    /// Remembers users whom it has read.
    pub(super) fn remember(&self, ids: &[UserId], read: &HashMap<UserId, User>) {
        if let Some(people) = &self.people {
            people.lock().extend(ids.iter().map(|id| (*id, read.get(id).cloned())));
        }
    }

    /// A session that reads from the primaries alone.
    pub fn primary(&self) -> ReadSession {
        self.domain.primary()
    }

    /// # Errors
    /// [`DomainError::Unauthenticated`] for the anonymous.
    pub fn require_viewer(&self) -> Result<Viewer, DomainError> {
        self.viewer.ok_or(DomainError::Unauthenticated)
    }

    /// Where the viewer's relations are kept until the next write.
    pub(super) fn relations(&self) -> Arc<OnceCell<Arc<Relations>>> {
        Arc::clone(&self.relations.lock())
    }

    /// The operation has committed on this shard: its later reads, and the client's, must see it.
    /// Where the position is not known, the client's replica must have come as far as this moment
    /// (Unix ms).
    pub fn wrote(&self, shard: ShardIndex, lsn: Option<Lsn>, now_ms: i64) {
        self.reads.require(shard, lsn.unwrap_or_default());
        *self.relations.lock() = Arc::default();
        if let Some(people) = &self.people {
            people.lock().clear();
        }
        self.written.lock().add(shard, lsn, now_ms);
    }

    /// Takes what invalidating caches came to: one that could not be reached must not be trusted by
    /// this client for a while.
    pub fn invalidated(&self, outcome: Result<(), StoreError>) {
        if let Err(error) = outcome {
            tracing::warn!(%error, "a cache was not invalidated after a write");
            self.written.lock().0.bypass_cache = true;
        }
    }

    /// How this operation may use the cache.
    pub fn cache_policy(&self) -> CachePolicy {
        let written = self.written();
        let missed = written.as_ref().is_some_and(|written| written.bypass_cache);
        let floor_ms = written.map_or(0, |written| written.written_at_ms).max(self.cache_floor_ms);
        CachePolicy { floor_ms, bypass: self.bypass_cache || missed }
    }

    /// What the operation has written so far; `None` when nothing.
    pub fn written(&self) -> Option<ConsistencyToken> {
        self.written.lock().token()
    }
}

/// What an operation has committed.
#[derive(Debug, Default)]
struct Written(ConsistencyToken);

impl Written {
    fn add(&mut self, shard: ShardIndex, lsn: Option<Lsn>, now_ms: i64) {
        self.0.merge(&ConsistencyToken {
            shards: lsn.map(|lsn| (shard.0, lsn)).into_iter().collect(),
            written_at_ms: now_ms,
            seen_at_ms: if lsn.is_none() { now_ms } else { 0 },
            ..Default::default()
        });
    }

    fn token(&self) -> Option<ConsistencyToken> {
        (self.0.written_at_ms > 0).then(|| self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_whose_position_is_not_known_asks_for_replicas_of_now_and_for_no_position() {
        let mut written = Written::default();
        assert_eq!(written.token(), None);
        written.add(ShardIndex(1), None, 5_000);
        let token = written.token().unwrap();
        assert_eq!((token.seen_at_ms, token.written_at_ms), (5_000, 5_000));
        assert!(token.shards.is_empty(), "a position that no replica comes to: {token:?}");
        written.add(ShardIndex(1), Some(70), 6_000);
        let token = written.token().unwrap();
        assert_eq!((token.seen_at_ms, token.shards.get(&1)), (5_000, Some(&70)));
    }
}
