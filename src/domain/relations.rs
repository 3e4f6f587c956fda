//! Whom a user follows and blocks, and who blocks them: all on the user's own shard, read in
//! one statement and cached as one.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cached::{self, Load};
use super::profile_counts::ProfileCounts;
use super::{DomainError, Operation, Tx};
use plaza_base::ids::UserId;
use plaza_stores::StoreError;
use plaza_stores::postgres::users::Versions;
use plaza_stores::postgres::{Connection, follows as store};
use plaza_stores::redis::cache::Cached;

/// A user's relations; each list is sorted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Relations {
    version: i64,
    /// Users they follow.
    pub followees: Vec<UserId>,
    /// Users they block.
    pub blocking: Vec<UserId>,
    /// Users who block them.
    pub blocked_by: Vec<UserId>,
}

impl Cached for Relations {
    type Key = UserId;
    const KIND: &'static str = "relations";
    const LOCAL: bool = false;
    fn version(&self) -> i64 {
        self.version
    }
}

impl Load for Relations {
    async fn load(
        connection: &mut Connection,
        ids: &[UserId],
    ) -> Result<Vec<(UserId, Self)>, StoreError> {
        let rows = store::relations(connection, ids).await?.into_iter();
        let relations = rows.map(|row| {
            let relations = Self {
                version: row.version,
                followees: row.followees,
                blocking: row.blocking,
                blocked_by: row.blocked_by,
            };
            (row.user_id, relations)
        });
        Ok(relations.collect())
    }
}

impl Relations {
    /// Whether the user follows somebody.
    pub fn follows(&self, user: UserId) -> bool {
        self.followees.binary_search(&user).is_ok()
    }

    /// Whose posts are in the home feed of `user`, whose relations these are, sorted: those they
    /// follow, and they themselves.
    pub fn at_home(&self, user: UserId) -> Vec<UserId> {
        let mut authors = self.followees.clone();
        if let Err(place) = authors.binary_search(&user) {
            authors.insert(place, user);
        }
        authors
    }

    /// Whether a post of `author` is in the home feed of `user`, whose relations these are.
    pub fn is_at_home(&self, user: UserId, author: UserId) -> bool {
        author == user || self.follows(author)
    }

    /// Whether the user blocks somebody.
    pub fn blocks(&self, user: UserId) -> bool {
        self.blocking.binary_search(&user).is_ok()
    }

    /// Whether somebody blocks the user.
    pub fn is_blocked_by(&self, user: UserId) -> bool {
        self.blocked_by.binary_search(&user).is_ok()
    }
}

/// A user's relations, through the cache.
///
/// # Errors
/// The user's shard is unavailable.
pub async fn of(op: &Operation, user: UserId) -> Result<Arc<Relations>, DomainError> {
    let found = of_many(op, &[user]).await?;
    Ok(Arc::new(found.into_values().next().unwrap_or_default()))
}

/// Users's relations by their ids, through the cache.
///
/// # Errors
/// A user's shard is unavailable.
pub(super) async fn of_many(
    op: &Operation,
    users: &[UserId],
) -> Result<HashMap<UserId, Relations>, DomainError> {
    cached::get(op, users).await
}

/// The viewer's relations, read once an operation, and again after it has written; nobody's for the
/// anonymous.
///
/// # Errors
/// The viewer's shard is unavailable.
pub async fn of_viewer(op: &Operation) -> Result<Arc<Relations>, DomainError> {
    let Some(viewer) = op.viewer else { return Ok(Arc::default()) };
    op.relations().get_or_try_init(|| of(op, viewer.user_id)).await.cloned()
}

/// A user's follows or blocks are changed by a transaction, to these versions: what is cached of
/// them is older, and their timeline is no longer right.
pub(super) fn changed(tx: &mut Tx, user: UserId, versions: Versions) {
    tx.invalidate::<Relations>(user, versions.relations);
    tx.invalidate::<ProfileCounts>(user, versions.activity);
    tx.forget_timeline(user);
}
