//! The outbox's partitions, one a day: made a day ahead, dropped when all of a day is sent and
//! kept for long enough.
//!
//! No statement here waits for a lock for longer than `LOCK_MS`, since whoever comes after it waits
//! too: it fails, and is tried again at the next round. A partition is attached, which takes no lock
//! that an insertion into another one waits for, and detached before it is dropped. (Detaching
//! concurrently is not possible beside a default partition.) The owner's functions do it: the
//! relay's user may not change the schema.
//!
//! After an absence mutations write to the default partition, which is locked while another is
//! attached: today's is made first, with the few messages that are moved meanwhile, and mutations
//! wait until PostgreSQL has read the default partition through. From then on none writes there,
//! and the days that are over are moved: what is sent, in batches, and a day is attached when all of
//! it is sent (why: migration 16).

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Date, Integer, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;

/// How long a statement may wait for a lock, in milliseconds: whoever comes after it waits too.
const LOCK_MS: u32 = 200;
/// Days for which there are partitions, today not counted. Each poll of a relay locks every
/// partition, so there are no more than maintenance needs, which comes every minute.
const AHEAD: u64 = 1;
/// Messages of today that are moved out of the default partition while mutations wait; more are
/// moved when the day is over.
const MOVED_WHILE_WAITED_FOR: i64 = 10_000;
/// Messages of another day that are moved in one statement.
const BATCH: i32 = 10_000;

/// What was done.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Maintained {
    /// Partitions made.
    pub made: usize,
    /// Partitions dropped.
    pub dropped: usize,
    /// Messages moved out of the default partition.
    pub moved: usize,
}

#[derive(QueryableByName)]
struct Today {
    #[diesel(sql_type = Date)]
    today: NaiveDate,
}

#[derive(QueryableByName)]
struct DefaultDay {
    #[diesel(sql_type = Date)]
    day: NaiveDate,
    #[diesel(sql_type = BigInt)]
    rows: i64,
    #[diesel(sql_type = BigInt)]
    unsent: i64,
}

#[derive(QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    attached: bool,
}

#[derive(QueryableByName)]
struct Moved {
    #[diesel(sql_type = BigInt)]
    moved: i64,
}

#[derive(QueryableByName)]
struct Detached {
    #[diesel(sql_type = Bool)]
    detached: bool,
}

fn name(day: NaiveDate) -> String {
    format!("outbox_{}", day.format("%Y%m%d"))
}

fn day_of(name: &str) -> Option<NaiveDate> {
    let digits = name.strip_prefix("outbox_").filter(|digits| digits.len() == 8)?;
    NaiveDate::parse_from_str(digits, "%Y%m%d").ok()
}

/// The messages in the default partition, by day.
async fn in_default(connection: &mut Connection) -> Result<Vec<DefaultDay>, StoreError> {
    Ok(prepared(sql(
        "SELECT created_on AS day, count(*) AS rows, count(*) FILTER (WHERE sent_at IS NULL) AS unsent
         FROM outbox_default GROUP BY 1 ORDER BY 1",
    ))
    .load(connection)
    .await?)
}

/// How many messages are in the default partition: none, where maintenance runs.
///
/// # Errors
/// The server's.
pub async fn default_rows(connection: &mut Connection) -> Result<i64, StoreError> {
    Ok(in_default(connection).await?.iter().map(|day| day.rows).sum())
}

