//! The follower's side of follows.

use diesel::sql_types::{Array, BigInt, Bool, Integer};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::ids::{Bucket, FollowId, UserId};
use crate::stores::StoreError;

/// An edge that has changed.
#[derive(Debug, QueryableByName)]
pub struct Edge {
    /// The follow's id.
    #[diesel(sql_type = BigInt)]
    pub id: FollowId,
    /// The edge's version after the change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// Makes the edge active with a new id, or only asks for it; `None` when it is active already, or
/// asked for and only asked for again.
///
/// # Errors
/// The server's.
pub async fn begin(
    connection: &mut Connection,
    bucket: Bucket,
    follower: i64,
    followee: i64,
    requested: bool,
) -> Result<Option<Edge>, StoreError> {
    Ok(prepared(
        sql("INSERT INTO follows AS f (follower_id, followee_id, id, version, active, requested)
             VALUES ($2, $3, next_id($1), 1, NOT $4, $4)
             ON CONFLICT (follower_id, followee_id)
             DO UPDATE SET id = excluded.id, version = f.version + 1, active = excluded.active, requested = excluded.requested
             WHERE NOT f.active AND NOT (f.requested AND excluded.requested) RETURNING id, version")
        .bind::<Integer, _>(i32::from(bucket.number()))
        .bind::<BigInt, _>(follower)
        .bind::<BigInt, _>(followee)
        .bind::<Bool, _>(requested),
    )
    .get_result(connection)
    .await
    .optional()?)
}

/// Grants an edge that was asked for, or turns it down; `None` when it was not asked for.
///
/// # Errors
/// The server's.
pub async fn answer(
    connection: &mut Connection,
    follower: i64,
    followee: i64,
    grant: bool,
) -> Result<Option<Edge>, StoreError> {
    Ok(prepared(
        sql("UPDATE follows SET active = active OR $3, requested = false, version = version + 1
             WHERE follower_id = $1 AND followee_id = $2 AND requested RETURNING id, version")
        .bind::<BigInt, _>(follower)
        .bind::<BigInt, _>(followee)
        .bind::<Bool, _>(grant),
    )
    .get_result(connection)
    .await
    .optional()?)
}

/// Makes the edge inactive, or takes a request back; `None` when there was neither.
///
/// # Errors
/// The server's.
pub async fn deactivate(
    connection: &mut Connection,
    follower: i64,
    followee: i64,
) -> Result<Option<Edge>, StoreError> {
    Ok(prepared(
        sql("UPDATE follows SET active = false, requested = false, version = version + 1
             WHERE follower_id = $1 AND followee_id = $2 AND (active OR requested) RETURNING id, version")
        .bind::<BigInt, _>(follower)
        .bind::<BigInt, _>(followee),
    )
    .get_result(connection)
    .await
    .optional()?)
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// How many people a user follows.
///
/// # Errors
/// The server's.
pub async fn count(connection: &mut Connection, follower: i64) -> Result<i64, StoreError> {
    let row: CountRow = prepared(
        sql("SELECT count(*) AS count FROM follows WHERE follower_id = $1 AND active")
            .bind::<BigInt, _>(follower),
    )
    .get_result(connection)
    .await?;
    Ok(row.count)
}

#[derive(QueryableByName)]
struct PageRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    followee_id: UserId,
}

/// (follow id, followee), newest follow first, below `after`.
///
/// # Errors
/// The server's.
pub async fn page(
    connection: &mut Connection,
    follower: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, UserId)>, StoreError> {
    let rows: Vec<PageRow> = prepared(
        sql("SELECT id, followee_id FROM follows WHERE follower_id = $1 AND active AND id < $2 ORDER BY id DESC LIMIT $3")
            .bind::<BigInt, _>(follower)
            .bind::<BigInt, _>(after)
            .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.followee_id)).collect())
}

/// Whom a person follows and blocks, and who blocks them.
#[derive(Debug, QueryableByName)]
pub struct RelationsRow {
    /// Whose.
    #[diesel(sql_type = BigInt)]
    pub user_id: i64,
    /// Rises with every follow and every block.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
    /// Sorted.
    #[diesel(sql_type = Array<BigInt>)]
    pub followees: Vec<i64>,
    /// Sorted.
    #[diesel(sql_type = Array<BigInt>)]
    pub blocking: Vec<i64>,
    /// Sorted.
    #[diesel(sql_type = Array<BigInt>)]
    pub blocked_by: Vec<i64>,
}

/// The relations of these people, in one statement.
///
/// # Errors
/// The server's.
pub async fn relations(
    connection: &mut Connection,
    users: &[i64],
) -> Result<Vec<RelationsRow>, StoreError> {
    Ok(prepared(
        sql("SELECT u.id AS user_id, u.activity_version + u.relations_version AS version,
                    ARRAY(SELECT followee_id FROM follows f WHERE f.follower_id = u.id AND f.active ORDER BY followee_id) AS followees,
                    ARRAY(SELECT blocked_id FROM blocks b WHERE b.blocker_id = u.id AND b.active ORDER BY blocked_id) AS blocking,
                    ARRAY(SELECT blocker_id FROM blocked_by b WHERE b.blocked_id = u.id ORDER BY blocker_id) AS blocked_by
             FROM users u WHERE u.id = ANY($1)")
        .bind::<Array<BigInt>, _>(users),
    )
    .load(connection)
    .await?)
}

#[derive(QueryableByName)]
struct FolloweeRow {
    #[diesel(sql_type = BigInt)]
    followee_id: UserId,
    #[diesel(sql_type = Bool)]
    active: bool,
}

/// Those of `users` that `follower` follows.
///
/// # Errors
/// The server's.
pub async fn among(
    connection: &mut Connection,
    follower: i64,
    users: &[i64],
) -> Result<Vec<UserId>, StoreError> {
    let rows: Vec<FolloweeRow> = prepared(
        sql("SELECT followee_id, active FROM follows WHERE follower_id = $1 AND followee_id = ANY($2)")
            .bind::<BigInt, _>(follower)
            .bind::<Array<BigInt>, _>(users),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().filter(|row| row.active).map(|row| row.followee_id).collect())
}
