//! Reading notifications: those that stand, decided in SQL.
//!
//! What a notification says must still be so. Whatever decides that and is on the user's own shard
//! is asked in the same statement: whether it was withdrawn, whether the post is still there,
//! whether the like is, whom the user follows and blocks and who blocks them, and which kinds they
//! want. So a page is filled past any number of hidden rows, and what is left for the caller to
//! check is what other shards know: whether the text that a mention is in may be seen, and whether
//! the actor is suspended.

use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::kind::Kind;
use plaza_base::ids::{Id, NotificationId, UserId};
use plaza_base::seeded::{Bug, bug};
use plaza_stores::StoreError;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::prepared::{prepared, sql};

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationRow {
    /// Id.
    pub id: NotificationId,
    /// Whose.
    pub user_id: UserId,
    /// What happened.
    pub kind: Kind,
    /// Who did it; `None`: nobody in particular.
    pub actor: Option<UserId>,
    /// The post, comment or order it is about; 0: none.
    pub subject_id: i64,
    /// The product it is about.
    pub product_id: Option<i64>,
    /// The post that the comment it is about is on.
    pub post_id: Option<i64>,
}

#[derive(QueryableByName)]
struct ScannedRow {
    #[diesel(sql_type = BigInt)]
    id: NotificationId,
    #[diesel(sql_type = BigInt)]
    user_id: UserId,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = BigInt)]
    actor_id: i64,
    #[diesel(sql_type = BigInt)]
    subject_id: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    product_id: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    post_id: Option<i64>,
    #[diesel(sql_type = Bool)]
    stands: bool,
    #[diesel(sql_type = Bool)]
    is_last: bool,
    #[diesel(sql_type = BigInt)]
    scanned: i64,
}

/// A part of a user's notifications.
#[derive(Debug, Default)]
pub struct Part {
    /// Those that stand, in order.
    pub rows: Vec<NotificationRow>,
    /// Up to which the rows were scanned; `None`: there was none.
    pub end: Option<i64>,
    /// Whether there may be more after it.
    pub more: bool,
}

/// Which of a user's notifications.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Whose.
    pub user: UserId,
    /// Kinds that are left out.
    pub muted: &'a [String],
    /// Kinds that are left out when the user does not follow the actor.
    pub only_followed: &'a [String],
    /// Most rows that are scanned.
    pub scan: i64,
    /// Most rows that are returned, at least 1.
    pub limit: i64,
}

// $1: the user, $2: muted kinds, $3: kinds wanted only from users the user follows, $4: the limit.
// The last row scanned comes along, so that the next statement goes on from there.
macro_rules! standing {
    (scan: $scan:literal, last: $last:literal, order: $order:literal) => {
        concat!(
            "WITH scanned AS MATERIALIZED (SELECT * FROM notifications ",
            $scan,
            "),
             seen AS (SELECT ",
            $last,
            "(id) AS last, count(*) AS scanned FROM scanned)
             SELECT s.id, s.user_id, s.kind, s.actor_id, s.subject_id, s.product_id, c.post_id, v.stands,
                    s.id = seen.last AS is_last, seen.scanned
             FROM scanned s CROSS JOIN seen
             LEFT JOIN comments c ON s.kind = 'COMMENTED' AND c.id = s.subject_id
             LEFT JOIN posts p ON p.id = CASE WHEN s.kind IN ('LIKED', 'REPOST') THEN s.subject_id ELSE c.post_id END
             CROSS JOIN LATERAL (SELECT
                s.active AND s.user_id = $1 AND NOT coalesce(p.deleted, false) AND s.kind <> ALL($2)
                AND (s.kind <> ALL($3) OR s.actor_id = 0 OR EXISTS (SELECT 1 FROM follows f
                     WHERE f.follower_id = $1 AND f.followee_id = s.actor_id AND f.active))
                AND (s.kind <> 'FOLLOW_ACCEPTED' OR EXISTS (SELECT 1 FROM follows f
                     WHERE f.follower_id = $1 AND f.followee_id = s.actor_id AND f.active))
                AND (s.kind <> 'LIKED' OR EXISTS (SELECT 1 FROM likes l
                     WHERE l.post_id = s.subject_id AND l.user_id = s.actor_id))
                AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.blocker_id = $1 AND b.blocked_id = s.actor_id AND b.active)
                AND NOT EXISTS (SELECT 1 FROM blocked_by b WHERE b.blocked_id = $1 AND b.blocker_id = s.actor_id)
                AS stands) v
             WHERE v.stands OR s.id = seen.last
             ORDER BY s.id ",
            $order,
            " LIMIT $4"
        )
    };
}

