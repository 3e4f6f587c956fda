//! What the operator's ledger reads: whole tables, so on connections without a limit of time, and
//! never for a client. `pieces` and `notified` have the laws of rows, some at a time.

pub mod counters;
pub mod homes;
pub mod notified;
pub mod pieces;
pub mod runs;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, SmallInt, Text};
use diesel_async::RunQueryDsl;
use futures_util::TryStreamExt;

use super::pool::Connection;
use super::prepared::{prepared, sql};
use crate::StoreError;

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
    /// Of the rows themselves; 0 for what was loaded without events, which an order that was
    /// refunded at its first version was.
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
        Versions::Sent => sql("SELECT topic AS of, key AS aggregate,
                    (payload::jsonb ->> 'version')::bigint AS version
             FROM outbox WHERE sink = 1 AND sent_at IS NOT NULL"),
        Versions::Rows => {
            sql("SELECT 'posts' AS of, 'post:' || id AS aggregate, version FROM posts
             UNION ALL SELECT 'products', 'product:' || id, version FROM products
             UNION ALL SELECT 'orders', 'order:' || id,
                              CASE WHEN version = 1 AND status = 'REFUNDED' THEN 0 ELSE version END
                       FROM orders
             UNION ALL SELECT 'edges', 'edge:' || follower_id || ':' || followee_id, version
                       FROM follows
             UNION ALL SELECT 'blocks', 'block:' || blocker_id || ':' || blocked_id, version
                       FROM blocks")
        }
        Versions::Applied => {
            sql("SELECT projection AS of, aggregate, version FROM projection_versions")
        }
    };
    let rows = prepared(query).load_stream::<VersionRow>(connection).await?;
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

/// What a post's rows are, with its version.
#[derive(Debug, Clone, QueryableByName)]
pub struct PostRow {
    /// `post:123`.
    #[diesel(sql_type = Text)]
    pub aggregate: String,
    /// The version.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
    /// Its likes.
    #[diesel(sql_type = BigInt)]
    pub likes: i64,
    /// Its comments.
    #[diesel(sql_type = BigInt)]
    pub comments: i64,
}

/// Hands every post that has had an event to `each`, with its rows counted.
///
/// # Errors
/// The server's.
pub async fn posts(
    connection: &mut Connection,
    mut each: impl FnMut(PostRow),
) -> Result<(), StoreError> {
    let rows = prepared(sql("SELECT 'post:' || p.id AS aggregate, p.version,
                (SELECT count(*) FROM likes l WHERE l.post_id = p.id) AS likes,
                (SELECT count(*) FROM comments m WHERE m.post_id = p.id) AS comments
         FROM posts p WHERE p.version > 0"))
    .load_stream::<PostRow>(connection)
    .await?;
    rows.try_for_each(|row| {
        each(row);
        futures_util::future::ready(Ok(()))
    })
    .await?;
    Ok(())
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
