//! Epochs: whoever begins what one process does at a time (`leader.rs`) raises the epoch of its
//! lease on each shard that it writes, and what it writes there names the one that it got. A
//! process that hung, and wakes up after another one has begun, is refused.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;

/// The lease of a shard's relay.
pub const RELAY: &str = "relay";

/// The lease of a projection.
pub fn of_projection(projection: &str) -> String {
    format!("projection:{projection}")
}

#[derive(QueryableByName)]
struct Begun {
    #[diesel(sql_type = BigInt)]
    epoch: i64,
}

/// Begins: from now on whoever has begun before is refused on this shard. The epoch, from 1.
///
/// # Errors
/// The server's.
pub async fn begin(connection: &mut Connection, lease: &str) -> Result<i64, StoreError> {
    let row: Begun = prepared(
        sql("INSERT INTO leases AS l (name, epoch) VALUES ($1, 1)
             ON CONFLICT (name) DO UPDATE SET epoch = l.epoch + 1, began_at = now()
             RETURNING epoch")
        .bind::<Text, _>(lease),
    )
    .get_result(connection)
    .await?;
    Ok(row.epoch)
}

/// What a statement that names an epoch came to: it has changed so many rows of those that it would
/// have changed.
///
/// # Errors
/// [`StoreError::Fenced`]: it has changed none, since another process has begun meanwhile.
pub fn fenced(lease: &str, changed: usize, meant: usize) -> Result<(), StoreError> {
    if changed > 0 || meant == 0 {
        return Ok(());
    }
    metrics::counter!("plaza_fenced_total", "lease" => lease.to_owned()).increment(1);
    Err(StoreError::Fenced(lease.to_owned()))
}
