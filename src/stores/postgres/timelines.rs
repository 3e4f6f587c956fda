//! What home timelines are made from.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Timestamptz};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use plaza_base::ids::{PostId, UserId};

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: PostId,
}

/// Ids of the newest posts of these authors below an id, newest first.
///
/// Each author is an index scan of at most `limit` rows. Of many authors the next posts are most
/// often among the shard's own next ones, so those are read first, two for each author: a row read
/// in order costs a fraction of a scan begun.
///
/// # Errors
/// The server's.
pub async fn newest_posts(
    connection: &mut Connection,
    authors: &[UserId],
    below: i64,
    limit: i64,
) -> Result<Vec<PostId>, StoreError> {
    let rows: Vec<IdRow> = prepared(
        sql("WITH near AS MATERIALIZED (
                 SELECT id FROM (SELECT id, author_id FROM posts WHERE id < $2 AND NOT deleted
                                 ORDER BY id DESC LIMIT 2 * cardinality($1)) p
                 WHERE cardinality($1) >= 100 AND author_id = ANY($1)
                 ORDER BY id DESC LIMIT $3),
             enough AS MATERIALIZED (SELECT count(*) = $3 AS found FROM near)
             SELECT id FROM near WHERE (SELECT found FROM enough)
             UNION ALL
             (SELECT p.id FROM unnest($1::bigint[]) AS a(id)
              CROSS JOIN LATERAL (SELECT id FROM posts WHERE author_id = a.id AND NOT deleted AND id < $2 ORDER BY id DESC LIMIT $3) p
              WHERE NOT (SELECT found FROM enough)
              ORDER BY p.id DESC LIMIT $3)")
        .bind::<Array<BigInt>, _>(authors)
        .bind::<BigInt, _>(below)
        .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct AuthorRow {
    #[diesel(sql_type = BigInt)]
    id: UserId,
}

/// Users of this shard whose posts are pulled.
///
/// # Errors
/// The server's.
pub async fn pull_authors(connection: &mut Connection) -> Result<Vec<UserId>, StoreError> {
    let rows: Vec<AuthorRow> =
        prepared(sql("SELECT id FROM users WHERE pull_since IS NOT NULL")).load(connection).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// What a fan-out needs to know.
#[derive(Debug, QueryableByName)]
pub struct FanOutState {
    /// Whether the post has been deleted.
    #[diesel(sql_type = Bool)]
    pub deleted: bool,
    /// Since when the author's posts are pulled.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub pull_since: Option<DateTime<Utc>>,
}

/// `None` when the post or its author is not there.
///
/// # Errors
/// The server's.
pub async fn fan_out_state(
    connection: &mut Connection,
    post: PostId,
    author: UserId,
) -> Result<Option<FanOutState>, StoreError> {
    Ok(prepared(
        sql("SELECT p.deleted, u.pull_since FROM posts p JOIN users u ON u.id = p.author_id WHERE p.id = $1 AND u.id = $2")
            .bind::<BigInt, _>(post)
            .bind::<BigInt, _>(author),
    )
    .get_result(connection)
    .await
    .optional()?)
}

/// Begins the author's pull mode anew, as of `now`; whether the author is in it.
///
/// # Errors
/// The server's.
pub async fn renew_pull(
    connection: &mut Connection,
    author: UserId,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let renewed = prepared(
        sql("UPDATE users SET pull_since = $2 WHERE id = $1 AND pull_since IS NOT NULL")
            .bind::<BigInt, _>(author)
            .bind::<Timestamptz, _>(now),
    )
    .execute(connection)
    .await?;
    Ok(renewed > 0)
}

/// The author's posts are pushed again.
///
/// # Errors
/// The server's.
pub async fn end_pull(connection: &mut Connection, author: UserId) -> Result<(), StoreError> {
    prepared(sql("UPDATE users SET pull_since = NULL WHERE id = $1").bind::<BigInt, _>(author))
        .execute(connection)
        .await?;
    Ok(())
}
