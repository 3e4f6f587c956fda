//! Counts on a profile.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Domain, DomainError, Operation};
use crate::ids::{Id, UserId};
use crate::read_models::profile_counts;
use crate::stores::postgres::Connection;
use crate::stores::redis::cache::Cached;

/// A profile's counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileCounts {
    /// Posts not deleted.
    pub posts: i64,
    /// People followed.
    pub following: i64,
    /// People following.
    pub followers: i64,
    /// The user's activity version they were counted at.
    pub version: i64,
}

impl Cached for ProfileCounts {
    const KIND: &'static str = "profile_counts";
    const LOCAL: bool = false;
    fn version(&self) -> i64 {
        self.version
    }
}

/// Counts by user, through the cache; an entry for every user that exists.
///
/// # Errors
/// A shard that is away.
pub async fn get_many(op: &Operation, domain: &Domain, ids: &[UserId]) -> Result<HashMap<UserId, ProfileCounts>, DomainError> {
    let raw: Vec<i64> = ids.iter().map(|id| id.as_i64()).collect();
    let found = domain
        .redis
        .get_many(op.cache_policy(), &raw, async |missing: &[i64]| -> Result<HashMap<i64, ProfileCounts>, DomainError> {
            let missing = missing.iter().copied().map(UserId::from_i64);
            let rows = domain
                .cluster
                .scatter_ids(&op.reads, missing, async |connection: &mut Connection, ids: &[i64]| {
                    profile_counts::load(connection, ids).await
                })
                .await
                .complete()?;
            Ok(rows
                .into_iter()
                .flatten()
                .map(|row| {
                    let counts =
                        ProfileCounts { posts: row.posts, following: row.following, followers: row.followers, version: row.version };
                    (row.user_id, counts)
                })
                .collect())
        })
        .await?;
    Ok(found.into_iter().map(|(id, counts)| (UserId::from_i64(id), counts)).collect())
}
