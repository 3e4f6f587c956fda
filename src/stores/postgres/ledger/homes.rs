//! What home timelines, files and jobs are compared with: some rows of a shard, never all.

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::RunQueryDsl;

use crate::StoreError;
use crate::postgres::pool::Connection;
use crate::postgres::prepared::{prepared, sql};
use plaza_base::ids::{ImageId, PostId, UserId};

#[derive(QueryableByName)]
struct UserRow {
    #[diesel(sql_type = BigInt)]
    id: UserId,
}

#[derive(QueryableByName)]
struct NameRow {
    #[diesel(sql_type = Text)]
    name: String,
}

fn names(rows: Vec<NameRow>) -> Vec<String> {
    rows.into_iter().map(|row| row.name).collect()
}

/// The next users after an id, and the first ones when there are no more, at most so many.
///
/// # Errors
/// The server's.
pub async fn users_after(
    connection: &mut Connection,
    after: i64,
    limit: i64,
) -> Result<Vec<UserId>, StoreError> {
    let rows: Vec<UserRow> = prepared(
        sql("(SELECT id FROM users WHERE id > $1 ORDER BY id LIMIT $2)
             UNION ALL (SELECT id FROM users WHERE id <= $1 ORDER BY id LIMIT $2) LIMIT $2")
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Whom a user follows.
///
/// # Errors
/// The server's.
pub async fn followees(
    connection: &mut Connection,
    user: UserId,
) -> Result<Vec<UserId>, StoreError> {
    let rows: Vec<UserRow> = prepared(
        sql("SELECT followee_id AS id FROM follows WHERE follower_id = $1 AND active")
            .bind::<BigInt, _>(user),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Authors of this shard's newest posts of ids above `since` and below `before`, and some followers
/// of each: whose homes those posts belong to.
///
/// # Errors
/// The server's.
pub async fn audience_of_new_posts(
    connection: &mut Connection,
    (since, before): (i64, i64),
    posts: i64,
    followers: i64,
) -> Result<Vec<UserId>, StoreError> {
    let rows: Vec<UserRow> = prepared(
        sql("WITH author AS (
                 SELECT DISTINCT author_id AS id FROM (
                     SELECT author_id FROM posts WHERE id > $1 AND id < $2 AND NOT deleted
                     ORDER BY id DESC LIMIT $3) newest)
             SELECT id FROM author
             UNION SELECT f.follower_id FROM author a CROSS JOIN LATERAL (
                 SELECT follower_id FROM followers
                 WHERE followee_id = a.id AND active ORDER BY follow_id DESC LIMIT $4) f")
        .bind::<BigInt, _>(since)
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(posts)
        .bind::<BigInt, _>(followers),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct PostRow {
    #[diesel(sql_type = BigInt)]
    id: PostId,
}

/// Those of these posts that have a row, deleted ones too.
///
/// # Errors
/// The server's.
pub async fn existing_posts(
    connection: &mut Connection,
    posts: &[PostId],
) -> Result<Vec<PostId>, StoreError> {
    let rows: Vec<PostRow> =
        prepared(sql("SELECT id FROM posts WHERE id = ANY($1)").bind::<Array<BigInt>, _>(posts))
            .load(connection)
            .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// An image that is shown, and what its files are named by.
#[derive(Debug, Clone, QueryableByName)]
pub struct ShownImage {
    /// Which.
    #[diesel(sql_type = BigInt)]
    pub id: ImageId,
    /// See `images.object_key`.
    #[diesel(sql_type = Text)]
    pub object_key: String,
    /// The files' suffix.
    #[diesel(sql_type = Text)]
    pub format: String,
}

/// The next images after an id that are shown, and the first ones when there are no more, at most
/// so many.
///
/// # Errors
/// The server's.
pub async fn shown_images(
    connection: &mut Connection,
    after: i64,
    limit: i64,
) -> Result<Vec<ShownImage>, StoreError> {
    Ok(prepared(
        sql("(SELECT id, object_key, format FROM images
              WHERE id > $1 AND used AND state = 'READY' AND format IS NOT NULL
              ORDER BY id LIMIT $2)
             UNION ALL
             (SELECT id, object_key, format FROM images
              WHERE id <= $1 AND used AND state = 'READY' AND format IS NOT NULL
              ORDER BY id LIMIT $2) LIMIT $2")
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?)
}

/// Work of ids below `before` that a job was to do and that is not done, some of each kind: images
/// to process, authors with fewer than `push_below` followers to push again, requests to follow
/// users who are no longer private (of those whose ids follow `after`).
///
/// # Errors
/// The server's.
pub async fn left_undone(
    connection: &mut Connection,
    (after, before): (i64, i64),
    push_below: i64,
) -> Result<Vec<String>, StoreError> {
    let rows: Vec<NameRow> = prepared(
        sql("(SELECT 'image ' || id || ' is not processed' AS name FROM images
              WHERE NOT used AND state = 'PROCESSING' AND id < $1 ORDER BY id LIMIT 100)
             UNION ALL
             (SELECT 'user ' || u.id || ' is not pushed again' FROM users u
              JOIN follower_counts c ON c.user_id = u.id
              WHERE u.pull_since IS NOT NULL AND c.follower_count < $2
                AND extract(epoch FROM u.pull_since) * 1000 < ($1 >> 22) + 1735689600000
              ORDER BY u.id LIMIT 100)
             UNION ALL
             (SELECT 'request of ' || r.follower_id || ' to ' || r.followee_id || ' is not granted'
              FROM (SELECT followee_id, follower_id, follow_id FROM follow_requests
                    WHERE followee_id > $3 ORDER BY followee_id LIMIT 10000) r
              JOIN users u ON u.id = r.followee_id
              WHERE NOT u.is_private AND r.follow_id < $1 LIMIT 100)")
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(push_below)
        .bind::<BigInt, _>(after),
    )
    .load(connection)
    .await?;
    Ok(names(rows))
}

/// Orders of ids after one and below `before` that have not ended, at most so many.
///
/// # Errors
/// The server's.
pub async fn open_orders(
    connection: &mut Connection,
    before: i64,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let rows: Vec<NameRow> = prepared(
        sql("SELECT 'order ' || id || ' is ' || status AS name FROM orders
             WHERE status IN ('PENDING', 'RESERVED', 'PAID', 'REFUNDING') AND id < $1
             ORDER BY id LIMIT $2")
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?;
    Ok(names(rows))
}
