//! A transaction as the rules see it: statements, what it emits, and what it makes old.

use std::ops::{Deref, DerefMut};

use chrono::{DateTime, Utc};
use futures_util::future::join4;
use serde::{Deserialize, Serialize};

use crate::{DomainError, Operation, timelines};
use plaza_base::ids::{PostId, UserId};
use plaza_outbox::Messages;
use plaza_protocol::events::Event;
use plaza_protocol::jobs::Job;
use plaza_stores::postgres::session::Lsn;
use plaza_stores::postgres::{Connection, ShardIndex, Transaction};
use plaza_stores::redis::cache::Cached;
use plaza_stores::redis::fresh::Fresh;
use plaza_stores::redis::invalidation::Stale;

/// What a commit makes old outside the database. Stored with the answer to the key, so that a retry
/// invalidates again what a process may have died before invalidating.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Effects {
    /// Cached rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stale: Vec<Stale>,
    /// Users whose home timelines are no longer right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    timelines: Vec<UserId>,
    /// Posts that their authors have in their own homes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    at_home: Vec<(UserId, PostId)>,
    /// Rows as they were written: only the first time, for they may have changed when it is asked
    /// again.
    #[serde(skip)]
    fresh: Vec<Fresh>,
}

impl Effects {
    /// After the commit: the client's later reads see it, and no cache shows what was before. None
    /// of these depends on another: they are sent together.
    pub(super) async fn apply(self, op: &Operation, shard: ShardIndex, lsn: Option<Lsn>) {
        op.wrote(shard, lsn, op.domain.clock.now_ms());
        let redis = &op.domain.redis;
        let ((), invalidated, (), ()) = join4(
            redis.put_all(&self.fresh),
            redis.invalidate_all(&self.stale),
            forget_timelines(op, self.timelines),
            push_home(op, self.at_home),
        )
        .await;
        op.invalidated(invalidated);
    }
}

async fn forget_timelines(op: &Operation, users: Vec<UserId>) {
    for user in users {
        if let Err(DomainError::Store(error)) = timelines::forget(&op.domain, user).await {
            op.invalidated(Err(error));
        }
    }
}

async fn push_home(op: &Operation, posts: Vec<(UserId, PostId)>) {
    let length = op.domain.feed.timeline_length;
    for (author, post) in posts {
        // A user whose push failed gets a new timeline, and the post is pushed once
        // more with its fan-out.
        let pushed = op.domain.redis.push_to_timelines(&[post], &[author], length).await;
        op.invalidated(pushed.map(drop));
    }
}

/// An open transaction of a rule; given to query functions as the connection it is.
#[derive(Debug)]
pub struct Tx {
    pub(super) transaction: Transaction,
    pub(super) messages: Messages,
    pub(super) effects: Effects,
    now: DateTime<Utc>,
}

impl Deref for Tx {
    type Target = Connection;
    fn deref(&self) -> &Self::Target {
        &self.transaction
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.transaction
    }
}

impl Tx {
    pub(super) fn new(transaction: Transaction, op: &Operation) -> Self {
        let now = op.domain.clock.now();
        let messages = Messages::new(transaction.shard(), now, op.traceparent.as_deref());
        Self { transaction, messages, effects: Effects::default(), now }
    }

    /// When it began, by this process's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Has an event published once this is committed; `version` is the aggregate's after it. Lock
    /// the aggregate's row first: that is what makes order per aggregate hold.
    pub fn emit(&mut self, event: Event, version: i64) {
        self.messages.event(event, version);
    }

    /// Has a job done once this is committed; `id` must be the same whenever the same work is asked
    /// for (`order:12/process`).
    pub fn enqueue(&mut self, job: Job, id: String) {
        self.messages.job(job, id);
    }

    /// Row `id` is at `version` once this is committed: what caches hold of it is older.
    pub fn invalidate<V: Cached>(&mut self, id: V::Key, version: i64) {
        self.effects.stale.push(Stale::of::<V>(id, version));
    }

    /// A row is this once this is committed: whoever reads it from a replica that does not have it
    /// yet finds it in the cache.
    pub fn cache(&mut self, fresh: Option<Fresh>) {
        self.effects.fresh.extend(fresh);
    }

    /// The author has this post in their own home as soon as this is committed, and not only when
    /// the followers have it.
    pub fn push_home(&mut self, author: UserId, post: PostId) {
        self.effects.at_home.push((author, post));
    }

    /// The user's home timeline is no longer right once this is committed: the next read rebuilds
    /// it.
    pub fn forget_timeline(&mut self, user: UserId) {
        self.effects.timelines.push(user);
    }
}
