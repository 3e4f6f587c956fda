//! The blocker's side of blocks.

use diesel::sql_types::{BigInt, Bool, Integer};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;

use super::keyset::Keyset;
use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use plaza_base::ids::{Bucket, UserId};

#[derive(QueryableByName)]
struct VersionRow {
    #[diesel(sql_type = BigInt)]
    version: i64,
}

/// Begins a block; its version, or `None` when it stood already.
///
/// # Errors
/// The server's.
pub async fn begin(
    connection: &mut Connection,
    bucket: Bucket,
    blocker: UserId,
    blocked: UserId,
) -> Result<Option<i64>, StoreError> {
    let row: Option<VersionRow> = prepared(
        sql("INSERT INTO blocks AS b (blocker_id, blocked_id, id, version, active) VALUES ($2, $3, next_id($1), 1, true)
             ON CONFLICT (blocker_id, blocked_id) DO UPDATE SET id = excluded.id, version = b.version + 1, active = true
             WHERE NOT b.active RETURNING version")
        .bind::<Integer, _>(i32::from(bucket.number()))
        .bind::<BigInt, _>(blocker)
        .bind::<BigInt, _>(blocked),
    )
    .get_result(connection)
    .await
    .optional()?;
    Ok(row.map(|row| row.version))
}

/// Ends a block; its version, or `None` when there was none.
///
/// # Errors
/// The server's.
pub async fn end(
    connection: &mut Connection,
    blocker: UserId,
    blocked: UserId,
) -> Result<Option<i64>, StoreError> {
    let row: Option<VersionRow> = prepared(
        sql("UPDATE blocks SET active = false, version = version + 1 WHERE blocker_id = $1 AND blocked_id = $2 AND active RETURNING version")
            .bind::<BigInt, _>(blocker)
            .bind::<BigInt, _>(blocked),
    )
    .get_result(connection)
    .await
    .optional()?;
    Ok(row.map(|row| row.version))
}

#[derive(QueryableByName)]
struct FlagRow {
    #[diesel(sql_type = Bool)]
    flag: bool,
}

/// Whether a block stands, asked on the blocker's shard.
///
/// # Errors
/// The server's.
pub async fn stands(
    mut connection: &Connection,
    blocker: UserId,
    blocked: UserId,
) -> Result<bool, StoreError> {
    let row: FlagRow = prepared(
        sql("SELECT EXISTS (SELECT 1 FROM blocks WHERE blocker_id = $1 AND blocked_id = $2 AND active) AS flag")
            .bind::<BigInt, _>(blocker)
            .bind::<BigInt, _>(blocked),
    )
    .get_result(&mut connection)
    .await?;
    Ok(row.flag)
}

#[derive(QueryableByName)]
struct PageRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    blocked_id: UserId,
}

/// (block id, blocked user) of a user's blocks, by block id.
///
/// # Errors
/// The server's.
pub async fn page(
    connection: &mut Connection,
    blocker: UserId,
    keyset: Keyset,
) -> Result<Vec<(i64, UserId)>, StoreError> {
    let statement = if keyset.descending {
        sql("SELECT id, blocked_id FROM blocks WHERE blocker_id = $1 AND active AND id < $2
             ORDER BY id DESC LIMIT $3")
    } else {
        sql("SELECT id, blocked_id FROM blocks WHERE blocker_id = $1 AND active AND id > $2
             ORDER BY id LIMIT $3")
    };
    let rows: Vec<PageRow> = prepared(
        statement
            .bind::<BigInt, _>(blocker)
            .bind::<BigInt, _>(keyset.beyond)
            .bind::<BigInt, _>(keyset.limit),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.blocked_id)).collect())
}
