//! The follower's side of follows.

use diesel::query_builder::SqlQuery;
use diesel::sql_types::{Array, BigInt, Bool, Integer};
use diesel::{OptionalExtension, QueryableByName};
use diesel_async::RunQueryDsl;

use super::keyset::Keyset;
use super::pool::Connection;
use super::prepared::{prepared, sql};
use super::users::{Added, Versions};
use crate::StoreError;
use plaza_base::ids::{Bucket, FollowId, UserId};

/// An edge that has changed.
#[derive(Debug, QueryableByName)]
pub struct Edge {
    /// The follow's id.
    #[diesel(sql_type = BigInt)]
    pub id: FollowId,
    /// The edge's version after the change.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
    /// Users that the follower follows more by it: 1, 0 or -1.
    #[diesel(sql_type = BigInt)]
    pub following: i64,
}

impl Edge {
    /// What the change adds to the follower's counts.
    pub fn added(&self) -> Added {
        Added { posts: 0, following: self.following }
    }
}

/// An edge that has begun, and its follower after that.
#[derive(Debug, QueryableByName)]
pub struct Begun {
    /// The edge.
    #[diesel(embed)]
    pub edge: Edge,
    /// The follower's versions.
    #[diesel(embed)]
    pub versions: Versions,
}

/// Makes the edge active with a new id, or only asks for it, and counts that as an act of the
/// follower's, whose row is locked then ([`raise_activity`](super::users::raise_activity)). `None`
/// when it is active already, or asked for and only asked for again: nothing has changed. The
/// versions of a follower who does not exist are 0.
///
/// # Errors
/// The server's.
pub async fn begin(
    mut connection: &Connection,
    bucket: Bucket,
    follower: UserId,
    followee: UserId,
    requested: bool,
) -> Result<Option<Begun>, StoreError> {
    Ok(prepared(
        sql("WITH edge AS (
                 INSERT INTO follows AS f (follower_id, followee_id, id, version, active, requested)
                 VALUES ($2, $3, next_id($1), 1, NOT $4, $4)
                 ON CONFLICT (follower_id, followee_id)
                 DO UPDATE SET id = excluded.id, version = f.version + 1,
                               active = excluded.active, requested = excluded.requested
                 WHERE NOT f.active AND NOT (f.requested AND excluded.requested)
                 RETURNING id, version, active::int::bigint AS following),
             raised AS (
                 UPDATE users u SET activity_version = u.activity_version + 1
                 FROM edge WHERE u.id = $2
                 RETURNING u.id, u.activity_version, u.relations_version, edge.following),
             counted AS (
                 UPDATE user_counts c
                 SET following_count = c.following_count + r.following,
                     activity_version = r.activity_version
                 FROM raised r
                 WHERE c.user_id = r.id AND c.activity_version = r.activity_version - 1)
             SELECT edge.id, edge.version, edge.following,
                    coalesce(r.activity_version, 0) AS activity,
                    coalesce(r.activity_version + r.relations_version, 0) AS relations
             FROM edge LEFT JOIN raised r ON true")
        .bind::<Integer, _>(i32::from(bucket.number()))
        .bind::<BigInt, _>(follower)
        .bind::<BigInt, _>(followee)
        .bind::<Bool, _>(requested),
    )
    .get_result(&mut connection)
    .await
    .optional()?)
}

