//! Positions in a shard's write-ahead log.

use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use super::session::Lsn;
use crate::StoreError;

#[derive(QueryableByName)]
struct Position {
    #[diesel(sql_type = BigInt)]
    lsn: i64,
}

#[derive(QueryableByName)]
struct PositionAndEpoch {
    #[diesel(sql_type = BigInt)]
    lsn: i64,
    #[diesel(sql_type = BigInt)]
    epoch: i64,
}

/// The primary's current position.
///
/// # Errors
/// The server's.
pub async fn primary_lsn(connection: &mut Connection) -> Result<Lsn, StoreError> {
    let row: Position =
        prepared(sql("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint AS lsn"))
            .get_result(connection)
            .await?;
    Ok(row.lsn.unsigned_abs())
}

/// The primary's current position, and the cache's epoch there (`epoch.rs`).
///
/// # Errors
/// The server's.
pub async fn primary_lsn_and_epoch(connection: &mut Connection) -> Result<(Lsn, i64), StoreError> {
    let row: PositionAndEpoch = prepared(sql(
        "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint AS lsn, last_value AS epoch
         FROM cache_epoch",
    ))
    .get_result(connection)
    .await?;
    Ok((row.lsn.unsigned_abs(), row.epoch))
}

/// How far a replica has replayed.
///
/// # Errors
/// The server's.
pub async fn replayed_lsn(connection: &mut Connection) -> Result<Lsn, StoreError> {
    let row: Position = prepared(sql(
        "SELECT (coalesce(pg_last_wal_replay_lsn(), '0/0') - '0/0'::pg_lsn)::bigint AS lsn",
    ))
    .get_result(connection)
    .await?;
    Ok(row.lsn.unsigned_abs())
}
