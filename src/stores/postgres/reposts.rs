//! What a user reposts; on their shard.

use diesel::sql_types::{Array, BigInt, Integer};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use plaza_base::ids::{Bucket, PostId, UserId};

#[derive(QueryableByName)]
struct PostRow {
    #[diesel(sql_type = BigInt)]
    post_id: PostId,
}

/// Inserts a repost as a post, unless the author reposts the original already; its id. Of two at
/// once the second waits for the first, and is `None`.
///
/// # Errors
/// The server's.
pub async fn insert(
    mut connection: &Connection,
    bucket: Bucket,
    author: UserId,
    original: PostId,
) -> Result<Option<PostId>, StoreError> {
    let made: Option<PostRow> = prepared(
        sql("WITH made AS (INSERT INTO reposts (author_id, original_id, post_id) VALUES ($2, $3, next_id($1))
                           ON CONFLICT (author_id, original_id) DO NOTHING RETURNING post_id),
                  post AS (INSERT INTO posts (id, author_id, text, repost_of) SELECT post_id, $2, '', $3 FROM made)
             SELECT post_id FROM made")
        .bind::<Integer, _>(i32::from(bucket.number()))
        .bind::<BigInt, _>(author)
        .bind::<BigInt, _>(original),
    )
    .get_result(&mut connection)
    .await
    .optional()?;
    Ok(made.map(|row| row.post_id))
}

/// The author's repost of a post.
///
/// # Errors
/// The server's.
pub async fn find(
    connection: &mut Connection,
    author: UserId,
    original: PostId,
) -> Result<Option<PostId>, StoreError> {
    let found: Option<PostRow> = prepared(
        sql("SELECT post_id FROM reposts WHERE author_id = $1 AND original_id = $2")
            .bind::<BigInt, _>(author)
            .bind::<BigInt, _>(original),
    )
    .get_result(connection)
    .await
    .optional()?;
    Ok(found.map(|row| row.post_id))
}

/// Whether the author has taken a repost of a post back.
///
/// # Errors
/// The server's.
pub async fn has_taken_back(
    connection: &mut Connection,
    author: UserId,
    original: PostId,
) -> Result<bool, StoreError> {
    let found: Option<PostRow> = prepared(
        sql("SELECT id AS post_id FROM posts WHERE author_id = $1 AND repost_of = $2 AND deleted LIMIT 1")
            .bind::<BigInt, _>(author)
            .bind::<BigInt, _>(original),
    )
    .get_result(connection)
    .await
    .optional()?;
    Ok(found.is_some())
}

/// The author no longer reposts a post.
///
/// # Errors
/// The server's.
pub async fn delete(
    connection: &mut Connection,
    author: UserId,
    original: PostId,
) -> Result<(), StoreError> {
    prepared(
        sql("DELETE FROM reposts WHERE author_id = $1 AND original_id = $2")
            .bind::<BigInt, _>(author)
            .bind::<BigInt, _>(original),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Those of `posts` that `author` reposts.
///
/// # Errors
/// The server's.
pub async fn among(
    connection: &mut Connection,
    author: UserId,
    posts: &[PostId],
) -> Result<Vec<PostId>, StoreError> {
    let rows: Vec<PostRow> = prepared(
        sql("SELECT original_id AS post_id FROM reposts WHERE author_id = $1 AND original_id = ANY($2)")
            .bind::<BigInt, _>(author)
            .bind::<Array<BigInt>, _>(posts),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.post_id).collect())
}

#[derive(QueryableByName)]
struct RepostRow {
    #[diesel(sql_type = BigInt)]
    author_id: UserId,
    #[diesel(sql_type = BigInt)]
    original_id: PostId,
}

/// Those of these reposts that are there, each by an author of an original.
///
/// # Errors
/// The server's.
pub async fn among_many(
    connection: &mut Connection,
    authors: &[UserId],
    originals: &[PostId],
) -> Result<Vec<(UserId, PostId)>, StoreError> {
    let rows: Vec<RepostRow> = prepared(
        sql("SELECT r.author_id, r.original_id
             FROM unnest($1::bigint[], $2::bigint[]) AS asked (author_id, original_id)
             JOIN reposts r ON r.author_id = asked.author_id
                           AND r.original_id = asked.original_id")
        .bind::<Array<BigInt>, _>(authors)
        .bind::<Array<BigInt>, _>(originals),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.author_id, row.original_id)).collect())
}
