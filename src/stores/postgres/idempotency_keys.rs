//! The keys of mutations, and what was answered to each. `domain/mutation/` decides what they mean.
//!
//! A row is one of two: the key of a mutation, in the mutation's own transaction, with its answer;
//! or a *claim*, on the shard of whoever sent the key, which says under which name the key is
//! stored with its answer, on whichever shard that is.

use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Jsonb, SmallInt, Text};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use super::outbox::NewRows;
use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use plaza_base::ids::UserId;
use plaza_base::seeded::{Bug, bug};

/// A key and what it names.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// Whose.
    pub user: UserId,
    /// The key, 1 to 250 bytes.
    pub name: &'a str,
    /// The mutation.
    pub operation: &'a str,
    /// SHA-256 of its input.
    pub payload_hash: &'a [u8],
}

/// A key that came before.
#[derive(Debug, Clone, QueryableByName)]
pub struct Stored {
    /// The mutation.
    #[diesel(sql_type = Text)]
    pub operation: String,
    /// SHA-256 of its input.
    #[diesel(sql_type = Binary)]
    pub payload_hash: Vec<u8>,
    /// What was answered, or what is claimed.
    #[diesel(sql_type = Jsonb)]
    pub answer: serde_json::Value,
    /// Whether the statement has made the row.
    #[diesel(sql_type = Bool)]
    pub is_new: bool,
}

impl Stored {
    /// Whether it named the same mutation with the same input.
    pub fn names_the_same(&self, key: &Key<'_>) -> bool {
        self.operation == key.operation && self.payload_hash == key.payload_hash
    }
}