/// Brings the partitions up to date. A step that fails is logged and tried again by the
/// next call; the others are done all the same.
///
/// # Errors
/// The server's, where it says nothing at all.
pub async fn maintain(
    connection: &mut Connection,
    keep_days: u64,
) -> Result<Maintained, StoreError> {
    connection.batch_execute(&format!("SET lock_timeout = {LOCK_MS}")).await?;
    let Today { today } = prepared(sql("SELECT (now() AT TIME ZONE 'utc')::date AS today"))
        .get_result(connection)
        .await?;
    let tables: Vec<Table> = prepared(sql(
        "SELECT c.relname AS name, EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = c.oid) AS attached
         FROM pg_class c WHERE c.relkind = 'r' AND c.relname ~ '^outbox_[0-9]{8}$'
           AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'outbox'::regclass)",
    ))
    .load(connection)
    .await?;
    let oldest = today.checked_sub_days(Days::new(keep_days)).unwrap_or(today);
    let (attached, detached): (Vec<&Table>, Vec<&Table>) =
        tables.iter().partition(|table| table.attached);
    let attached: BTreeSet<NaiveDate> =
        attached.into_iter().filter_map(|table| day_of(&table.name)).collect();
    let held = in_default(connection).await?;
    let of_today = held.iter().find(|held| held.day == today).map_or(0, |held| held.rows);
    let mut done = Maintained::default();
    let mut is_today_made = attached.contains(&today);
    if !is_today_made && of_today <= MOVED_WHILE_WAITED_FOR {
        is_today_made = made(make(connection, today).await, today, &mut done);
    }
    let ahead = (1..=AHEAD).filter_map(|ahead| today.checked_add_days(Days::new(ahead)));
    // A table that is not attached was being filled by a process that ended, or is to be dropped.
    let filled = detached.into_iter().filter_map(|table| day_of(&table.name));
    let mut others: BTreeSet<NaiveDate> =
        ahead.chain(filled.filter(|day| *day >= oldest)).collect();
    others.extend(held.iter().map(|held| held.day));
    others.remove(&today);
    for day in others.into_iter().filter(|day| !attached.contains(day)) {
        let of_day = held.iter().find(|held| held.day == day);
        // The lock for moving what is there would hold up mutations that write beside it, and what
        // is unsent would not be seen by the relay in its place.
        if of_day.is_some_and(|held| !is_today_made || held.unsent > 0) {
            continue;
        }
        let attempt = match of_day {
            Some(_) => move_and_make(connection, day).await,
            None => make(connection, day).await,
        };
        made(attempt, day, &mut done);
    }
    let kept = tables.iter().filter_map(|table| day_of(&table.name));
    for day in kept.filter(|day| *day < oldest) {
        match drop_sent(connection, day).await {
            Ok(true) => done.dropped += 1,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, partition = name(day), "a partition of the outbox is not dropped yet");
            }
        }
    }
    Ok(done)
}

/// Counts a partition that was made; whether it was.
fn made(attempt: Result<usize, StoreError>, day: NaiveDate, done: &mut Maintained) -> bool {
    match attempt {
        Ok(moved) => {
            done.made += 1;
            done.moved += moved;
            true
        }
        Err(error) => {
            tracing::warn!(%error, partition = name(day), "a partition of the outbox is not made yet");
            false
        }
    }
}

/// Makes a day's partition, with what the default partition holds of that day; how much that was.
async fn make(connection: &mut Connection, day: NaiveDate) -> Result<usize, StoreError> {
    let Moved { moved } =
        prepared(sql("SELECT outbox_make_partition($1) AS moved").bind::<Date, _>(day))
            .get_result(connection)
            .await?;
    Ok(usize::try_from(moved).unwrap_or_default())
}

/// The same for a day whose messages are all sent: they are moved first, in batches that lock no
/// table, so that only what came meanwhile is moved under a lock.
async fn move_and_make(connection: &mut Connection, day: NaiveDate) -> Result<usize, StoreError> {
    let mut sum = 0;
    loop {
        let Moved { moved } = prepared(
            sql("SELECT outbox_move_sent($1, $2) AS moved")
                .bind::<Date, _>(day)
                .bind::<Integer, _>(BATCH),
        )
        .get_result(connection)
        .await?;
        sum += usize::try_from(moved).unwrap_or_default();
        if moved < i64::from(BATCH) {
            return Ok(sum + make(connection, day).await?);
        }
    }
}

/// Drops a day's partition if all of it is sent; whether it did. In two transactions: what is
/// detached holds up nobody while it is dropped.
async fn drop_sent(connection: &mut Connection, day: NaiveDate) -> Result<bool, StoreError> {
    let Detached { detached } =
        prepared(sql("SELECT outbox_detach_partition($1) AS detached").bind::<Date, _>(day))
            .get_result(connection)
            .await?;
    if detached {
        prepared(sql("SELECT outbox_drop_partition($1)").bind::<Date, _>(day))
            .execute(connection)
            .await?;
    }
    Ok(detached)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_named_after_its_day() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 27).unwrap();
        assert_eq!((name(day).as_str(), day_of("outbox_20261127")), ("outbox_20261127", Some(day)));
        for other in ["outbox_default", "outbox_2026112", "outbox_20261340", "posts_20261127"] {
            assert_eq!(day_of(other), None, "{other}");
        }
    }
}
