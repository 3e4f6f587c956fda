//! Posts, following and followers per user.
use crate::stores::{StoreError, postgres::Connection};
/// Counts of a profile.
#[derive(Debug, Clone, Copy)]
pub struct ProfileCountsRow { /// User.
    pub user_id: i64, /// Posts.
    pub posts: i64, /// Following.
    pub following: i64, /// Followers, as far as the followers projection has come.
    pub followers: i64, /// The user's activity version.
    pub version: i64 }
/// Counts in one statement: from the read model where it is at the user's activity version, else counted from the rows; followers from follower_counts.
pub async fn load(connection: &mut Connection, users: &[i64]) -> Result<Vec<ProfileCountsRow>, StoreError> { todo!() }
