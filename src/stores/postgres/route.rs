//! Which server of a shard answers a reader, by what is known of its replicas: without a server.

use super::replicas::ReplicaState;
use super::routing::ShardIndex;
use super::session::{ReadSession, Source};

/// A shard's replicas, as a reader may choose among them.
#[derive(Debug)]
pub(super) struct Route<'a, R> {
    /// The shard.
    pub shard: ShardIndex,
    /// Its replicas, in the order of the configuration.
    pub replicas: &'a [R],
    /// What a replica must have to answer anybody, in Unix milliseconds.
    pub fresh_since_ms: i64,
}

impl<R: AsRef<ReplicaState>> Route<'_, R> {
    /// The client's own replica: the first in its order that serves at all, and since when that has
    /// been so.
    fn own(&self, session: &ReadSession) -> Option<(usize, i64)> {
        let start = session.own_replica(self.shard, self.replicas.len());
        let order = (0..self.replicas.len()).map(|step| (start + step) % self.replicas.len());
        let mut since_ms = 0;
        for number in order {
            let state = self.replicas.get(number)?.as_ref();
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
        let Some((_, since_ms)) = self.own(session) else { return false };
        let seen_at_ms = session.seen_at_ms().max(since_ms).max(self.fresh_since_ms);
        let replica = self.replicas.get(number);
        replica.is_some_and(|it| it.as_ref().serves(session.required(self.shard), seen_at_ms))
    }

    /// Whether the client's own replica would most likely answer if it were asked once more how far
    /// it has come: the last probe of it was too early to know.
    pub(super) fn is_worth_asking_again(&self, session: &ReadSession) -> bool {
        let Some((number, _)) = self.own(session) else { return false };
        session.is_open(self.shard)
            && !self.fits(session, Source::Replica(number))
            && self.replicas.get(number).is_some_and(|replica| replica.as_ref().is_near())
    }

    /// The server that answers: the one that the session keeps to, else its own replica, else
    /// another one that has what it must have, else the primary.
    pub(super) fn choose(&self, session: &ReadSession) -> Source {
        let own = self.own(session).map(|(number, _)| Source::Replica(number));
        let fits = |source| self.fits(session, source);
        let others = (0..self.replicas.len()).map(Source::Replica);
        let source = session.source(self.shard, fits, || {
            own.into_iter().chain(others).find(|source| fits(*source)).unwrap_or(Source::Primary)
        });
        if own != Some(source) && !self.replicas.is_empty() {
            session.mark_left_replica();
        }
        source
    }
}
