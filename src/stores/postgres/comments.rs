//! Comment rows; on the post's shard.

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::ids::{Bucket, CommentId, PostId, UserId};
use crate::stores::StoreError;

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, QueryableByName)]
pub struct Comment {
    /// Id.
    #[diesel(sql_type = BigInt)]
    pub id: CommentId,
    /// On which post.
    #[diesel(sql_type = BigInt)]
    pub post_id: PostId,
    /// By whom.
    #[diesel(sql_type = BigInt)]
    pub author_id: UserId,
    /// Text.
    #[diesel(sql_type = Text)]
    pub text: String,
}

/// Inserts a comment.
///
/// # Errors
/// The server's.
pub async fn insert(connection: &mut Connection, bucket: Bucket, post: i64, author: i64, text: &str) -> Result<Comment, StoreError> {
    Ok(prepared(
        sql("INSERT INTO comments (id, post_id, author_id, text) VALUES (next_id($1), $2, $3, $4) RETURNING id, post_id, author_id, text")
            .bind::<Integer, _>(i32::from(bucket.number()))
            .bind::<BigInt, _>(post)
            .bind::<BigInt, _>(author)
            .bind::<Text, _>(text),
    )
    .get_result(connection)
    .await?)
}

/// Rows by id.
///
/// # Errors
/// The server's.
pub async fn get_many(connection: &mut Connection, ids: &[i64]) -> Result<Vec<Comment>, StoreError> {
    Ok(prepared(sql("SELECT id, post_id, author_id, text FROM comments WHERE id = ANY($1)").bind::<Array<BigInt>, _>(ids))
        .load(connection)
        .await?)
}

/// A post's comments above an id, oldest first.
///
/// # Errors
/// The server's.
pub async fn page(connection: &mut Connection, post: i64, after: i64, limit: i64) -> Result<Vec<Comment>, StoreError> {
    Ok(prepared(
        sql("SELECT id, post_id, author_id, text FROM comments WHERE post_id = $1 AND id > $2 ORDER BY id LIMIT $3")
            .bind::<BigInt, _>(post)
            .bind::<BigInt, _>(after)
            .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?)
}

/// One comment of a post, or a post without any, with the post's version.
#[derive(Debug, QueryableByName)]
pub struct FirstComment {
    /// The post.
    #[diesel(sql_type = BigInt)]
    pub post_id: PostId,
    /// The post's version.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
    /// Whether the post is deleted.
    #[diesel(sql_type = Bool)]
    pub deleted: bool,
    /// The comment's id.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub id: Option<CommentId>,
    /// By whom.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub author_id: Option<UserId>,
    /// Text.
    #[diesel(sql_type = Nullable<Text>)]
    pub text: Option<String>,
}

/// The first comments of many posts, oldest first within a post.
///
/// # Errors
/// The server's.
pub async fn first_of_many(connection: &mut Connection, posts: &[i64], limit: i64) -> Result<Vec<FirstComment>, StoreError> {
    Ok(prepared(
        sql("SELECT p.id AS post_id, p.version, p.deleted, c.id, c.author_id, c.text FROM posts p
             LEFT JOIN LATERAL (SELECT id, author_id, text FROM comments WHERE post_id = p.id ORDER BY id LIMIT $2) c ON true
             WHERE p.id = ANY($1) ORDER BY p.id, c.id")
        .bind::<Array<BigInt>, _>(posts)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?)
}