fn part(rows: Vec<ScannedRow>, scan: i64) -> Part {
    let end = rows.last().map(|last| last.id.as_i64());
    let more = rows.last().is_some_and(|last| !last.is_last || last.scanned >= scan);
    Part { rows: rows.into_iter().filter_map(row).collect(), end, more }
}

fn row(row: ScannedRow) -> Option<NotificationRow> {
    let stands = row.stands || bug(Bug::BlockedPersonNotifies);
    let kind = Kind::from_name(&row.kind).filter(|_| stands)?;
    Some(NotificationRow {
        id: row.id,
        user_id: row.user_id,
        kind,
        actor: (row.actor_id != 0).then(|| UserId::from_i64(row.actor_id)),
        subject_id: row.subject_id,
        product_id: row.product_id,
        post_id: row.post_id,
    })
}

/// A user's notifications below an id and above another, newest first.
///
/// # Errors
/// The server's.
pub async fn newest(
    connection: &mut Connection,
    wanted: Wanted<'_>,
    below: i64,
    above: i64,
) -> Result<Part, StoreError> {
    let rows: Vec<ScannedRow> = prepared(
        sql(standing!(
            scan: "WHERE user_id = $1 AND id < $5 AND id > $6 ORDER BY id DESC LIMIT $7",
            last: "min",
            order: "DESC"
        ))
        .bind::<BigInt, _>(wanted.user)
        .bind::<Array<Text>, _>(wanted.muted)
        .bind::<Array<Text>, _>(wanted.only_followed)
        .bind::<BigInt, _>(wanted.limit)
        .bind::<BigInt, _>(below)
        .bind::<BigInt, _>(above)
        .bind::<BigInt, _>(wanted.scan),
    )
    .load(connection)
    .await?;
    Ok(part(rows, wanted.scan))
}

/// A user's notifications above an id, oldest first.
///
/// # Errors
/// The server's.
pub async fn since(
    connection: &mut Connection,
    wanted: Wanted<'_>,
    above: i64,
) -> Result<Part, StoreError> {
    let rows: Vec<ScannedRow> = prepared(
        sql(standing!(
            scan: "WHERE user_id = $1 AND id > $5 ORDER BY id LIMIT $6",
            last: "max",
            order: "ASC"
        ))
        .bind::<BigInt, _>(wanted.user)
        .bind::<Array<Text>, _>(wanted.muted)
        .bind::<Array<Text>, _>(wanted.only_followed)
        .bind::<BigInt, _>(wanted.limit)
        .bind::<BigInt, _>(above)
        .bind::<BigInt, _>(wanted.scan),
    )
    .load(connection)
    .await?;
    Ok(part(rows, wanted.scan))
}

/// Notifications of a user by id, whether their kinds are wanted or not.
///
/// # Errors
/// The server's.
pub async fn get_many(
    connection: &mut Connection,
    user: UserId,
    ids: &[NotificationId],
) -> Result<Vec<NotificationRow>, StoreError> {
    let all = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    let rows: Vec<ScannedRow> = prepared(
        sql(standing!(scan: "WHERE id = ANY($5)", last: "min", order: "DESC"))
            .bind::<BigInt, _>(user)
            .bind::<Array<Text>, _>(Vec::<String>::new())
            .bind::<Array<Text>, _>(Vec::<String>::new())
            .bind::<BigInt, _>(all)
            .bind::<Array<BigInt>, _>(ids),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().filter_map(row).collect())
}

#[derive(QueryableByName)]
struct NewestRow {
    #[diesel(sql_type = Nullable<BigInt>)]
    id: Option<i64>,
}

/// The id of a user's newest notification, whether it stands or not; 0: there is none.
///
/// # Errors
/// The server's.
pub async fn newest_id(connection: &mut Connection, user: UserId) -> Result<i64, StoreError> {
    let row: NewestRow = prepared(
        sql("SELECT max(id) AS id FROM notifications WHERE user_id = $1").bind::<BigInt, _>(user),
    )
    .get_result(connection)
    .await?;
    Ok(row.id.unwrap_or_default())
}
