//! Positions in a shard's history: a timeline, and a place in its write-ahead log. A failover
//! begins the next timeline, somewhere before the end of the log that was, so that places alone say
//! nothing of what a server has: whoever follows the new primary has all that was acknowledged
//! before, and the old one has none of what comes after, however long its log is.
//!
//! A replica cannot say which timeline it has come to, so that each is noted in the database, in
//! `shard_identity`: a replica that has replayed the note is past the failover.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use super::session::Lsn;
use crate::StoreError;
use plaza_base::seeded::{Bug, bug};

/// Bits of a position that are the place in the log: a pebibyte. Above them is the timeline. The
/// statements here have the number in their texts.
const PLACE_BITS: u32 = 50;

/// A position's timeline; 0: it is of a time before timelines were noted, or not known.
pub fn timeline_of(position: Lsn) -> i64 {
    i64::try_from(position >> PLACE_BITS).unwrap_or_default()
}

/// A position's place in the log, in bytes.
pub fn place_of(position: Lsn) -> u64 {
    position & ((1 << PLACE_BITS) - 1)
}

/// The position of a place on a timeline.
pub fn position(timeline: i64, place: u64) -> Lsn {
    (timeline.unsigned_abs() << PLACE_BITS) | place
}

/// Whether a server that has replayed as far as this has everything up to the position `required`.
pub fn has(replayed: Lsn, required: Lsn) -> bool {
    if bug(Bug::TokenNotAwaited) {
        return true;
    }
    match timeline_of(required) {
        0 => place_of(replayed) >= required,
        _ => replayed >= required,
    }
}

/// How far a server is behind its primary, in bytes of log.
pub fn bytes_behind(primary: Lsn, replayed: Lsn) -> u64 {
    let bytes = place_of(primary).saturating_sub(place_of(replayed));
    bytes.max(u64::from(replayed < primary))
}

#[derive(QueryableByName)]
struct Position {
    #[diesel(sql_type = BigInt)]
    lsn: i64,
}

/// What a primary says of itself at regular intervals.
#[derive(Debug, QueryableByName)]
pub struct PrimaryState {
    #[diesel(sql_type = BigInt)]
    lsn: i64,
    /// The cache's epoch (`epoch.rs`).
    #[diesel(sql_type = BigInt)]
    pub epoch: i64,
    /// The timeline that is noted.
    #[diesel(sql_type = BigInt)]
    pub noted: i64,
}

impl PrimaryState {
    /// Its current position.
    pub fn position(&self) -> Lsn {
        self.lsn.unsigned_abs()
    }
}

/// The primary's current position.
///
/// # Errors
/// The server's.
pub async fn primary_lsn(mut connection: &Connection) -> Result<Lsn, StoreError> {
    let row: Position = prepared(sql(
        "SELECT (('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint << 50)
                | (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint AS lsn",
    ))
    .get_result(&mut connection)
    .await?;
    Ok(row.lsn.unsigned_abs())
}

/// The same with the cache's epoch and the noted timeline.
///
/// # Errors
/// The server's.
pub async fn primary_state(connection: &mut Connection) -> Result<PrimaryState, StoreError> {
    Ok(prepared(sql(
        "SELECT (('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint << 50)
                | (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint AS lsn,
                last_value AS epoch, coalesce((SELECT timeline FROM shard_identity), 0) AS noted
         FROM cache_epoch",
    ))
    .get_result(connection)
    .await?)
}

/// Notes the primary's timeline in its database. It waits for no replica: there may be none yet
/// after a failover.
///
/// # Errors
/// The server's.
pub async fn note_timeline(connection: &mut Connection, timeline: i64) -> Result<(), StoreError> {
    prepared(
        sql("UPDATE shard_identity SET timeline = $1
             WHERE timeline <> $1 AND set_config('synchronous_commit', 'local', true) = 'local'")
        .bind::<BigInt, _>(timeline),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How far a server has come, if it is a replica.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct ReplicaPosition {
    #[diesel(sql_type = Bool)]
    is_replica: bool,
    #[diesel(sql_type = BigInt)]
    timeline: i64,
    #[diesel(sql_type = BigInt)]
    place: i64,
}

impl ReplicaPosition {
    /// The position up to which a replica has replayed; `None` of a server that is none.
    pub fn replayed(&self) -> Option<Lsn> {
        self.is_replica.then(|| position(self.timeline, self.place.unsigned_abs()))
    }

    /// The timeline that a replica has come to, or that of a server that is none.
    pub fn timeline(&self) -> i64 {
        self.timeline
    }
}

/// How far a replica has replayed.
///
/// # Errors
/// The server's.
pub async fn replica_position(connection: &mut Connection) -> Result<ReplicaPosition, StoreError> {
    Ok(prepared(sql("SELECT pg_is_in_recovery() AS is_replica,
                CASE WHEN pg_is_in_recovery()
                     THEN coalesce((SELECT timeline FROM shard_identity), 0)
                     ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint
                END AS timeline,
                (coalesce(pg_last_wal_replay_lsn(), '0/0') - '0/0'::pg_lsn)::bigint AS place"))
    .get_result(connection)
    .await?)
}

/// The position up to which a replica has replayed; that of a primary is where it ceased to be a
/// replica.
///
/// # Errors
/// The server's.
pub async fn replayed_lsn(connection: &mut Connection) -> Result<Lsn, StoreError> {
    let found = replica_position(connection).await?;
    Ok(position(found.timeline, found.place.unsigned_abs()))
}

/// The place alone up to which a replica has replayed, whose timeline is known: it reads no table.
///
/// # Errors
/// The server's.
pub async fn replayed_place(connection: &mut Connection) -> Result<u64, StoreError> {
    let row: Position = prepared(sql(
        "SELECT (coalesce(pg_last_wal_replay_lsn(), '0/0') - '0/0'::pg_lsn)::bigint AS lsn",
    ))
    .get_result(connection)
    .await?;
    Ok(row.lsn.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_past_a_failover_has_what_was_before_it_and_nobody_else_what_came_after() {
        let (old, new) = (|place| position(1, place), |place| position(2, place));
        assert!(has(old(10), old(10)) && !has(old(9), old(10)));
        // The old log went on beyond the fork at 100, acknowledged by nobody.
        assert!(has(new(100), old(140)));
        assert!(!has(old(140), new(101)));
        assert!(new(101) > old(140), "what is written last is asked for");
        // Positions of a build that knew no timelines.
        assert!(has(new(10), 10) && !has(new(9), 10));
        assert_eq!((timeline_of(new(7)), place_of(new(7))), (2, 7));
        assert_eq!((bytes_behind(new(9), new(4)), bytes_behind(new(9), new(9))), (5, 0));
        assert_eq!(bytes_behind(new(101), old(140)), 1);
    }
}
