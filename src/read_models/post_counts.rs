//! Likes and comments per post.
use crate::stores::{StoreError, postgres::Connection};
/// Counts of a post, exact as of `version`.
#[derive(Debug, Clone, Copy)]
pub struct PostCountsRow { /// Post.
    pub post_id: i64, /// Likes.
    pub likes: i64, /// Comments.
    pub comments: i64, /// The post's version.
    pub version: i64 }
/// Exact counts in one statement: from the read model where it is at the post's version, else counted from the rows.
pub async fn load(connection: &mut Connection, posts: &[i64]) -> Result<Vec<PostCountsRow>, StoreError> { todo!() }
