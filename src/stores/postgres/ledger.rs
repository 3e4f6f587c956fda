//! What the operator's ledger reads: whole tables, so on connections without a limit of time, and
//! never for a client.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};
use diesel_async::RunQueryDsl;
use futures_util::TryStreamExt;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;

/// What a law of one shard's rows came to.
#[derive(Debug, Clone, QueryableByName)]
pub struct Verdict {
    /// Rows it was applied to.
    #[diesel(sql_type = BigInt)]
    pub checked: i64,
    /// Those that will be right once a projection is level; readers do not use them meanwhile.
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    /// Those that are wrong.
    #[diesel(sql_type = BigInt)]
    pub wrong: i64,
    /// One that is wrong.
    #[diesel(sql_type = Nullable<Text>)]
    pub example: Option<String>,
}

/// Counters and what they count: name, and a query that comes to a [`Verdict`].
const COUNTERS: [(&str, &str); 4] = [
    (
        "likes and comments of posts",
        "SELECT count(*) AS checked, count(*) FILTER (WHERE behind) AS waiting, count(*) FILTER (WHERE NOT behind AND differs) AS wrong,
                min('post ' || id) FILTER (WHERE NOT behind AND differs) AS example
         FROM (SELECT p.id, c.version <> p.version AS behind,
                      c.like_count <> (SELECT count(*) FROM likes l WHERE l.post_id = p.id)
                      OR c.comment_count <> (SELECT count(*) FROM comments m WHERE m.post_id = p.id) AS differs
               FROM post_counts c JOIN posts p ON p.id = c.post_id) counted",
    ),
    (
        "posts and follows of people",
        "SELECT count(*) AS checked, count(*) FILTER (WHERE behind) AS waiting, count(*) FILTER (WHERE NOT behind AND differs) AS wrong,
                min('user ' || id) FILTER (WHERE NOT behind AND differs) AS example
         FROM (SELECT u.id, c.activity_version <> u.activity_version AS behind,
                      c.post_count <> (SELECT count(*) FROM posts p WHERE p.author_id = u.id AND NOT p.deleted)
                                    - (SELECT count(*) FROM reposts r WHERE r.author_id = u.id)
                      OR c.following_count <> (SELECT count(*) FROM follows f WHERE f.follower_id = u.id AND f.active) AS differs
               FROM user_counts c JOIN users u ON u.id = c.user_id) counted",
    ),
    (
        "followers of people",
        "SELECT count(*) AS checked, 0::bigint AS waiting, count(*) FILTER (WHERE differs) AS wrong,
                min('user ' || user_id) FILTER (WHERE differs) AS example
         FROM (SELECT c.user_id, c.follower_count <> (SELECT count(*) FROM followers f WHERE f.followee_id = c.user_id AND f.active) AS differs
               FROM follower_counts c) counted",
    ),
    (
        "sales of products by the minute",
        "SELECT count(*) AS checked, count(*) FILTER (WHERE stored IS NULL) AS waiting, count(*) FILTER (WHERE stored <> actual) AS wrong,
                min('product ' || product_id) FILTER (WHERE stored <> actual) AS example
         FROM (SELECT coalesce(s.product_id, r.product_id) AS product_id, s.stored, coalesce(r.actual, 0) AS actual
               FROM (SELECT product_id, minute, amount AS stored FROM product_sales) s
               FULL JOIN (SELECT product_id, date_trunc('minute', sold_at) AS minute, sum(amount) AS actual
                          FROM reservations WHERE status = 'SOLD' GROUP BY 1, 2) r
                 ON r.product_id = s.product_id AND r.minute = s.minute) counted",
    ),
];

/// Every counter against its rows.
///
/// # Errors
/// The server's.
pub async fn counters(
    connection: &mut Connection,
) -> Result<Vec<(&'static str, Verdict)>, StoreError> {
    let mut verdicts = Vec::new();
    for (name, query) in COUNTERS {
        verdicts.push((name, prepared(sql(query)).get_result(connection).await?));
    }
    Ok(verdicts)
}

/// A version of an aggregate, as some table has it.
#[derive(Debug, Clone, QueryableByName)]
pub struct VersionRow {
    /// The topic of its events, without the prefix, or the projection.
    #[diesel(sql_type = Text)]
    pub of: String,
    /// `post:123`.
    #[diesel(sql_type = Text)]
    pub aggregate: String,
    /// The version.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// Which versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// Of every event in the outbox that Kafka has confirmed.
    Sent,
    /// Of the rows themselves.
    Rows,
    /// Up to which each projection has applied each aggregate.
    Applied,
}

/// Hands every such version to `each`.
///
/// # Errors
/// The server's.
pub async fn versions(
    connection: &mut Connection,
    which: Versions,
    mut each: impl FnMut(VersionRow),
) -> Result<(), StoreError> {
    let query = match which {
        Versions::Sent => {
            "SELECT topic AS of, key AS aggregate, (payload::jsonb ->> 'version')::bigint AS version
             FROM outbox WHERE sink = 1 AND sent_at IS NOT NULL"
        }
        Versions::Rows => {
            "SELECT 'posts' AS of, 'post:' || id AS aggregate, version FROM posts
             UNION ALL SELECT 'products', 'product:' || id, version FROM products
             UNION ALL SELECT 'orders', 'order:' || id, version FROM orders
             UNION ALL SELECT 'edges', 'edge:' || follower_id || ':' || followee_id, version FROM follows
             UNION ALL SELECT 'blocks', 'block:' || blocker_id || ':' || blocked_id, version FROM blocks"
        }
        Versions::Applied => "SELECT projection AS of, aggregate, version FROM projection_versions",
    };
    let rows = prepared(sql(query)).load_stream::<VersionRow>(connection).await?;
    rows.try_for_each(|row| {
        each(row);
        futures_util::future::ready(Ok(()))
    })
    .await?;
    Ok(())
}

