//! Counts on a profile: what the user has done, and what others have done.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::cached::{self, Load};
use super::{DomainError, Operation};
use plaza_base::ids::UserId;
use plaza_read_models::profile_counts;
use plaza_stores::StoreError;
use plaza_stores::postgres::Connection;
use plaza_stores::redis::cache::Cached;

/// What a user has done, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileCounts {
    /// Posts not deleted.
    pub posts: i64,
    /// Users followed.
    pub following: i64,
    /// The user's activity version they were counted at.
    pub version: i64,
}

impl Cached for ProfileCounts {
    type Key = UserId;
    const KIND: &'static str = "profile_counts";
    const LOCAL: bool = false;
    fn version(&self) -> i64 {
        self.version
    }
}

impl Load for ProfileCounts {
    async fn load(
        connection: &mut Connection,
        ids: &[UserId],
    ) -> Result<Vec<(UserId, Self)>, StoreError> {
        let rows = profile_counts::load(connection, ids).await?.into_iter();
        let counts = rows.map(|row| {
            let (posts, following, version) = (row.posts, row.following, row.version);
            (row.user_id, Self { posts, following, version })
        });
        Ok(counts.collect())
    }
}

/// What others have done, counted by a projection that has versions of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowerCount {
    /// Users following.
    pub followers: i64,
    /// Rises with each count.
    pub version: i64,
}

impl Cached for FollowerCount {
    type Key = UserId;
    const KIND: &'static str = "follower_count";
    const LOCAL: bool = false;
    fn version(&self) -> i64 {
        self.version
    }
}

impl Load for FollowerCount {
    async fn load(
        connection: &mut Connection,
        ids: &[UserId],
    ) -> Result<Vec<(UserId, Self)>, StoreError> {
        let rows = profile_counts::load_followers(connection, ids).await?.into_iter();
        let counts = rows.map(|row| {
            let (followers, version) = (row.followers, row.version);
            (row.user_id, Self { followers, version })
        });
        Ok(counts.collect())
    }
}

/// Posts and follows by user, through the cache; an entry for every user that exists.
///
/// # Errors
/// A shard that is unavailable.
pub async fn get_many(
    op: &Operation,
    ids: &[UserId],
) -> Result<HashMap<UserId, ProfileCounts>, DomainError> {
    cached::get(op, ids).await
}

/// Followers by user, through the cache; an entry for every id.
///
/// # Errors
/// A shard that is unavailable.
pub async fn followers_of_many(
    op: &Operation,
    ids: &[UserId],
) -> Result<HashMap<UserId, FollowerCount>, DomainError> {
    cached::get(op, ids).await
}
