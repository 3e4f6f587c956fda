//! Records of the log that a projection could not read or apply: put aside, waiting for a decision.
//!
//! A record is put on any shard that answers, and may be on several: [`merged`] makes one of them,
//! and decisions are written on all.

mod record;

use std::collections::BTreeMap;

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, Text};
use diesel_async::RunQueryDsl;

use record::Row;
pub use record::{KEPT_BYTES, Place, RecordAside, State, Unreadable, merged};

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;

/// Records of a partition that may be open on one shard, for each projection.
pub const OPEN_AT_MOST: i64 = 5_000;

/// Puts records aside; those that are there already stay as they are.
///
/// # Errors
/// The server's.
pub async fn put_aside(
    connection: &mut Connection,
    projection: &str,
    records: &[&Unreadable],
) -> Result<(), StoreError> {
    let kept = |record: &Unreadable| -> Vec<u8> {
        record.payload.iter().take(KEPT_BYTES).copied().collect()
    };
    let length = |record: &Unreadable| i64::try_from(record.payload.len()).unwrap_or(i64::MAX);
    let each = || records.iter().copied();
    prepared(
        sql("INSERT INTO unreadable_records (projection, topic, partition, record_offset, payload, length, aggregate, version, reason)
             SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bytea[],
                                      $6::bigint[], $7::text[], $8::bigint[], $9::text[])
             ON CONFLICT (projection, topic, partition, record_offset) DO NOTHING")
        .bind::<Text, _>(projection)
        .bind::<Array<Text>, _>(each().map(|record| record.topic).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(each().map(|record| record.partition).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(each().map(|record| record.offset).collect::<Vec<_>>())
        .bind::<Array<Binary>, _>(each().map(kept).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(each().map(length).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(
            each().map(|record| Some(record.of.as_ref()?.0.as_str())).collect::<Vec<_>>(),
        )
        .bind::<Array<Nullable<BigInt>>, _>(
            each().map(|record| Some(record.of.as_ref()?.1)).collect::<Vec<_>>(),
        )
        .bind::<Array<Text>, _>(each().map(|record| record.reason.as_str()).collect::<Vec<_>>()),
    )
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct OpenRow {
    #[diesel(sql_type = Text)]
    topic: String,
    #[diesel(sql_type = Integer)]
    partition: i32,
    #[diesel(sql_type = BigInt)]
    records: i64,
}

/// How many records of each partition are open on this shard; partitions without any are left out.
///
/// # Errors
/// The server's.
pub async fn open_by_partition(
    connection: &mut Connection,
    projection: &str,
) -> Result<BTreeMap<(String, i32), i64>, StoreError> {
    let rows: Vec<OpenRow> = prepared(
        sql("SELECT topic, partition, count(*) AS records FROM unreadable_records
             WHERE projection = $1 AND state IN ('WAITING', 'RETRY') GROUP BY topic, partition")
        .bind::<Text, _>(projection),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.topic, row.partition), row.records)).collect())
}

/// What is open on a shard, as numbers: another sum means that another attempt may come further.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, QueryableByName)]
pub struct Open {
    /// Records nobody has decided about.
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    /// Records to be tried again.
    #[diesel(sql_type = BigInt)]
    pub asked: i64,
    /// The sum of their offsets.
    #[diesel(sql_type = BigInt)]
    pub offsets: i64,
    /// The sum of the versions that their aggregates have reached.
    #[diesel(sql_type = BigInt)]
    pub reached: i64,
}

/// What a projection has open on this shard.
///
/// # Errors
/// The server's.
pub async fn open(connection: &mut Connection, projection: &str) -> Result<Open, StoreError> {
    Ok(prepared(
        sql("SELECT count(*) FILTER (WHERE r.state = 'WAITING') AS waiting, count(*) FILTER (WHERE r.state = 'RETRY') AS asked,
                    coalesce(sum(r.record_offset), 0)::bigint AS offsets,
                    coalesce(sum(v.version), 0)::bigint AS reached
             FROM unreadable_records r
             LEFT JOIN projection_versions v
                 ON v.projection = r.projection AND v.aggregate = r.aggregate
             WHERE r.projection = $1 AND r.state IN ('WAITING', 'RETRY')")
        .bind::<Text, _>(projection),
    )
    .get_result(connection)
    .await?)
}

/// A projection's records that are open, and those left out behind which their aggregates go on.
///
/// # Errors
/// The server's.
pub async fn to_try(
    connection: &mut Connection,
    projection: &str,
) -> Result<Vec<RecordAside>, StoreError> {
    let rows: Vec<Row> = prepared(
        sql("SELECT projection, topic, partition, record_offset, payload, length, aggregate, version, reason, state, over_gap, decided_by,
                    floor(extract(epoch FROM decided_at) * 1000)::bigint AS decided_ms,
                    floor(extract(epoch FROM created_at) * 1000)::bigint AS created_ms
             FROM unreadable_records
             WHERE projection = $1
               AND (state IN ('WAITING', 'RETRY') OR (state = 'SKIPPED' AND over_gap))
             ORDER BY topic, partition, record_offset")
        .bind::<Text, _>(projection),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(RecordAside::from).collect())
}

/// Every record that was ever put aside on this shard, of every projection, without its bytes.
///
/// # Errors
/// The server's.
pub async fn all(connection: &mut Connection) -> Result<Vec<RecordAside>, StoreError> {
    let rows: Vec<Row> = prepared(
        sql("SELECT projection, topic, partition, record_offset, ''::bytea AS payload, length, aggregate, version, reason, state, over_gap, decided_by,
                    floor(extract(epoch FROM decided_at) * 1000)::bigint AS decided_ms,
                    floor(extract(epoch FROM created_at) * 1000)::bigint AS created_ms
             FROM unreadable_records"),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(RecordAside::from).collect())
}

/// What an attempt came to: records are applied, or wait again, with why. Decisions that were made
/// meanwhile stand.
///
/// # Errors
/// The server's.
pub async fn tried(
    connection: &mut Connection,
    outcomes: &[(Place, Option<String>)],
) -> Result<(), StoreError> {
    let each = || outcomes.iter().map(|(place, _)| place);
    prepared(
        sql("UPDATE unreadable_records r
             SET state = CASE WHEN n.reason IS NULL THEN 'APPLIED' ELSE 'WAITING' END,
                 reason = coalesce(n.reason, r.reason)
             FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::text[])
                 AS n(projection, topic, partition, record_offset, reason)
             WHERE r.projection = n.projection AND r.topic = n.topic AND r.partition = n.partition
               AND r.record_offset = n.record_offset
               AND r.state IN ('WAITING', 'RETRY')")
        .bind::<Array<Text>, _>(each().map(|place| place.projection.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(each().map(|place| place.topic.as_str()).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(each().map(|place| place.partition).collect::<Vec<_>>())
        .bind::<Array<BigInt>, _>(each().map(|place| place.offset).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(
            outcomes.iter().map(|(_, reason)| reason.as_deref()).collect::<Vec<_>>(),
        ),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Decides about a record that was not applied, on this shard; how many rows that were.
///
/// # Errors
/// The server's.
pub async fn decide(
    connection: &mut Connection,
    place: &Place,
    (state, over_gap): (State, bool),
    by: &str,
) -> Result<usize, StoreError> {
    Ok(prepared(
        sql("UPDATE unreadable_records SET state = $5, over_gap = $6, decided_by = $7, decided_at = now()
             WHERE projection = $1 AND topic = $2 AND partition = $3 AND record_offset = $4 AND state <> 'APPLIED'")
        .bind::<Text, _>(&place.projection)
        .bind::<Text, _>(&place.topic)
        .bind::<Integer, _>(place.partition)
        .bind::<BigInt, _>(place.offset)
        .bind::<Text, _>(state.name())
        .bind::<Bool, _>(over_gap)
        .bind::<Text, _>(by),
    )
    .execute(connection)
    .await?)
}
