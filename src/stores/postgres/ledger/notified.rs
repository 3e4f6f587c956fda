//! Laws of notifications against their causes, of one shard, some rows at a time. That the
//! projection has applied a cause is known by the version that it keeps of each aggregate.

use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::pieces::{Piece, Place};
use crate::StoreError;
use crate::postgres::pool::Connection;
use crate::postgres::prepared::{prepared, sql};

#[derive(QueryableByName)]
struct Newest {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// The newest message of the outbox; 0: there is none.
///
/// # Errors
/// The server's.
pub async fn newest_message(connection: &mut Connection) -> Result<i64, StoreError> {
    let newest: Newest = prepared(sql("SELECT coalesce(max(id), 0) AS id FROM outbox"))
        .get_result(connection)
        .await?;
    Ok(newest.id)
}

/// Likes, comments, sales and ends of orders among the outbox's events have their notification: of
/// as many days as the outbox keeps. Events of aggregates that are on another shard by now are left
/// out.
///
/// # Errors
/// The server's.
pub async fn of_events(
    connection: &mut Connection,
    after: Place,
    limit: i64,
) -> Result<Piece, StoreError> {
    Ok(prepared(
        sql("WITH piece AS (
                 SELECT id, key, payload::jsonb AS event FROM outbox
                 WHERE id > $1 AND sink = 1 AND sent_at IS NOT NULL
                   AND topic IN ('posts', 'products', 'orders')
                 ORDER BY id LIMIT $2),
             event AS (
                 SELECT id, key, (event ->> 'version')::bigint AS version, event ->> 'type' AS type,
                        event -> 'data' AS data
                 FROM piece),
             expected AS (
                 SELECT e.id, e.key, e.version, e.data,
                        CASE e.type
                             WHEN 'post.liked.v1' THEN 'LIKED'
                             WHEN 'post.commented.v1' THEN 'COMMENTED'
                             WHEN 'post.replied.v1' THEN 'COMMENTED'
                             WHEN 'product.sold.v1' THEN 'ORDERED'
                             WHEN 'product.returned.v1' THEN 'ORDER_REFUNDED'
                             WHEN 'order.status_changed.v1'
                             THEN CASE WHEN e.data ->> 'status'
                                            IN ('CONFIRMED', 'REJECTED', 'REFUNDED')
                                       THEN 'ORDER_' || (e.data ->> 'status') END
                        END AS kind,
                        coalesce(p.author_id, g.seller_id, o.buyer_id) AS recipient,
                        CASE WHEN e.type = 'post.liked.v1' THEN (e.data ->> 'user_id')::bigint
                             WHEN e.type IN ('post.commented.v1', 'post.replied.v1')
                             THEN (e.data ->> 'author_id')::bigint ELSE 0 END AS actor,
                        CASE WHEN e.type = 'post.liked.v1' THEN (e.data ->> 'post_id')::bigint
                             WHEN e.type IN ('post.commented.v1', 'post.replied.v1')
                             THEN (e.data ->> 'comment_id')::bigint
                             ELSE (e.data ->> 'order_id')::bigint END AS subject
                 FROM event e
                 LEFT JOIN posts p ON p.id = (e.data ->> 'post_id')::bigint
                 LEFT JOIN products g ON g.id = (e.data ->> 'product_id')::bigint
                 LEFT JOIN orders o ON e.type = 'order.status_changed.v1'
                                   AND o.id = (e.data ->> 'order_id')::bigint),
             judged AS (
                 SELECT x.key || '/' || x.version AS id,
                        coalesce(v.version, 0) < x.version AS behind,
                        NOT EXISTS (
                            SELECT 1 FROM notifications n
                            WHERE n.user_id = x.recipient AND n.kind = x.kind
                              AND n.actor_id = x.actor AND n.subject_id = x.subject
                              AND n.version >= CASE x.kind WHEN 'LIKED' THEN x.version ELSE 0 END)
                        AS differs
                 FROM expected x
                 LEFT JOIN projection_versions v
                        ON v.projection = 'notifications' AND v.aggregate = x.key
                 WHERE x.kind IS NOT NULL AND x.recipient <> x.actor
                   AND x.recipient IS DISTINCT FROM (x.data ->> 'answered_id')::bigint)
             SELECT (SELECT count(*) FROM piece) AS rows, count(*) AS checked,
                    count(*) FILTER (WHERE behind) AS waiting,
                    count(*) FILTER (WHERE NOT behind AND differs) AS wrong,
                    coalesce((array_agg('of ' || id) FILTER (WHERE NOT behind AND differs))[1:5],
                             '{}') AS examples,
                    (SELECT max(id) FROM piece) AS last, 0::bigint AS last_minor
             FROM judged")
        .bind::<BigInt, _>(after.0)
        .bind::<BigInt, _>(limit),
    )
    .get_result(connection)
    .await?)
}

/// Follows that began after the id `since` have their notification, and ended ones have none, as
/// far as there were events of them.
///
/// # Errors
/// The server's.
pub async fn of_follows(
    connection: &mut Connection,
    after: Place,
    since: i64,
    limit: i64,
) -> Result<Piece, StoreError> {
    Ok(prepared(
        sql("WITH piece AS (
                 SELECT followee_id, follower_id, follow_id, active FROM followers
                 WHERE (followee_id, follower_id) > ($1, $2)
                 ORDER BY followee_id, follower_id LIMIT $3),
             judged AS (
                 SELECT p.follower_id || ' to ' || p.followee_id AS id,
                        f.version IS DISTINCT FROM n.version AS behind,
                        p.active <> EXISTS (
                            SELECT 1 FROM notifications h
                            WHERE h.user_id = p.followee_id AND h.kind = 'FOLLOWED'
                              AND h.actor_id = p.follower_id AND h.subject_id = 0 AND h.active)
                        AS differs
                 FROM piece p
                 LEFT JOIN projection_versions f ON f.projection = 'followers'
                       AND f.aggregate = 'edge:' || p.follower_id || ':' || p.followee_id
                 LEFT JOIN projection_versions n ON n.projection = 'notifications'
                       AND n.aggregate = 'edge:' || p.follower_id || ':' || p.followee_id
                 WHERE p.follow_id > $4 AND (f.version IS NOT NULL OR n.version IS NOT NULL))
             SELECT (SELECT count(*) FROM piece) AS rows, count(*) AS checked,
                    count(*) FILTER (WHERE behind) AS waiting,
                    count(*) FILTER (WHERE NOT behind AND differs) AS wrong,
                    coalesce((array_agg('follow of ' || id)
                              FILTER (WHERE NOT behind AND differs))[1:5], '{}') AS examples,
                    (SELECT max(followee_id) FROM piece) AS last,
                    coalesce((SELECT follower_id FROM piece
                              ORDER BY followee_id DESC, follower_id DESC LIMIT 1), 0) AS last_minor
             FROM judged")
        .bind::<BigInt, _>(after.0)
        .bind::<BigInt, _>(after.1)
        .bind::<BigInt, _>(limit)
        .bind::<BigInt, _>(since),
    )
    .get_result(connection)
    .await?)
}

/// What somebody was notified of as a like is one still.
///
/// # Errors
/// The server's.
pub async fn of_likes(
    connection: &mut Connection,
    after: Place,
    limit: i64,
) -> Result<Piece, StoreError> {
    Ok(prepared(
        sql("WITH piece AS (
                 SELECT id, kind, actor_id, subject_id, active FROM notifications
                 WHERE id > $1 ORDER BY id LIMIT $2),
             judged AS (
                 SELECT n.actor_id || ' of post ' || n.subject_id AS id,
                        coalesce(v.version, 0) <> p.version AS behind,
                        NOT EXISTS (SELECT 1 FROM likes l
                                    WHERE l.post_id = n.subject_id AND l.user_id = n.actor_id)
                        AS differs
                 FROM piece n JOIN posts p ON p.id = n.subject_id
                 LEFT JOIN projection_versions v ON v.projection = 'notifications'
                                                AND v.aggregate = 'post:' || n.subject_id
                 WHERE n.kind = 'LIKED' AND n.active)
             SELECT (SELECT count(*) FROM piece) AS rows, count(*) AS checked,
                    count(*) FILTER (WHERE behind) AS waiting,
                    count(*) FILTER (WHERE NOT behind AND differs) AS wrong,
                    coalesce((array_agg('like by ' || id)
                              FILTER (WHERE NOT behind AND differs))[1:5], '{}') AS examples,
                    (SELECT max(id) FROM piece) AS last, 0::bigint AS last_minor
             FROM judged")
        .bind::<BigInt, _>(after.0)
        .bind::<BigInt, _>(limit),
    )
    .get_result(connection)
    .await?)
}
