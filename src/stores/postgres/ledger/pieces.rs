//! Laws of one shard's rows, applied to some rows at a time. Each piece is one statement, so what
//! it compares is of one moment, on a replica too. What a projection has not applied yet is told
//! from what is wrong by versions, not by time.

use diesel::QueryableByName;
use diesel::query_builder::SqlQuery;
use diesel::sql_types::{Array, BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;

use crate::StoreError;
use crate::postgres::pool::Connection;
use crate::postgres::prepared::{prepared, sql};

/// A law of rows that are counted, sold or paid; `notified.rs` has those of notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowLaw {
    /// Likes and comments of posts.
    PostCounts,
    /// Posts of people, and whom they follow.
    UserCounts,
    /// Followers of people.
    FollowerCounts,
    /// Reposts and quotes of posts.
    ShareCounts,
    /// Sales by the minute.
    Sales,
    /// What is left of a product, what is held and what was sold: together what was offered.
    Stock,
    /// Orders that are paid, and only those, have a payment of their amount.
    Payments,
    /// Images that posts show have their row.
    PostImages,
    /// Images that people show have their row.
    Avatars,
}

/// What a law came to for some rows.
#[derive(Debug, Clone, Default, QueryableByName)]
pub struct Piece {
    /// Rows that were read: fewer than asked for are the last.
    #[diesel(sql_type = BigInt)]
    pub rows: i64,
    /// Things the law was applied to.
    #[diesel(sql_type = BigInt)]
    pub checked: i64,
    /// Those that will be right once a projection is level; readers do not use them meanwhile.
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    /// Those that are wrong.
    #[diesel(sql_type = BigInt)]
    pub wrong: i64,
    /// Some of those.
    #[diesel(sql_type = Array<Text>)]
    pub examples: Vec<String>,
    /// The last row's place; `None` when there was no row.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub last: Option<i64>,
    /// The second half of its place, where a row has two.
    #[diesel(sql_type = BigInt)]
    pub last_minor: i64,
}

/// A place in a table: rows are read in this order.
pub type Place = (i64, i64);

async fn read(
    connection: &mut Connection,
    query: SqlQuery,
    after: Place,
    limit: i64,
) -> Result<Piece, StoreError> {
    Ok(prepared(query.bind::<BigInt, _>(after.0).bind::<BigInt, _>(limit))
        .get_result(connection)
        .await?)
}

