//! Notifications that are not kept any more.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable};
use diesel_async::RunQueryDsl;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;

/// Most that one statement deletes.
pub const AT_ONCE: i64 = 2_000;

/// What is kept.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// Read ones from this id on.
    pub read_since: i64,
    /// All from this id on.
    pub since: i64,
    /// Of those before, so many of each user, the newest.
    pub most: i64,
}

/// What a statement has done.
#[derive(Debug, Clone, QueryableByName)]
pub struct Swept {
    /// Users whose notifications were looked through.
    #[diesel(sql_type = BigInt)]
    pub users: i64,
    /// The last of them.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub last: Option<i64>,
    /// Notifications deleted, at most [`AT_ONCE`].
    #[diesel(sql_type = BigInt)]
    pub deleted: i64,
}

/// Deletes what is not kept of the next users after an id, at most so many users. Waits for no
/// replica: what a failover brings back is deleted again.
///
/// # Errors
/// The server's.
pub async fn forget(
    connection: &mut Connection,
    kept: Kept,
    after: i64,
    users: i64,
) -> Result<Swept, StoreError> {
    Ok(prepared(
        sql("WITH piece AS (
                 SELECT u.id, coalesce(s.read_up_to, 0) AS read_up_to
                 FROM users u LEFT JOIN notification_settings s ON s.user_id = u.id
                 WHERE u.id > $1 ORDER BY u.id LIMIT $2),
             bound AS (
                 SELECT p.id, greatest(
                            least(p.read_up_to, $3 - 1),
                            coalesce((SELECT n.id FROM notifications n
                                      WHERE n.user_id = p.id AND n.id < $4
                                      ORDER BY n.id DESC OFFSET $5 LIMIT 1), 0)) AS up_to
                 FROM piece p),
             deleted AS (
                 DELETE FROM notifications WHERE id = ANY (ARRAY(
                     SELECT old.id FROM bound b CROSS JOIN LATERAL (
                         SELECT n.id FROM notifications n
                         WHERE n.user_id = b.id AND n.id <= b.up_to
                         ORDER BY n.id DESC LIMIT $6) old
                     LIMIT $6))
                 AND set_config('synchronous_commit', 'local', true) = 'local'
                 RETURNING 1)
             SELECT (SELECT count(*) FROM piece) AS users, (SELECT max(id) FROM piece) AS last,
                    (SELECT count(*) FROM deleted) AS deleted")
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(users)
        .bind::<BigInt, _>(kept.read_since)
        .bind::<BigInt, _>(kept.since)
        .bind::<BigInt, _>(kept.most)
        .bind::<BigInt, _>(AT_ONCE),
    )
    .get_result(connection)
    .await?)
}
