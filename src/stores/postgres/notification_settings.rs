//! What a user has seen of their notifications, and which they want.

use diesel::sql_types::{Array, BigInt, Text};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;
use plaza_base::ids::{NotificationId, UserId};

/// A user's settings; those of somebody who has changed nothing are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, QueryableByName)]
pub struct Settings {
    /// The newest notification they have seen.
    #[diesel(sql_type = BigInt)]
    pub read_up_to: i64,
    /// Kinds they do not want.
    #[diesel(sql_type = Array<Text>)]
    pub muted: Vec<String>,
    /// Kinds they want only from users they follow.
    #[diesel(sql_type = Array<Text>)]
    pub only_followed: Vec<String>,
}

/// A user's settings.
///
/// # Errors
/// The server's.
pub async fn get(connection: &mut Connection, user: UserId) -> Result<Settings, StoreError> {
    let found: Option<Settings> = prepared(
        sql(
            "SELECT read_up_to, muted, only_followed FROM notification_settings WHERE user_id = $1",
        )
        .bind::<BigInt, _>(user),
    )
    .get_result(connection)
    .await
    .optional()?;
    Ok(found.unwrap_or_default())
}

/// Moves the newest seen forward, never back, to an id that was a notification's of the user's;
/// false when they have never had one so new. Since seen, it may have been withdrawn, and made anew
/// under another id.
///
/// # Errors
/// The server's.
pub async fn mark_read(
    connection: &mut Connection,
    user: UserId,
    up_to: NotificationId,
) -> Result<bool, StoreError> {
    let moved = prepared(
        sql("INSERT INTO notification_settings AS s (user_id, read_up_to) SELECT $1, $2 WHERE EXISTS (SELECT 1 FROM notifications WHERE id >= $2 AND user_id = $1)
             ON CONFLICT (user_id) DO UPDATE SET read_up_to = greatest(s.read_up_to, excluded.read_up_to)")
        .bind::<BigInt, _>(user)
        .bind::<BigInt, _>(up_to),
    )
    .execute(connection)
    .await?;
    Ok(moved == 1)
}

/// Locks a user's settings, and makes them if need be.
///
/// # Errors
/// The server's.
pub async fn lock(connection: &mut Connection, user: UserId) -> Result<Settings, StoreError> {
    Ok(prepared(
        sql("INSERT INTO notification_settings AS s (user_id) VALUES ($1) ON CONFLICT (user_id) DO UPDATE SET user_id = s.user_id
             RETURNING read_up_to, muted, only_followed")
        .bind::<BigInt, _>(user),
    )
    .get_result(connection)
    .await?)
}

/// Stores which kinds a user wants.
///
/// # Errors
/// The server's.
pub async fn choose(
    connection: &mut Connection,
    user: UserId,
    muted: &[String],
    only_followed: &[String],
) -> Result<(), StoreError> {
    prepared(
        sql("UPDATE notification_settings SET muted = $2, only_followed = $3 WHERE user_id = $1")
            .bind::<BigInt, _>(user)
            .bind::<Array<Text>, _>(muted)
            .bind::<Array<Text>, _>(only_followed),
    )
    .execute(connection)
    .await?;
    Ok(())
}