/// Applies a law to the next rows after a place, at most so many.
///
/// # Errors
/// The server's.
pub async fn piece(
    connection: &mut Connection,
    law: RowLaw,
    after: Place,
    limit: i64,
) -> Result<Piece, StoreError> {
    let query = match law {
        RowLaw::PostCounts => sql("WITH piece AS (
                 SELECT post_id, version, like_count, comment_count FROM post_counts
                 WHERE post_id > $1 ORDER BY post_id LIMIT $2),
             judged AS (
                 SELECT c.post_id AS id, c.version <> p.version AS behind,
                        c.like_count <> (SELECT count(*) FROM likes l WHERE l.post_id = c.post_id)
                        OR c.comment_count
                           <> (SELECT count(*) FROM comments m WHERE m.post_id = c.post_id)
                        AS differs
                 FROM piece c JOIN posts p ON p.id = c.post_id)
             SELECT (SELECT count(*) FROM piece) AS rows, count(*) AS checked,
                    count(*) FILTER (WHERE behind) AS waiting,
                    count(*) FILTER (WHERE NOT behind AND differs) AS wrong,
                    coalesce((array_agg('post ' || id) FILTER (WHERE NOT behind AND differs))[1:5],
                             '{}') AS examples,
                    (SELECT max(post_id) FROM piece) AS last, 0::bigint AS last_minor
             FROM judged"),
        RowLaw::UserCounts => sql("WITH piece AS (
                 SELECT user_id, activity_version, post_count, following_count FROM user_counts
                 WHERE user_id > $1 ORDER BY user_id LIMIT $2),
             judged AS (
                 SELECT u.id, c.activity_version <> u.activity_version AS behind,
                        c.post_count
                        <> (SELECT count(*) FROM posts p WHERE p.author_id = u.id AND NOT p.deleted)
                         - (SELECT count(*) FROM reposts r WHERE r.author_id = u.id)
                        OR c.following_count
                        <> (SELECT count(*) FROM follows f WHERE f.follower_id = u.id AND f.active)
                        AS differs
                 FROM piece c JOIN users u ON u.id = c.user_id)
             SELECT (SELECT count(*) FROM piece) AS rows, count(*) AS checked,
                    count(*) FILTER (WHERE behind) AS waiting,
                    count(*) FILTER (WHERE NOT behind AND differs) AS wrong,
                    coalesce((array_agg('user ' || id) FILTER (WHERE NOT behind AND differs))[1:5],
                             '{}') AS examples,
                    (SELECT max(user_id) FROM piece) AS last, 0::bigint AS last_minor
             FROM judged"),
        RowLaw::FollowerCounts => sql("WITH piece AS (
                 SELECT user_id, follower_count FROM follower_counts
                 WHERE user_id > $1 ORDER BY user_id LIMIT $2),
             judged AS (
                 SELECT c.user_id AS id,
                        c.follower_count <> (SELECT count(*) FROM followers f
                                             WHERE f.followee_id = c.user_id AND f.active)
                        AS differs
                 FROM piece c)
             SELECT (SELECT count(*) FROM piece) AS rows, count(*) AS checked,
                    0::bigint AS waiting, count(*) FILTER (WHERE differs) AS wrong,
                    coalesce((array_agg('user ' || id) FILTER (WHERE differs))[1:5], '{}')
                    AS examples,
                    (SELECT max(user_id) FROM piece) AS last, 0::bigint AS last_minor
             FROM judged"),
        RowLaw::ShareCounts => sql("WITH piece AS (
                 SELECT post_id, repost_count, quote_count FROM share_counts
                 WHERE post_id > $1 ORDER BY post_id LIMIT $2),
             judged AS (
                 SELECT c.post_id AS id,
                        c.repost_count <> (SELECT count(*) FROM shares s WHERE s.post_id = c.post_id
                                                                AND s.active AND NOT s.is_quote)
                        OR c.quote_count <> (SELECT count(*) FROM shares s
                                             WHERE s.post_id = c.post_id
                                               AND s.active AND s.is_quote)
                        AS differs
                 FROM piece c)
             SELECT (SELECT count(*) FROM piece) AS rows, count(*) AS checked,
                    0::bigint AS waiting, count(*) FILTER (WHERE differs) AS wrong,
                    coalesce((array_agg('post ' || id) FILTER (WHERE differs))[1:5], '{}')
                    AS examples,
                    (SELECT max(post_id) FROM piece) AS last, 0::bigint AS last_minor
             FROM judged"),
        RowLaw::Sales => sql("WITH piece AS (
                 SELECT id, version FROM products WHERE id > $1 ORDER BY id LIMIT $2),
             judged AS (
                 SELECT p.id,
                        p.version <> coalesce((SELECT v.version FROM projection_versions v
                                               WHERE v.projection = 'product_sales'
                                                 AND v.aggregate = 'product:' || p.id), 0)
                        AS behind,
                        EXISTS (
                            SELECT 1
                            FROM (SELECT s.minute, s.orders, s.quantity, s.amount
                                  FROM product_sales s
                                  WHERE s.product_id = p.id AND s.orders > 0) s
                            FULL JOIN (
                                  SELECT date_trunc('minute', r.sold_at) AS minute,
                                         count(*) AS orders, sum(r.quantity) AS quantity,
                                         sum(r.amount) AS amount
                                  FROM reservations r
                                  WHERE r.product_id = p.id AND r.status = 'SOLD' GROUP BY 1) r
                            ON r.minute = s.minute
                            WHERE s.orders IS DISTINCT FROM r.orders
                               OR s.quantity IS DISTINCT FROM r.quantity
                               OR s.amount IS DISTINCT FROM r.amount) AS differs
                 FROM piece p)
             SELECT (SELECT count(*) FROM piece) AS rows, count(*) AS checked,
                    count(*) FILTER (WHERE behind) AS waiting,
                    count(*) FILTER (WHERE NOT behind AND differs) AS wrong,
                    coalesce((array_agg('product ' || id)
                              FILTER (WHERE NOT behind AND differs))[1:5], '{}') AS examples,
                    (SELECT max(id) FROM piece) AS last, 0::bigint AS last_minor
             FROM judged"),
        RowLaw::Stock => sql("WITH piece AS (
                 SELECT id, stock, stock_offered FROM products
                 WHERE id > $1 ORDER BY id LIMIT $2),
             judged AS (
                 SELECT p.id, p.stock
                        + coalesce((SELECT sum(r.quantity) FROM reservations r
                                    WHERE r.product_id = p.id AND r.status = 'HELD'), 0)
                        + coalesce((SELECT sum(r.quantity) FROM reservations r
                                    WHERE r.product_id = p.id AND r.status = 'SOLD'), 0)
                        <> p.stock_offered AS differs
                 FROM piece p WHERE p.stock_offered IS NOT NULL)
             SELECT (SELECT count(*) FROM piece) AS rows, count(*) AS checked, 0::bigint AS waiting,
                    count(*) FILTER (WHERE differs) AS wrong,
                    coalesce((array_agg('product ' || id) FILTER (WHERE differs))[1:5], '{}')
                    AS examples,
                    (SELECT max(id) FROM piece) AS last, 0::bigint AS last_minor
             FROM judged"),
        RowLaw::Payments => sql("WITH piece AS (
                 SELECT id, status, total_amount, total_currency FROM orders
                 WHERE id > $1 ORDER BY id LIMIT $2),
             judged AS (
                 SELECT o.id,
                        CASE WHEN o.status IN ('PAID', 'CONFIRMED', 'REFUNDING', 'REFUNDED')
                             THEN p.amount IS DISTINCT FROM o.total_amount
                               OR p.currency IS DISTINCT FROM o.total_currency
                               OR p.status IS DISTINCT FROM
                                  CASE o.status WHEN 'REFUNDED' THEN 'REFUNDED'
                                                ELSE 'CAPTURED' END
                             ELSE p.order_id IS NOT NULL END AS differs
                 FROM piece o LEFT JOIN payments p ON p.order_id = o.id)
             SELECT (SELECT count(*) FROM piece) AS rows, count(*) AS checked, 0::bigint AS waiting,
                    count(*) FILTER (WHERE differs) AS wrong,
                    coalesce((array_agg('order ' || id) FILTER (WHERE differs))[1:5], '{}')
                    AS examples,
                    (SELECT max(id) FROM piece) AS last, 0::bigint AS last_minor
             FROM judged"),
        RowLaw::PostImages => sql("WITH piece AS (
                 SELECT id, author_id, images, deleted FROM posts
                 WHERE id > $1 ORDER BY id LIMIT $2),
             judged AS (
                 SELECT p.id, i.state IS DISTINCT FROM 'READY' OR NOT i.used
                        OR i.owner_id <> p.author_id AS differs
                 FROM piece p CROSS JOIN LATERAL jsonb_array_elements(p.images) AS shown(image)
                 LEFT JOIN images i ON i.id = (shown.image ->> 'id')::bigint
                 WHERE NOT p.deleted AND p.images IS NOT NULL)
             SELECT (SELECT count(*) FROM piece) AS rows, count(*) AS checked,
                    0::bigint AS waiting, count(*) FILTER (WHERE differs) AS wrong,
                    coalesce((array_agg('post ' || id) FILTER (WHERE differs))[1:5], '{}')
                    AS examples,
                    (SELECT max(id) FROM piece) AS last, 0::bigint AS last_minor
             FROM judged"),
        RowLaw::Avatars => sql("WITH piece AS (
                 SELECT id, avatar FROM users WHERE id > $1 ORDER BY id LIMIT $2),
             judged AS (
                 SELECT u.id, i.state IS DISTINCT FROM 'READY' OR NOT i.used
                        OR i.owner_id <> u.id AS differs
                 FROM piece u LEFT JOIN images i ON i.id = (u.avatar ->> 'id')::bigint
                 WHERE u.avatar IS NOT NULL)
             SELECT (SELECT count(*) FROM piece) AS rows, count(*) AS checked,
                    0::bigint AS waiting, count(*) FILTER (WHERE differs) AS wrong,
                    coalesce((array_agg('user ' || id) FILTER (WHERE differs))[1:5], '{}')
                    AS examples,
                    (SELECT max(id) FROM piece) AS last, 0::bigint AS last_minor
             FROM judged"),
    };
    read(connection, query, after, limit).await
}