/// Grants an edge that was asked for, or turns it down; `None` when it was not asked for.
///
/// # Errors
/// The server's.
pub async fn answer(
    connection: &mut Connection,
    follower: UserId,
    followee: UserId,
    grant: bool,
) -> Result<Option<Edge>, StoreError> {
    Ok(prepared(
        sql("UPDATE follows SET active = active OR $3, requested = false, version = version + 1
             WHERE follower_id = $1 AND followee_id = $2 AND requested
             RETURNING id, version, $3::int::bigint AS following")
        .bind::<BigInt, _>(follower)
        .bind::<BigInt, _>(followee)
        .bind::<Bool, _>(grant),
    )
    .get_result(connection)
    .await
    .optional()?)
}

/// Makes the edge inactive, or takes a request back; `None` when there was neither.
///
/// # Errors
/// The server's.
pub async fn deactivate(
    mut connection: &Connection,
    follower: UserId,
    followee: UserId,
) -> Result<Option<Edge>, StoreError> {
    Ok(prepared(
        sql("WITH held AS (
                 SELECT active FROM follows
                 WHERE follower_id = $1 AND followee_id = $2 AND (active OR requested)
                 FOR NO KEY UPDATE)
             UPDATE follows f SET active = false, requested = false, version = version + 1
             FROM held WHERE follower_id = $1 AND followee_id = $2
             RETURNING id, version, -held.active::int::bigint AS following")
        .bind::<BigInt, _>(follower)
        .bind::<BigInt, _>(followee),
    )
    .get_result(&mut connection)
    .await
    .optional()?)
}

/// Whether a user may follow another, as far as the user's own shard says.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct MayFollow {
    /// How many users they follow.
    #[diesel(sql_type = BigInt)]
    pub count: i64,
    /// Whether the other is known here to block them; the block may have ended a moment ago.
    #[diesel(sql_type = Bool)]
    pub is_blocked: bool,
}

/// What stands against a follow. Asked once the follower's row is locked: a
/// block that is not seen here yet will see the follow, and end it. How many users the follower
/// follows is counted where the stored count is older than the follower.
///
/// # Errors
/// The server's.
pub async fn may_follow(
    mut connection: &Connection,
    follower: UserId,
    followee: UserId,
) -> Result<MayFollow, StoreError> {
    Ok(prepared(
        sql("WITH stored AS (
                 SELECT c.following_count FROM user_counts c JOIN users u ON u.id = c.user_id
                 WHERE c.user_id = $1 AND c.activity_version = u.activity_version)
             SELECT coalesce(
                        (SELECT following_count FROM stored),
                        (SELECT count(*) FROM follows WHERE follower_id = $1 AND active)) AS count,
                    EXISTS (SELECT FROM blocked_by
                            WHERE blocked_id = $1 AND blocker_id = $2) AS is_blocked")
        .bind::<BigInt, _>(follower)
        .bind::<BigInt, _>(followee),
    )
    .get_result(&mut connection)
    .await?)
}

#[derive(QueryableByName)]
struct PageRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    followee_id: UserId,
}

