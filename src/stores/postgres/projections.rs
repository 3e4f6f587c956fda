//! How far each projection has come.

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::leases;
use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;

/// A projection's place in one partition, on one shard.
#[derive(Debug, Clone, QueryableByName)]
pub struct Position {
    /// The topic's name, without the prefix.
    #[diesel(sql_type = Text)]
    pub topic: String,
    /// The partition.
    #[diesel(sql_type = Integer)]
    pub partition: i32,
    /// The first offset not applied.
    #[diesel(sql_type = BigInt)]
    pub next_offset: i64,
    /// The first offset whose side effects may not have happened.
    #[diesel(sql_type = BigInt)]
    pub effects_offset: i64,
}

/// Every position of a projection on this shard; inside a transaction they stay as they are until
/// its end.
///
/// # Errors
/// The server's.
pub async fn positions(
    connection: &mut Connection,
    projection: &str,
) -> Result<Vec<Position>, StoreError> {
    Ok(prepared(
        sql("SELECT topic, partition, next_offset, effects_offset FROM projection_offsets WHERE projection = $1")
            .bind::<Text, _>(projection),
    )
    .load(connection)
    .await?)
}

/// How far a projection has come in a partition.
#[derive(Debug, Clone, QueryableByName)]
pub struct Reached {
    /// The projection's name.
    #[diesel(sql_type = Text)]
    pub projection: String,
    /// The topic's name, without the prefix.
    #[diesel(sql_type = Text)]
    pub topic: String,
    /// The partition.
    #[diesel(sql_type = Integer)]
    pub partition: i32,
    /// The first offset not applied.
    #[diesel(sql_type = BigInt)]
    pub next_offset: i64,
}

/// How far every projection has come on this shard.
///
/// # Errors
/// The server's.
pub async fn reached(connection: &mut Connection) -> Result<Vec<Reached>, StoreError> {
    Ok(prepared(sql("SELECT projection, topic, partition, next_offset FROM projection_offsets"))
        .load(connection)
        .await?)
}

/// A projection's positions in these partitions on this shard, locked until the transaction's end;
/// partitions never read are left out.
///
/// # Errors
/// The server's.
pub async fn lock_positions_in(
    connection: &mut Connection,
    projection: &str,
    topics: &[&str],
    partitions: &[i32],
) -> Result<Vec<Position>, StoreError> {
    Ok(prepared(
        sql("SELECT topic, partition, next_offset, effects_offset FROM projection_offsets
             WHERE projection = $1 AND (topic, partition) IN (SELECT * FROM unnest($2::text[], $3::integer[])) FOR UPDATE")
        .bind::<Text, _>(projection)
        .bind::<Array<Text>, _>(topics)
        .bind::<Array<Integer>, _>(partitions),
    )
    .load(connection)
    .await?)
}

/// The same as [`positions`], locked.
///
/// # Errors
/// The server's.
pub async fn lock_positions(
    connection: &mut Connection,
    projection: &str,
) -> Result<Vec<Position>, StoreError> {
    Ok(prepared(
        sql("SELECT topic, partition, next_offset, effects_offset FROM projection_offsets WHERE projection = $1 FOR UPDATE")
            .bind::<Text, _>(projection),
    )
    .load(connection)
    .await?)
}

/// Moves positions forward, never back, for the process that has begun with this epoch.
///
/// # Errors
/// The server's; [`StoreError::Fenced`] when another process has begun meanwhile.
pub async fn move_positions(
    connection: &mut Connection,
    (projection, epoch): (&str, i64),
    positions: &[Position],
) -> Result<(), StoreError> {
    let topics: Vec<&str> = positions.iter().map(|position| position.topic.as_str()).collect();
    let partitions: Vec<i32> = positions.iter().map(|position| position.partition).collect();
    let next: Vec<i64> = positions.iter().map(|position| position.next_offset).collect();
    let effects: Vec<i64> = positions.iter().map(|position| position.effects_offset).collect();
    let moved = prepared(
        sql("INSERT INTO projection_offsets AS o (projection, topic, partition, next_offset, effects_offset)
             SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[])
             WHERE EXISTS (SELECT FROM leases WHERE name = 'projection:' || $1 AND epoch = $6)
             ON CONFLICT (projection, topic, partition) DO UPDATE
             SET next_offset = greatest(o.next_offset, excluded.next_offset),
                 effects_offset = greatest(o.effects_offset, excluded.effects_offset)")
        .bind::<Text, _>(projection)
        .bind::<Array<Text>, _>(topics)
        .bind::<Array<Integer>, _>(partitions)
        .bind::<Array<BigInt>, _>(next)
        .bind::<Array<BigInt>, _>(effects)
        .bind::<BigInt, _>(epoch),
    )
    .execute(connection)
    .await?;
    leases::fenced(&leases::of_projection(projection), moved, positions.len())
}

/// An aggregate's version.
#[derive(Debug, Clone, QueryableByName)]
pub struct AggregateVersion {
    /// `post:123`.
    #[diesel(sql_type = Text)]
    pub aggregate: String,
    /// The last version applied.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
    /// The identity of the event with that version, if it had one.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub identity: Option<i64>,
}

/// The versions of these aggregates; those never seen are left out.
///
/// # Errors
/// The server's.
pub async fn versions(
    connection: &mut Connection,
    projection: &str,
    aggregates: &[String],
) -> Result<Vec<AggregateVersion>, StoreError> {
    Ok(prepared(
        sql("SELECT aggregate, version, identity FROM projection_versions WHERE projection = $1 AND aggregate = ANY($2)")
            .bind::<Text, _>(projection)
            .bind::<Array<Text>, _>(aggregates),
    )
    .load(connection)
    .await?)
}

/// Stores versions.
///
/// # Errors
/// The server's.
pub async fn store_versions(
    connection: &mut Connection,
    projection: &str,
    versions: &[AggregateVersion],
) -> Result<(), StoreError> {
    let aggregates: Vec<&str> = versions.iter().map(|held| held.aggregate.as_str()).collect();
    let numbers: Vec<i64> = versions.iter().map(|held| held.version).collect();
    let identities: Vec<Option<i64>> = versions.iter().map(|held| held.identity).collect();
    prepared(
        sql("INSERT INTO projection_versions (projection, aggregate, version, identity)
             SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[])
             ON CONFLICT (projection, aggregate) DO UPDATE
             SET version = excluded.version, identity = excluded.identity")
        .bind::<Text, _>(projection)
        .bind::<Array<Text>, _>(aggregates)
        .bind::<Array<BigInt>, _>(numbers)
        .bind::<Array<Nullable<BigInt>>, _>(identities),
    )
    .execute(connection)
    .await?;
    Ok(())
}
