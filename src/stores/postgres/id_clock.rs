//! A shard's clock of ids: `next_id` never issues one of an earlier millisecond than the last, and
//! none at all while the server's clock is more than a second behind that.

use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;

/// Where a shard's clock stands; each in milliseconds since 2025-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct IdClock {
    /// Of the last id issued.
    #[diesel(sql_type = BigInt)]
    pub issued_ms: i64,
    /// The server's clock.
    #[diesel(sql_type = BigInt)]
    pub now_ms: i64,
    /// Of the highest id of a row that is there.
    #[diesel(sql_type = BigInt)]
    pub highest_ms: i64,
}

impl IdClock {
    /// How far the server's clock is behind the last id, in milliseconds; above 1000 no ids are
    /// issued.
    pub fn behind_ms(&self) -> i64 {
        self.issued_ms.saturating_sub(self.now_ms).max(0)
    }

    /// The earliest time from which ids can go on without meeting one that is in use.
    pub fn earliest_ms(&self) -> i64 {
        self.now_ms.max(self.highest_ms.saturating_add(1))
    }
}

/// Reads it.
///
/// # Errors
/// The server's.
pub async fn read(connection: &mut Connection) -> Result<IdClock, StoreError> {
    Ok(prepared(sql(
        "SELECT last_value AS issued_ms,
                floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1735689600000 AS now_ms,
                coalesce(greatest((SELECT max(id) FROM users), (SELECT max(id) FROM posts), (SELECT max(id) FROM comments),
                    (SELECT max(id) FROM products), (SELECT max(id) FROM orders), (SELECT max(id) FROM images),
                    (SELECT max(id) FROM sessions), (SELECT max(id) FROM notifications), (SELECT max(id) FROM follows),
                    (SELECT max(id) FROM blocks)), 0) >> 22 AS highest_ms
         FROM id_clock",
    ))
    .get_result(connection)
    .await?)
}

#[derive(QueryableByName)]
struct Set {
    #[diesel(sql_type = BigInt)]
    issued_ms: i64,
}

/// Sets it back to the earliest time that is safe, if it is ahead of that; where it stands then.
///
/// # Errors
/// The server's.
pub async fn set_back(connection: &mut Connection) -> Result<i64, StoreError> {
    let clock = read(connection).await?;
    if clock.issued_ms <= clock.earliest_ms() {
        return Ok(clock.issued_ms);
    }
    let set: Set = prepared(
        sql("SELECT setval('id_clock', $1) AS issued_ms").bind::<BigInt, _>(clock.earliest_ms()),
    )
    .get_result(connection)
    .await?;
    Ok(set.issued_ms)
}
