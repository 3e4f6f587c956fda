//! What mutations write, and the relay reads and marks.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{
    Array, BigInt, Bool, Double, Integer, Nullable, SmallInt, Text, Timestamptz,
};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use super::leases;
use super::pool::{Connection, PooledConnection};
use super::prepared::{prepared, sql};
use crate::StoreError;

/// Messages to be, a column each.
#[derive(Debug, Default)]
pub struct NewRows {
    pub(super) sinks: Vec<i16>,
    pub(super) topics: Vec<&'static str>,
    pub(super) keys: Vec<String>,
    pub(super) payloads: Vec<String>,
}

impl NewRows {
    /// Adds one.
    pub fn push(&mut self, sink: i16, topic: &'static str, key: String, payload: String) {
        self.sinks.push(sink);
        self.topics.push(topic);
        self.keys.push(key);
        self.payloads.push(payload);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sinks.is_empty()
    }
}

/// Writes messages, in their order.
///
/// # Errors
/// The server's.
pub async fn insert(mut connection: &Connection, rows: &NewRows) -> Result<(), StoreError> {
    prepared(
        sql("INSERT INTO outbox (sink, topic, key, payload)
             SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[])")
        .bind::<Array<SmallInt>, _>(&rows.sinks)
        .bind::<Array<Text>, _>(&rows.topics)
        .bind::<Array<Text>, _>(&rows.keys)
        .bind::<Array<Text>, _>(&rows.payloads),
    )
    .execute(&mut connection)
    .await?;
    Ok(())
}

/// An unsent message.
#[derive(Debug, Clone, QueryableByName)]
pub struct OutboxRow {
    /// Its place in the order.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Queue or topic.
    #[diesel(sql_type = Text)]
    pub topic: String,
    /// Job id, or aggregate.
    #[diesel(sql_type = Text)]
    pub key: String,
    /// The envelope.
    #[diesel(sql_type = Text)]
    pub payload: String,
    /// When it was written.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
}

/// The oldest unsent messages of a sink, in order.
///
/// # Errors
/// The server's.
pub async fn unsent(
    connection: &mut Connection,
    sink: i16,
    limit: i64,
) -> Result<Vec<OutboxRow>, StoreError> {
    Ok(prepared(
        sql("SELECT id, topic, key, payload, created_at FROM outbox WHERE sink = $1 AND sent_at IS NULL ORDER BY id LIMIT $2")
            .bind::<SmallInt, _>(sink)
            .bind::<BigInt, _>(limit),
    )
    .load(connection)
    .await?)
}

/// A message that was written for a trace.
#[derive(Debug, Clone, QueryableByName)]
pub struct TracedRow {
    /// Id.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Where it goes: a sink's code.
    #[diesel(sql_type = SmallInt)]
    pub sink: i16,
    /// Topic or queue.
    #[diesel(sql_type = Text)]
    pub topic: String,
    /// Key.
    #[diesel(sql_type = Text)]
    pub key: String,
    /// When it was written.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
    /// When it was marked as sent; `None`: not yet.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub sent_at: Option<DateTime<Utc>>,
}

/// The messages of the last so many hours that were written for a trace, the oldest first, at most
/// 1,000. It reads all of those hours' messages.
///
/// # Errors
/// The server's.
pub async fn of_trace(
    connection: &mut Connection,
    trace_id: &str,
    hours: i32,
) -> Result<Vec<TracedRow>, StoreError> {
    Ok(prepared(
        sql("SELECT id, sink, topic, key, created_at, sent_at FROM outbox
             WHERE created_on >= (now() AT TIME ZONE 'utc' - make_interval(hours => $2))::date
               AND created_at > now() - make_interval(hours => $2)
               AND strpos(payload, '00-' || $1 || '-') > 0
             ORDER BY id LIMIT 1000")
        .bind::<Text, _>(trace_id)
        .bind::<Integer, _>(hours),
    )
    .load(connection)
    .await?)
}

/// These have been sent, by the relay that has begun with this epoch; none of them was written
/// before `since`. Without it, each id is looked up in the partition of every past day: with seven
/// of those, three fifths of the blocks.
///
/// # Errors
/// The server's; [`StoreError::Fenced`] when another relay has begun meanwhile.
pub async fn mark_sent(
    connection: &mut Connection,
    epoch: i64,
    ids: &[i64],
    since: DateTime<Utc>,
) -> Result<(), StoreError> {
    // A row's day is that of its transaction's beginning.
    let marked = prepared(
        sql("UPDATE outbox SET sent_at = clock_timestamp()
             WHERE id = ANY($1) AND created_on >= ($2 AT TIME ZONE 'utc')::date - 1
               AND EXISTS (SELECT FROM leases WHERE name = 'relay' AND epoch = $3)")
        .bind::<Array<BigInt>, _>(ids)
        .bind::<Timestamptz, _>(since)
        .bind::<BigInt, _>(epoch),
    )
    .execute(connection)
    .await?;
    leases::fenced(leases::RELAY, marked, ids.len())
}

/// For a relay's connection: a mark that is lost in a crash means a message sent twice, which is
/// harmless; waiting for replicas at each is not.
///
/// # Errors
/// The server's.
pub async fn disable_sync_commit(connection: &mut Connection) -> Result<(), StoreError> {
    Ok(connection.batch_execute("SET synchronous_commit = off").await?)
}

#[derive(QueryableByName)]
struct Confirmed {
    #[diesel(sql_type = Bool)]
    asked: bool,
}

/// Whether a replica has whatever this connection has read. It is found out by a commit that waits
/// for replicas as mutations do, since the server itself knows which must have it; without a
/// replica that is connected, the answer is no at once, and nothing waits at the server.
///
/// What mutations wrote is mostly there already. Not so what a primary shows after it has begun
/// again (it waits for nobody with what it had committed before), or after a commit was ended while
/// it waited: a failover would undo that.
///
/// # Errors
/// The server's.
pub async fn is_confirmed(connection: &mut PooledConnection) -> Result<bool, StoreError> {
    let warnings = connection.warnings();
    let row: Confirmed = prepared(sql(
        "SELECT CASE WHEN current_setting('synchronous_standby_names') = '' OR EXISTS (SELECT FROM pg_stat_replication)
                     THEN pg_logical_emit_message(true, 'plaza.relay', '') END IS NOT NULL AS asked
         FROM set_config('synchronous_commit', 'on', true) AS waiting",
    ))
    .get_result(&mut **connection)
    .await?;
    // A wait that somebody ended is a warning.
    Ok(row.asked && connection.warnings() == warnings)
}

/// Unsent messages of a sink, and the age of the oldest.
#[derive(Debug, Clone, Default, QueryableByName)]
pub struct Backlog {
    /// How many, 100,000 at most.
    #[diesel(sql_type = BigInt)]
    pub unsent: i64,
    /// Seconds.
    #[diesel(sql_type = Double)]
    pub oldest_s: f64,
}

/// What is unsent, counted to 100,000: a broker that is unavailable for hours is not to cost a
/// count of millions every few seconds.
///
/// # Errors
/// The server's.
pub async fn backlog(connection: &mut Connection, sink: i16) -> Result<Backlog, StoreError> {
    Ok(prepared(
        sql("SELECT count(*) AS unsent, coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS oldest_s
             FROM (SELECT created_at FROM outbox WHERE sink = $1 AND sent_at IS NULL ORDER BY id LIMIT 100000) AS first")
        .bind::<SmallInt, _>(sink),
    )
    .get_result(connection)
    .await?)
}