/// Unsent messages of a sink.
#[derive(Debug, Clone, QueryableByName)]
pub struct UnsentRow {
    /// 0: RabbitMQ, 1: Kafka.
    #[diesel(sql_type = SmallInt)]
    pub sink: i16,
    /// All messages.
    #[diesel(sql_type = BigInt)]
    pub messages: i64,
    /// Those that are not sent.
    #[diesel(sql_type = BigInt)]
    pub unsent: i64,
}

/// The outbox, by sink.
///
/// # Errors
/// The server's.
pub async fn outbox(connection: &mut Connection) -> Result<Vec<UnsentRow>, StoreError> {
    Ok(prepared(sql("SELECT sink, count(*) AS messages, count(*) FILTER (WHERE sent_at IS NULL) AS unsent FROM outbox GROUP BY sink"))
        .load(connection)
        .await?)
}

/// Follows as one side has them: how many, and a sum that is the same for the same ones in any
/// order.
#[derive(Debug, Clone, QueryableByName)]
pub struct SideRow {
    /// Active follows.
    #[diesel(sql_type = BigInt)]
    pub follows: i64,
    /// The sum of their 32-bit hashes.
    #[diesel(sql_type = BigInt)]
    pub sum: i64,
}

/// The follower's side and the followee's, of this shard: they are equal only over all shards.
///
/// # Errors
/// The server's.
pub async fn sides(connection: &mut Connection) -> Result<(SideRow, SideRow), StoreError> {
    let follower =
        prepared(sql("SELECT count(*) AS follows, coalesce(sum(hashtext(follower_id || ':' || followee_id)::bigint), 0)::bigint AS sum
         FROM follows WHERE active"))
        .get_result(connection)
        .await?;
    let followee =
        prepared(sql("SELECT count(*) AS follows, coalesce(sum(hashtext(follower_id || ':' || followee_id)::bigint), 0)::bigint AS sum
         FROM followers WHERE active"))
        .get_result(connection)
        .await?;
    Ok((follower, followee))
}

/// Orders, and those that have not ended.
#[derive(Debug, Clone, QueryableByName)]
pub struct OrdersRow {
    /// All.
    #[diesel(sql_type = BigInt)]
    pub orders: i64,
    /// In no end state.
    #[diesel(sql_type = BigInt)]
    pub open: i64,
    /// Confirmed or paid without a payment, or with one of another amount.
    #[diesel(sql_type = BigInt)]
    pub unpaid: i64,
    /// One of the open.
    #[diesel(sql_type = Nullable<Text>)]
    pub example: Option<String>,
    /// Jobs of theirs that wait in the outbox.
    #[diesel(sql_type = BigInt)]
    pub unsent: i64,
}

/// This shard's orders.
///
/// # Errors
/// The server's.
pub async fn orders(connection: &mut Connection) -> Result<OrdersRow, StoreError> {
    Ok(prepared(sql("SELECT count(*) AS orders, count(*) FILTER (WHERE o.status IN ('PENDING', 'RESERVED', 'PAID', 'REFUNDING')) AS open,
                count(*) FILTER (WHERE o.status = 'PAID' AND p.amount IS DISTINCT FROM o.total_amount) AS unpaid,
                min('order ' || o.id) FILTER (WHERE o.status IN ('PENDING', 'RESERVED', 'PAID', 'REFUNDING')) AS example,
                (SELECT count(*) FROM outbox WHERE sink = 0 AND topic = 'plaza.orders' AND sent_at IS NULL) AS unsent
         FROM orders o LEFT JOIN payments p ON p.order_id = o.id"))
    .get_result(connection)
    .await?)
}

/// Views in windows, and views that were counted.
#[derive(Debug, Clone, QueryableByName)]
pub struct ViewsRow {
    /// In the windows of posts.
    #[diesel(sql_type = BigInt)]
    pub of_posts: i64,
    /// In the windows of authors.
    #[diesel(sql_type = BigInt)]
    pub of_authors: i64,
    /// Counted.
    #[diesel(sql_type = BigInt)]
    pub counted: i64,
}

/// This shard's views.
///
/// # Errors
/// The server's.
pub async fn views(connection: &mut Connection) -> Result<ViewsRow, StoreError> {
    Ok(prepared(sql("SELECT coalesce(sum(views) FILTER (WHERE kind = 0), 0)::bigint AS of_posts,
                coalesce(sum(views) FILTER (WHERE kind = 1), 0)::bigint AS of_authors,
                (SELECT coalesce(sum(counted), 0)::bigint FROM view_totals) AS counted
         FROM view_windows"))
    .get_result(connection)
    .await?)
}
