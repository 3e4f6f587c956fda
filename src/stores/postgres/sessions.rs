//! Session rows: one a log-in.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Binary, Integer, Timestamptz};
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::ids::{Bucket, SessionId, UserId};
use crate::stores::StoreError;

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
}

/// Begins a session.
///
/// # Errors
/// The server's.
pub async fn insert(
    connection: &mut Connection,
    bucket: Bucket,
    user: i64,
    refresh_hash: &[u8],
    expires_at: DateTime<Utc>,
) -> Result<SessionRow, StoreError> {
    Ok(prepared(
        sql("INSERT INTO sessions (id, user_id, refresh_hash, expires_at) VALUES (next_id($1), $2, $3, $4)
             RETURNING id, user_id, expires_at")
        .bind::<Integer, _>(i32::from(bucket.number()))
        .bind::<BigInt, _>(user)
        .bind::<Binary, _>(refresh_hash)
        .bind::<Timestamptz, _>(expires_at),
    )
    .get_result(connection)
    .await?)
}

/// Replaces a live session's refresh token by the next one; `None` when the one given is not (or no longer) the session's.
///
/// # Errors
/// The server's.
pub async fn rotate(
    connection: &mut Connection,
    id: i64,
    refresh_hash: &[u8],
    next_hash: &[u8],
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<Option<SessionRow>, StoreError> {
    let rows: Vec<SessionRow> = prepared(
        sql("UPDATE sessions SET refresh_hash = $3, expires_at = $5
             WHERE id = $1 AND refresh_hash = $2 AND revoked_at IS NULL AND expires_at > $4 RETURNING id, user_id, expires_at")
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

/// Ends a session; false when it had ended.
///
/// # Errors
/// The server's.
pub async fn revoke(connection: &mut Connection, id: i64, user: i64, now: DateTime<Utc>) -> Result<bool, StoreError> {
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
pub async fn live(connection: &mut Connection, user: i64, now: DateTime<Utc>) -> Result<Vec<SessionRow>, StoreError> {
    Ok(prepared(
        sql("SELECT id, user_id, expires_at FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2
             ORDER BY id DESC LIMIT 100")
        .bind::<BigInt, _>(user)
        .bind::<Timestamptz, _>(now),
    )
    .load(connection)
    .await?)
}