/// (follow id, followee), by follow id.
///
/// # Errors
/// The server's.
pub async fn page(
    connection: &mut Connection,
    follower: UserId,
    keyset: Keyset,
) -> Result<Vec<(i64, UserId)>, StoreError> {
    let statement = if keyset.descending {
        sql("SELECT id, followee_id FROM follows
             WHERE follower_id = $1 AND active AND id < $2 ORDER BY id DESC LIMIT $3")
    } else {
        sql("SELECT id, followee_id FROM follows
             WHERE follower_id = $1 AND active AND id > $2 ORDER BY id LIMIT $3")
    };
    of_keyset(connection, statement, follower, keyset).await
}

/// The same of those that wait for an answer.
///
/// # Errors
/// The server's.
pub async fn requested(
    connection: &mut Connection,
    follower: UserId,
    keyset: Keyset,
) -> Result<Vec<(i64, UserId)>, StoreError> {
    let statement = if keyset.descending {
        sql("SELECT id, followee_id FROM follows
             WHERE follower_id = $1 AND requested AND id < $2 ORDER BY id DESC LIMIT $3")
    } else {
        sql("SELECT id, followee_id FROM follows
             WHERE follower_id = $1 AND requested AND id > $2 ORDER BY id LIMIT $3")
    };
    of_keyset(connection, statement, follower, keyset).await
}

async fn of_keyset(
    connection: &mut Connection,
    statement: SqlQuery,
    follower: UserId,
    keyset: Keyset,
) -> Result<Vec<(i64, UserId)>, StoreError> {
    let rows: Vec<PageRow> = prepared(
        statement
            .bind::<BigInt, _>(follower)
            .bind::<BigInt, _>(keyset.beyond)
            .bind::<BigInt, _>(keyset.limit),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.followee_id)).collect())
}

/// Whom a user follows and blocks, and who blocks them.
#[derive(Debug, QueryableByName)]
pub struct RelationsRow {
    /// Whose.
    #[diesel(sql_type = BigInt)]
    pub user_id: UserId,
    /// Rises with every follow and every block.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
    /// Sorted.
    #[diesel(sql_type = Array<BigInt>)]
    pub followees: Vec<UserId>,
    /// Sorted.
    #[diesel(sql_type = Array<BigInt>)]
    pub blocking: Vec<UserId>,
    /// Sorted.
    #[diesel(sql_type = Array<BigInt>)]
    pub blocked_by: Vec<UserId>,
}

/// The relations of these users, in one statement.
///
/// # Errors
/// The server's.
pub async fn relations(
    connection: &mut Connection,
    users: &[UserId],
) -> Result<Vec<RelationsRow>, StoreError> {
    Ok(prepared(
        sql("SELECT u.id AS user_id, u.activity_version + u.relations_version AS version,
                    ARRAY(SELECT followee_id FROM follows f WHERE f.follower_id = u.id AND f.active ORDER BY followee_id) AS followees,
                    ARRAY(SELECT blocked_id FROM blocks b WHERE b.blocker_id = u.id AND b.active ORDER BY blocked_id) AS blocking,
                    ARRAY(SELECT blocker_id FROM blocked_by b WHERE b.blocked_id = u.id ORDER BY blocker_id) AS blocked_by
             FROM users u WHERE u.id = ANY($1)")
        .bind::<Array<BigInt>, _>(users),
    )
    .load(connection)
    .await?)
}

/// What is between a user and another.
#[derive(Debug, QueryableByName)]
pub struct TieRow {
    /// The other.
    #[diesel(sql_type = BigInt)]
    pub user_id: UserId,
    /// The user follows the other.
    #[diesel(sql_type = Bool)]
    pub active: bool,
    /// The user has asked to follow the other.
    #[diesel(sql_type = Bool)]
    pub requested: bool,
    /// The other follows the user.
    #[diesel(sql_type = Bool)]
    pub followed_by: bool,
}

/// What is between a user and each of these others, a row for each.
///
/// # Errors
/// The server's.
pub async fn ties(
    connection: &mut Connection,
    user: UserId,
    others: &[UserId],
) -> Result<Vec<TieRow>, StoreError> {
    Ok(prepared(
        sql("SELECT o.id AS user_id, coalesce(f.active, false) AS active, coalesce(f.requested, false) AS requested,
                    EXISTS (SELECT 1 FROM followers b WHERE b.followee_id = $1 AND b.follower_id = o.id AND b.active) AS followed_by
             FROM unnest($2::bigint[]) AS o(id) LEFT JOIN follows f ON f.follower_id = $1 AND f.followee_id = o.id")
        .bind::<BigInt, _>(user)
        .bind::<Array<BigInt>, _>(others),
    )
    .load(connection)
    .await?)
}

/// An edge that has changed, and whose it is.
#[derive(Debug, QueryableByName)]
pub struct GrantedEdge {
    /// Who follows.
    #[diesel(sql_type = BigInt)]
    pub follower_id: UserId,
    /// The edge.
    #[diesel(embed)]
    pub edge: Edge,
}

/// Grants those of these followers' edges that are asked for, in the order of the requests.
///
/// # Errors
/// The server's.
pub async fn grant_many(
    connection: &mut Connection,
    followers: &[UserId],
    followee: UserId,
) -> Result<Vec<GrantedEdge>, StoreError> {
    Ok(prepared(
        sql("WITH granted AS (UPDATE follows SET active = true, requested = false, version = version + 1
                              WHERE follower_id = ANY($1) AND followee_id = $2 AND requested RETURNING follower_id, id, version)
             SELECT follower_id, id, version, 1::bigint AS following FROM granted ORDER BY id")
        .bind::<Array<BigInt>, _>(followers)
        .bind::<BigInt, _>(followee),
    )
    .load(connection)
    .await?)
}