/// Claims a key; the claim that stands, which may be an earlier one. A statement that is a
/// transaction by itself: it waits for no replica, since a claim that a failover loses costs only
/// that a conflict is not noticed.
///
/// # Errors
/// The server's.
pub async fn claim(
    connection: &mut Connection,
    key: &Key<'_>,
    answer: &serde_json::Value,
) -> Result<Stored, StoreError> {
    Ok(prepared(
        sql("INSERT INTO idempotency_keys (user_id, client_key, operation, payload_hash, answer)
             SELECT $1, $2, $3, $4, $5 FROM set_config('synchronous_commit', 'local', true) AS relaxed (setting)
             WHERE relaxed.setting = 'local'
             ON CONFLICT (user_id, client_key) DO UPDATE SET client_key = excluded.client_key
             RETURNING operation, payload_hash, answer, xmax = 0 AS is_new")
        .bind::<BigInt, _>(key.user)
        .bind::<Text, _>(key.name)
        .bind::<Text, _>(key.operation)
        .bind::<Binary, _>(key.payload_hash)
        .bind::<Jsonb, _>(answer),
    )
    .get_result(connection)
    .await?)
}

/// Gives a claim back; whatever else is stored under the key stays.
///
/// # Errors
/// The server's.
pub async fn release(
    connection: &mut Connection,
    user: UserId,
    name: &str,
    answer: &serde_json::Value,
) -> Result<(), StoreError> {
    prepared(
        sql("DELETE FROM idempotency_keys WHERE user_id = $1 AND client_key = $2 AND answer = $3
             AND set_config('synchronous_commit', 'local', true) = 'local'")
        .bind::<BigInt, _>(user)
        .bind::<Text, _>(name)
        .bind::<Jsonb, _>(answer),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What is stored under a key.
///
/// # Errors
/// The server's.
pub async fn find(
    connection: &mut Connection,
    user: UserId,
    name: &str,
) -> Result<Option<Stored>, StoreError> {
    Ok(prepared(
        sql("SELECT operation, payload_hash, answer, false AS is_new FROM idempotency_keys
             WHERE user_id = $1 AND client_key = $2")
        .bind::<BigInt, _>(user)
        .bind::<Text, _>(name),
    )
    .get_result(connection)
    .await
    .optional()?)
}

/// The same, and locks the row: a commit after this waits for the replicas, so that they have what
/// is answered with it.
///
/// # Errors
/// The server's.
pub async fn lock(
    mut connection: &Connection,
    user: UserId,
    name: &str,
) -> Result<Option<Stored>, StoreError> {
    Ok(prepared(
        sql("SELECT operation, payload_hash, answer, false AS is_new FROM idempotency_keys
             WHERE user_id = $1 AND client_key = $2 FOR UPDATE")
        .bind::<BigInt, _>(user)
        .bind::<Text, _>(name),
    )
    .get_result(&mut connection)
    .await
    .optional()?)
}

/// Takes a key for the transaction at work; false when it is stored already. One that another
/// transaction has taken is waited for until that ends.
///
/// # Errors
/// The server's.
pub async fn take(mut connection: &Connection, key: &Key<'_>) -> Result<bool, StoreError> {
    let taken = prepared(
        sql("INSERT INTO idempotency_keys (user_id, client_key, operation, payload_hash, answer)
             VALUES ($1, $2, $3, $4, 'null'::jsonb) ON CONFLICT DO NOTHING")
        .bind::<BigInt, _>(key.user)
        .bind::<Text, _>(key.name)
        .bind::<Text, _>(key.operation)
        .bind::<Binary, _>(key.payload_hash),
    )
    .execute(&mut connection)
    .await?;
    Ok(taken == 1)
}

/// What was answered to a key that the transaction has taken, and its messages.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Whose key.
    pub user: UserId,
    /// The key.
    pub name: &'a str,
    /// The answer.
    pub answer: &'a serde_json::Value,
    /// The messages; none is well.
    pub messages: &'a NewRows,
}

/// Stores the answer to a key that the transaction has taken, and writes its messages.
///
/// # Errors
/// The server's.
pub async fn answer(mut connection: &Connection, stored: Answer<'_>) -> Result<(), StoreError> {
    let Answer { user, name, answer, messages } = stored;
    if bug(Bug::OutboxOutsideTransaction) {
        connection.batch_execute("COMMIT; BEGIN").await?;
    }
    let answered = if messages.is_empty() {
        prepared(
            sql("UPDATE idempotency_keys SET answer = $3 WHERE user_id = $1 AND client_key = $2")
                .bind::<BigInt, _>(user)
                .bind::<Text, _>(name)
                .bind::<Jsonb, _>(answer),
        )
        .execute(&mut connection)
        .await?
    } else {
        prepared(
            sql("WITH sent AS (INSERT INTO outbox (sink, topic, key, payload)
                               SELECT * FROM unnest($4::smallint[], $5::text[], $6::text[], $7::text[]))
                 UPDATE idempotency_keys SET answer = $3 WHERE user_id = $1 AND client_key = $2")
            .bind::<BigInt, _>(user)
            .bind::<Text, _>(name)
            .bind::<Jsonb, _>(answer)
            .bind::<Array<SmallInt>, _>(&messages.sinks)
            .bind::<Array<Text>, _>(&messages.topics)
            .bind::<Array<Text>, _>(&messages.keys)
            .bind::<Array<Text>, _>(&messages.payloads),
        )
        .execute(&mut connection)
        .await?
    };
    match answered {
        1 => Ok(()),
        _ => Err(StoreError::Corrupt(format!("the key {name} is not the transaction's"))),
    }
}

/// Most keys that one statement deletes.
pub const FORGOTTEN_AT_ONCE: usize = 2_000;

/// Deletes keys older than so many hours, at most [`FORGOTTEN_AT_ONCE`]; how many. Any number of processes
/// may do so at the same time. Waits for no replica: what a failover brings back is deleted again.
///
/// # Errors
/// The server's.
pub async fn forget_old(connection: &mut Connection, hours: i32) -> Result<usize, StoreError> {
    Ok(prepared(
        sql("DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM idempotency_keys WHERE created_at < now() - make_interval(hours => $1)
                 ORDER BY created_at LIMIT 2000 FOR UPDATE SKIP LOCKED))
             AND set_config('synchronous_commit', 'local', true) = 'local'")
        .bind::<Integer, _>(hours),
    )
    .execute(connection)
    .await?)
}
