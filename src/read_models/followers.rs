//! The followee's side of follows.
use crate::stores::{StoreError, postgres::Connection};
/// (follow id, follower id), newest follow first, below `after`.
pub async fn page(connection: &mut Connection, followee: i64, after: Option<i64>, limit: i64) -> Result<Vec<(i64, i64)>, StoreError> { todo!() }
/// Follower ids above `after_follower`, ascending: the fan-out's walk.
pub async fn chunk(connection: &mut Connection, followee: i64, after_follower: i64, limit: i64) -> Result<Vec<i64>, StoreError> { todo!() }
