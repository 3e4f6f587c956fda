//! Likes; on the post's shard.

use diesel::sql_types::{Array, BigInt, Bool};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;

use super::keyset::Keyset;
use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use plaza_base::ids::{PostId, UserId};

/// A post that is liked.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Liked {
    /// The post's version now.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
    /// Whether it is a version further: the like was not there.
    #[diesel(sql_type = Bool)]
    pub is_new: bool,
}

/// Locks a post and adds a like, with which the post is a version further; `None` when the post is
/// deleted.
///
/// # Errors
/// The server's.
pub async fn insert(
    mut connection: &Connection,
    post: PostId,
    user: UserId,
) -> Result<Option<Liked>, StoreError> {
    // The post is locked before anything else, and others' versions of it are waited for; what is
    // joined to the UPDATE is read once, so that it holds for whichever row they have left.
    Ok(prepared(
        sql(
            "WITH held AS (SELECT id, version FROM posts WHERE id = $1 AND NOT deleted FOR UPDATE),
             liked AS (
                 INSERT INTO likes (post_id, user_id) SELECT id, $2 FROM held
                 ON CONFLICT DO NOTHING RETURNING post_id),
             raised AS (
                 UPDATE posts p SET version = held.version + 1 FROM held, liked
                 WHERE p.id = held.id AND liked.post_id = held.id RETURNING p.version)
             SELECT coalesce(raised.version, held.version) AS version,
                    raised.version IS NOT NULL AS is_new
             FROM held LEFT JOIN raised ON true",
        )
        .bind::<BigInt, _>(post)
        .bind::<BigInt, _>(user),
    )
    .get_result(&mut connection)
    .await
    .optional()?)
}

/// Deletes a like, and notes that it was there; false when there was none.
///
/// # Errors
/// The server's.
pub async fn delete(
    connection: &mut Connection,
    post: PostId,
    user: UserId,
) -> Result<bool, StoreError> {
    let taken: Vec<PostRow> = prepared(
        sql("WITH taken AS (DELETE FROM likes WHERE post_id = $1 AND user_id = $2 RETURNING post_id, user_id),
                  noted AS (INSERT INTO likes_taken_back (post_id, user_id) SELECT post_id, user_id FROM taken ON CONFLICT DO NOTHING)
             SELECT post_id FROM taken")
        .bind::<BigInt, _>(post)
        .bind::<BigInt, _>(user),
    )
    .load(connection)
    .await?;
    Ok(!taken.is_empty())
}

#[derive(QueryableByName)]
struct FlagRow {
    #[diesel(sql_type = Bool)]
    flag: bool,
}

/// Whether somebody has taken a like of a post back.
///
/// # Errors
/// The server's.
pub async fn was_taken_back(
    connection: &mut Connection,
    post: PostId,
    user: UserId,
) -> Result<bool, StoreError> {
    let row: FlagRow = prepared(
        sql("SELECT EXISTS (SELECT 1 FROM likes_taken_back WHERE post_id = $1 AND user_id = $2) AS flag")
            .bind::<BigInt, _>(post)
            .bind::<BigInt, _>(user),
    )
    .get_result(connection)
    .await?;
    Ok(row.flag)
}

#[derive(QueryableByName)]
struct PostRow {
    #[diesel(sql_type = BigInt)]
    post_id: PostId,
}

/// Those of `posts` that `user` likes.
///
/// # Errors
/// The server's.
pub async fn among(
    connection: &mut Connection,
    user: UserId,
    posts: &[PostId],
) -> Result<Vec<PostId>, StoreError> {
    let rows: Vec<PostRow> = prepared(
        sql("SELECT post_id FROM likes WHERE user_id = $1 AND post_id = ANY($2)")
            .bind::<BigInt, _>(user)
            .bind::<Array<BigInt>, _>(posts),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.post_id).collect())
}

#[derive(QueryableByName)]
struct LikeRow {
    #[diesel(sql_type = BigInt)]
    post_id: PostId,
    #[diesel(sql_type = BigInt)]
    user_id: UserId,
}

/// Those of these likes that are there, each of a post by a user.
///
/// # Errors
/// The server's.
pub async fn among_many(
    connection: &mut Connection,
    posts: &[PostId],
    users: &[UserId],
) -> Result<Vec<(PostId, UserId)>, StoreError> {
    let rows: Vec<LikeRow> = prepared(
        sql("SELECT l.post_id, l.user_id
             FROM unnest($1::bigint[], $2::bigint[]) AS asked (post_id, user_id)
             JOIN likes l ON l.post_id = asked.post_id AND l.user_id = asked.user_id")
        .bind::<Array<BigInt>, _>(posts)
        .bind::<Array<BigInt>, _>(users),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.post_id, row.user_id)).collect())
}

#[derive(QueryableByName)]
struct UserRow {
    #[diesel(sql_type = BigInt)]
    user_id: UserId,
}

/// Users who like a post, by account.
///
/// # Errors
/// The server's.
pub async fn page(
    connection: &mut Connection,
    post: PostId,
    keyset: Keyset,
) -> Result<Vec<UserId>, StoreError> {
    let statement = if keyset.descending {
        sql(
            "SELECT user_id FROM likes WHERE post_id = $1 AND user_id < $2 ORDER BY user_id DESC LIMIT $3",
        )
    } else {
        sql(
            "SELECT user_id FROM likes WHERE post_id = $1 AND user_id > $2 ORDER BY user_id LIMIT $3",
        )
    };
    let rows: Vec<UserRow> = prepared(
        statement
            .bind::<BigInt, _>(post)
            .bind::<BigInt, _>(keyset.beyond)
            .bind::<BigInt, _>(keyset.limit),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.user_id).collect())
}
