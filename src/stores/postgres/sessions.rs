//! Session rows: one a log-in.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text, Timestamptz};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use plaza_base::ids::{Bucket, SessionId, UserId};

/// A live session.
#[derive(Debug, Clone, QueryableByName)]
pub struct SessionRow {
    /// Id.
    #[diesel(sql_type = BigInt)]
    pub id: SessionId,
    /// Whose.
    #[diesel(sql_type = BigInt)]
    pub user_id: UserId,
    /// When its refresh token ends.
    #[diesel(sql_type = Timestamptz)]
    pub expires_at: DateTime<Utc>,
    /// When tokens were last taken from it.
    #[diesel(sql_type = Timestamptz)]
    pub last_used_at: DateTime<Utc>,
    /// What the client called itself at the log-in.
    #[diesel(sql_type = Nullable<Text>)]
    pub user_agent: Option<String>,
}

/// Begins a session.
///
/// # Errors
/// The server's.
pub async fn insert(
    connection: &mut Connection,
    bucket: Bucket,
    user: UserId,
    refresh_hash: &[u8],
    expires_at: DateTime<Utc>,
    user_agent: Option<&str>,
) -> Result<SessionRow, StoreError> {
    Ok(prepared(
        sql("INSERT INTO sessions (id, user_id, refresh_hash, expires_at, user_agent) VALUES (next_id($1), $2, $3, $4, $5)
             RETURNING id, user_id, expires_at, last_used_at, user_agent")
        .bind::<Integer, _>(i32::from(bucket.number()))
        .bind::<BigInt, _>(user)
        .bind::<Binary, _>(refresh_hash)
        .bind::<Timestamptz, _>(expires_at)
        .bind::<Nullable<Text>, _>(user_agent),
    )
    .get_result(connection)
    .await?)
}

/// Replaces a live session's refresh token by the next one; `None` when the one given is not (or no
/// longer) the session's.
///
/// # Errors
/// The server's.
pub async fn rotate(
    connection: &mut Connection,
    id: SessionId,
    refresh_hash: &[u8],
    next_hash: &[u8],
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<Option<SessionRow>, StoreError> {
    let rows: Vec<SessionRow> = prepared(
        sql("UPDATE sessions SET refresh_hash = $3, expires_at = $5, last_used_at = $4
             WHERE id = $1 AND refresh_hash = $2 AND revoked_at IS NULL AND expires_at > $4
             RETURNING id, user_id, expires_at, last_used_at, user_agent")
        .bind::<BigInt, _>(id)
        .bind::<Binary, _>(refresh_hash)
        .bind::<Binary, _>(next_hash)
        .bind::<Timestamptz, _>(now)
        .bind::<Timestamptz, _>(expires_at),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().next())
}

/// The session, if it is live and this is its refresh token's hash now.
///
/// # Errors
/// The server's.
pub async fn current(
    connection: &mut Connection,
    id: SessionId,
    refresh_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<SessionRow>, StoreError> {
    Ok(prepared(
        sql("SELECT id, user_id, expires_at, last_used_at, user_agent FROM sessions
             WHERE id = $1 AND refresh_hash = $2 AND revoked_at IS NULL AND expires_at > $3")
        .bind::<BigInt, _>(id)
        .bind::<Binary, _>(refresh_hash)
        .bind::<Timestamptz, _>(now),
    )
    .get_result(connection)
    .await
    .optional()?)
}

/// Ends a session; false when it had ended.
///
/// # Errors
/// The server's.
pub async fn revoke(
    connection: &mut Connection,
    id: SessionId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let revoked = prepared(
        sql("UPDATE sessions SET revoked_at = $3 WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL")
            .bind::<BigInt, _>(id)
            .bind::<BigInt, _>(user)
            .bind::<Timestamptz, _>(now),
    )
    .execute(connection)
    .await?;
    Ok(revoked == 1)
}

/// A user's live sessions, newest first, at most 100.
///
/// # Errors
/// The server's.
pub async fn live(
    connection: &mut Connection,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<SessionRow>, StoreError> {
    Ok(prepared(
        sql("SELECT id, user_id, expires_at, last_used_at, user_agent FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2
             ORDER BY id DESC LIMIT 100")
        .bind::<BigInt, _>(user)
        .bind::<Timestamptz, _>(now),
    )
    .load(connection)
    .await?)
}

/// One of a user's live sessions.
///
/// # Errors
/// The server's.
pub async fn live_one(
    connection: &mut Connection,
    user: UserId,
    id: SessionId,
    now: DateTime<Utc>,
) -> Result<Option<SessionRow>, StoreError> {
    Ok(prepared(
        sql("SELECT id, user_id, expires_at, last_used_at, user_agent FROM sessions
             WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL AND expires_at > $3")
        .bind::<BigInt, _>(user)
        .bind::<BigInt, _>(id)
        .bind::<Timestamptz, _>(now),
    )
    .get_result(connection)
    .await
    .optional()?)
}

/// Ends a session, whoever's it is.
///
/// # Errors
/// The server's.
pub async fn revoke_one(
    connection: &mut Connection,
    id: SessionId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    prepared(
        sql("UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind::<BigInt, _>(id)
            .bind::<Timestamptz, _>(now),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets refresh tokens that were used so many days ago, at most `limit`: their sessions have
/// ended since. How many.
///
/// # Errors
/// The server's.
pub async fn forget_spent(
    connection: &mut Connection,
    days: i32,
    limit: i64,
) -> Result<usize, StoreError> {
    Ok(prepared(
        sql("DELETE FROM spent_refresh_tokens WHERE ctid = ANY(ARRAY(
                 SELECT ctid FROM spent_refresh_tokens WHERE spent_at < now() - make_interval(days => $1) LIMIT $2))")
            .bind::<Integer, _>(days)
            .bind::<BigInt, _>(limit),
    )
    .execute(connection)
    .await?)
}

/// Forgets sessions that expired, or were revoked, so many days ago, at most `limit`. How many.
///
/// # Errors
/// The server's.
pub async fn forget_ended(
    connection: &mut Connection,
    days: i32,
    limit: i64,
) -> Result<usize, StoreError> {
    Ok(prepared(
        sql("DELETE FROM sessions WHERE ctid = ANY(ARRAY(
                 SELECT ctid FROM sessions
                 WHERE least(expires_at, coalesce(revoked_at, expires_at)) < now() - make_interval(days => $1) LIMIT $2))")
            .bind::<Integer, _>(days)
            .bind::<BigInt, _>(limit),
    )
    .execute(connection)
    .await?)
}

/// Ends all of a user's sessions.
///
/// # Errors
/// The server's.
pub async fn revoke_all(
    connection: &mut Connection,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    Ok(prepared(
        sql("UPDATE sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL")
            .bind::<BigInt, _>(user)
            .bind::<Timestamptz, _>(now),
    )
    .execute(connection)
    .await?)
}

/// Ends all of a user's live sessions but one; which.
///
/// # Errors
/// The server's.
pub async fn revoke_others(
    connection: &mut Connection,
    user: UserId,
    kept: SessionId,
    now: DateTime<Utc>,
) -> Result<Vec<SessionId>, StoreError> {
    let ended: Vec<RevokedRow> = prepared(
        sql("UPDATE sessions SET revoked_at = $3
             WHERE user_id = $1 AND id <> $2 AND revoked_at IS NULL AND expires_at > $3
             RETURNING id, revoked_at")
        .bind::<BigInt, _>(user)
        .bind::<BigInt, _>(kept)
        .bind::<Timestamptz, _>(now),
    )
    .load(connection)
    .await?;
    Ok(ended.into_iter().map(|row| row.id).collect())
}

/// A session that was ended.
#[derive(Debug, QueryableByName)]
pub struct RevokedRow {
    /// Id.
    #[diesel(sql_type = BigInt)]
    pub id: SessionId,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub revoked_at: DateTime<Utc>,
}

/// Sessions ended after a moment.
///
/// # Errors
/// The server's.
pub async fn revoked_since(
    connection: &mut Connection,
    since: DateTime<Utc>,
) -> Result<Vec<RevokedRow>, StoreError> {
    Ok(prepared(
        sql("SELECT id, revoked_at FROM sessions WHERE revoked_at > $1")
            .bind::<Timestamptz, _>(since),
    )
    .load(connection)
    .await?)
}

/// A refresh token that was used.
#[derive(Debug, QueryableByName)]
pub struct SpentRow {
    /// The mutation that used it.
    #[diesel(sql_type = Nullable<Text>)]
    pub client_key: Option<String>,
    /// The hash of the one given for it.
    #[diesel(sql_type = Binary)]
    pub next_hash: Vec<u8>,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub spent_at: DateTime<Utc>,
}

/// Remembers a used refresh token.
///
/// # Errors
/// The server's.
pub async fn spend(
    connection: &mut Connection,
    session: SessionId,
    hash: &[u8],
    client_key: Option<&str>,
    next_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    prepared(
        sql("INSERT INTO spent_refresh_tokens (refresh_hash, session_id, client_key, next_hash, spent_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (refresh_hash) DO UPDATE SET next_hash = excluded.next_hash")
        .bind::<Binary, _>(hash)
        .bind::<BigInt, _>(session)
        .bind::<Nullable<Text>, _>(client_key)
        .bind::<Binary, _>(next_hash)
        .bind::<Timestamptz, _>(now),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How a refresh token of this session was used, if it was one.
///
/// # Errors
/// The server's.
pub async fn spent(
    connection: &mut Connection,
    session: SessionId,
    hash: &[u8],
) -> Result<Option<SpentRow>, StoreError> {
    Ok(prepared(
        sql("SELECT client_key, next_hash, spent_at FROM spent_refresh_tokens WHERE refresh_hash = $1 AND session_id = $2 FOR UPDATE")
            .bind::<Binary, _>(hash)
            .bind::<BigInt, _>(session),
    )
    .get_result(connection)
    .await
    .optional()?)
}
