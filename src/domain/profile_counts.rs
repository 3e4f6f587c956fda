//! Counts on a profile: what the user has done, and what others have done.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Domain, DomainError, Operation};
use crate::ids::{Id, UserId};
use crate::read_models::profile_counts;
use crate::stores::postgres::Connection;
use crate::stores::redis::cache::Cached;

/// What a user has done, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileCounts {
    /// Posts not deleted.
    pub posts: i64,
    /// People followed.
    pub following: i64,
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

/// What others have done, counted by a projection that has versions of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowerCount {
    /// People following.
    pub followers: i64,
    /// Rises with each count.
    pub version: i64,
}

impl Cached for FollowerCount {
    const KIND: &'static str = "follower_count";
    const LOCAL: bool = false;
    fn version(&self) -> i64 {
        self.version
    }
}

/// Posts and follows by user, through the cache; an entry for every user that exists.
///
/// # Errors
/// A shard that is away.
pub async fn get_many(
    op: &Operation,
    domain: &Domain,
    ids: &[UserId],
) -> Result<HashMap<UserId, ProfileCounts>, DomainError> {
    let raw: Vec<i64> = ids.iter().map(|id| id.as_i64()).collect();
    let found = domain
        .redis
        .get_many(
            op.cache_policy(),
            &raw,
            async |missing: &[i64]| -> Result<HashMap<i64, ProfileCounts>, DomainError> {
                let missing = missing.iter().copied().map(UserId::from_i64);
                let rows = domain
                    .cluster
                    .scatter_ids(
                        &op.reads,
                        missing,
                        async |connection: &mut Connection, ids: &[i64]| {
                            profile_counts::load(connection, ids).await
                        },
                    )
                    .await
                    .complete()?;
                let rows = rows.into_iter().flatten();
                Ok(rows
                    .map(|row| {
                        (
                            row.user_id,
                            ProfileCounts {
                                posts: row.posts,
                                following: row.following,
                                version: row.version,
                            },
                        )
                    })
                    .collect())
            },
        )
        .await?;
    Ok(found.into_iter().map(|(id, counts)| (UserId::from_i64(id), counts)).collect())
}

/// Followers by user, through the cache; an entry for every id.
///
/// # Errors
/// A shard that is away.
pub async fn followers_of_many(
    op: &Operation,
    domain: &Domain,
    ids: &[UserId],
) -> Result<HashMap<UserId, FollowerCount>, DomainError> {
    let raw: Vec<i64> = ids.iter().map(|id| id.as_i64()).collect();
    let found = domain
        .redis
        .get_many(
            op.cache_policy(),
            &raw,
            async |missing: &[i64]| -> Result<HashMap<i64, FollowerCount>, DomainError> {
                let missing = missing.iter().copied().map(UserId::from_i64);
                let rows = domain
                    .cluster
                    .scatter_ids(
                        &op.reads,
                        missing,
                        async |connection: &mut Connection, ids: &[i64]| {
                            profile_counts::load_followers(connection, ids).await
                        },
                    )
                    .await
                    .complete()?;
                let rows = rows.into_iter().flatten();
                Ok(rows
                    .map(|row| {
                        (
                            row.user_id,
                            FollowerCount { followers: row.followers, version: row.version },
                        )
                    })
                    .collect())
            },
        )
        .await?;
    Ok(found.into_iter().map(|(id, count)| (UserId::from_i64(id), count)).collect())
}
