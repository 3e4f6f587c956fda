//! `plaza ledger wound`: damages a system in one way, so that the ledger can be seen to see it.
//! Only in debug builds, and with the feature `wounds`.

use clap::{Args, ValueEnum};
use diesel::QueryableByName;
use diesel::query_builder::SqlQuery;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::RunQueryDsl;

use super::scope::Stores;
use plaza_base::ids::{Bucket, Id, PostId, UserId, compose};
use plaza_config::Config;
use plaza_domain::images::{Size, object_name};
use plaza_stores::StoreError;
use plaza_stores::postgres::ledger::homes::{shown_images, users_after};
use plaza_stores::postgres::migrations::connect;
use plaza_stores::postgres::prepared::{prepared, sql};
use plaza_stores::postgres::{Connection, ReadSession};
use plaza_stores::redis::client::client;
use plaza_stores::redis::keys::Keys;

/// What is to be damaged.
#[derive(Debug, Args)]
pub struct WoundArgs {
    /// How.
    name: Wound,
}

/// A kind of damage, as a crash or a fault of ours might leave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Wound {
    /// The newest post is in no home: its fan-out was lost.
    FanOut,
    /// A home has a post that no shard has.
    Invented,
    /// A confirmed order's payment is lost.
    Payment,
    /// A product has seven units too many.
    Stock,
    /// A minute of sales is not counted.
    Sale,
    /// The notification of a like is lost.
    Notification,
    /// The notification of a follow is lost.
    FollowNotification,
    /// A like is lost, and its count with it.
    Like,
    /// A comment is lost, and its count with it.
    Comment,
    /// A post's count of likes is one too high.
    LikeCount,
    /// A user's count of posts is one too high.
    PostCount,
    /// A post's count of reposts is one too high.
    RepostCount,
    /// A follower is lost on the followee's side.
    Follower,
    /// A post was written without an event.
    Event,
    /// The row of an image that a post shows is lost.
    Image,
    /// A file of an image that is shown is lost.
    File,
    /// An order's job was lost, before the payment.
    OrderJob,
    /// An image's job was lost.
    ImageJob,
}

impl Wound {
    /// The names of the laws that it breaks, sorted.
    pub fn breaks(self) -> &'static [&'static str] {
        match self {
            Self::FanOut | Self::Invented => &["homes"],
            Self::Payment => &["payments"],
            Self::Stock => &["stock"],
            Self::Sale => &["product_sales"],
            Self::Notification => &["notifications"],
            Self::FollowNotification => &["follow_notifications"],
            Self::Like => &["counted", "liked"],
            Self::Comment => &["counted"],
            Self::LikeCount => &["post_counts"],
            Self::PostCount => &["user_counts"],
            Self::RepostCount => &["share_counts"],
            Self::Follower => &["follower_counts", "follows"],
            Self::Event => &["homes", "user_counts", "versions"],
            Self::Image => &["images"],
            Self::File => &["files"],
            Self::OrderJob => &["orders"],
            Self::ImageJob => &["jobs"],
        }
    }
}

/// # Errors
/// A server that cannot be reached; nothing that can be damaged so.
pub(super) async fn run(config: &Config, args: &WoundArgs) -> anyhow::Result<()> {
    use std::io::Write;
    let damaged = wound(&Stores::open(config).await?, args.name).await?;
    Ok(writeln!(std::io::stdout(), "{damaged}")?)
}

/// Damages something; what.
///
/// # Errors
/// A server that cannot be reached; nothing that can be damaged so.
pub async fn wound(stores: &Stores, wound: Wound) -> anyhow::Result<String> {
    let mut shards = Vec::new();
    for urls in &stores.config.postgres.shards {
        shards.push(connect(&urls.primary).await?);
    }
    let damaged = match wound {
        Wound::FanOut => lose_fan_out(stores, &mut shards).await?,
        Wound::Invented => invent(stores, &mut shards).await?,
        Wound::File => lose_file(stores, &mut shards).await?,
        _ => match statement(wound) {
            Some(statement) => first_row(&mut shards, statement).await?,
            None => None,
        },
    };
    damaged.ok_or_else(|| anyhow::anyhow!("there is nothing that can be damaged so: {wound:?}"))
}

#[derive(QueryableByName)]
struct Damaged {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Runs a statement on one shard after another until it has changed something.
async fn first_row(
    shards: &mut [Connection],
    statement: SqlQuery,
) -> Result<Option<String>, StoreError> {
    for shard in shards {
        let changed: Vec<Damaged> = prepared(statement.clone()).load(shard).await?;
        if let Some(row) = changed.into_iter().next() {
            return Ok(Some(row.name));
        }
    }
    Ok(None)
}

/// What damages rows.
fn statement(wound: Wound) -> Option<SqlQuery> {
    Some(match wound {
        Wound::Payment => sql("DELETE FROM payments WHERE order_id = (
                 SELECT id FROM orders WHERE status = 'CONFIRMED' ORDER BY id DESC LIMIT 1)
             RETURNING 'the payment of order ' || order_id AS name"),
        Wound::Stock => sql("UPDATE products SET stock = stock + 7 WHERE id = (
                 SELECT id FROM products WHERE stock_offered IS NOT NULL ORDER BY id DESC LIMIT 1)
             RETURNING 'the stock of product ' || id AS name"),
        Wound::Sale => sql("DELETE FROM product_sales WHERE (product_id, minute) = (
                 SELECT product_id, minute FROM product_sales WHERE orders > 0
                 ORDER BY minute DESC LIMIT 1)
             RETURNING 'a sale of product ' || product_id AS name"),
        Wound::Notification => sql("DELETE FROM notifications WHERE id = (
                 SELECT id FROM notifications WHERE kind = 'LIKED' AND active
                 ORDER BY id DESC LIMIT 1)
             RETURNING 'a notification of user ' || user_id AS name"),
        Wound::FollowNotification => sql("DELETE FROM notifications WHERE id = (
                 SELECT id FROM notifications WHERE kind = 'FOLLOWED' AND active
                 ORDER BY id DESC LIMIT 1)
             RETURNING 'a notification of user ' || user_id AS name"),
        Wound::Like => sql("WITH lost AS (
                 DELETE FROM likes WHERE (post_id, user_id) = (
                     SELECT subject_id, actor_id FROM notifications
                     WHERE kind = 'LIKED' AND active ORDER BY id DESC LIMIT 1)
                 RETURNING post_id, user_id)
             UPDATE post_counts c SET like_count = like_count - 1 FROM lost
             WHERE c.post_id = lost.post_id
             RETURNING 'a like of post ' || c.post_id AS name"),
        Wound::Comment => sql("WITH lost AS (
                 DELETE FROM comments WHERE id = (SELECT max(id) FROM comments) RETURNING post_id)
             UPDATE post_counts c SET comment_count = comment_count - 1 FROM lost
             WHERE c.post_id = lost.post_id
             RETURNING 'a comment on post ' || c.post_id AS name"),
        Wound::LikeCount => sql("UPDATE post_counts SET like_count = like_count + 1
             WHERE post_id = (SELECT max(post_id) FROM post_counts)
             RETURNING 'the likes of post ' || post_id AS name"),
        Wound::PostCount => sql("UPDATE user_counts SET post_count = post_count + 1
             WHERE user_id = (SELECT max(user_id) FROM user_counts)
             RETURNING 'the posts of user ' || user_id AS name"),
        Wound::RepostCount => sql("UPDATE share_counts SET repost_count = repost_count + 1
             WHERE post_id = (SELECT max(post_id) FROM share_counts)
             RETURNING 'the reposts of post ' || post_id AS name"),
        Wound::Follower => sql("DELETE FROM followers WHERE (followee_id, follower_id) = (
                 SELECT followee_id, follower_id FROM followers WHERE active
                 ORDER BY follow_id DESC LIMIT 1)
             RETURNING 'a follower of user ' || followee_id AS name"),
        Wound::Event => sql("INSERT INTO posts (id, author_id, text)
             SELECT next_id(((author_id >> 12) & 1023)::integer), author_id, 'unknown'
             FROM posts WHERE NOT deleted ORDER BY id DESC LIMIT 1
             RETURNING 'the event of post ' || id AS name"),
        Wound::Image => sql("DELETE FROM images WHERE id = (
                 SELECT id FROM images WHERE used AND state = 'READY' AND purpose = 'POST'
                 ORDER BY id DESC LIMIT 1)
             RETURNING 'image ' || id AS name"),
        Wound::OrderJob => sql("WITH unpaid AS (
                 DELETE FROM payments WHERE order_id = (
                     SELECT id FROM orders WHERE status = 'CONFIRMED' ORDER BY id DESC LIMIT 1)
                 RETURNING order_id)
             UPDATE orders o SET status = 'RESERVED' FROM unpaid WHERE o.id = unpaid.order_id
             RETURNING 'the job of order ' || o.id AS name"),
        Wound::ImageJob => sql(
            "INSERT INTO images (id, owner_id, purpose, state, object_key, byte_count, alt_text)
             SELECT next_id(((id >> 12) & 1023)::integer), id, 'POST', 'PROCESSING', 'lost', 1, ''
             FROM users ORDER BY id DESC LIMIT 1
             RETURNING 'the job of image ' || id AS name",
        ),
        Wound::FanOut | Wound::Invented | Wound::File => return None,
    })
}

#[derive(QueryableByName)]
struct Belongs {
    #[diesel(sql_type = BigInt)]
    post: i64,
    #[diesel(sql_type = Array<BigInt>)]
    users: Vec<i64>,
}

/// Takes a post out of the homes of those who follow its author, as though its job had never run.
async fn lose_fan_out(
    stores: &Stores,
    shards: &mut [Connection],
) -> anyhow::Result<Option<String>> {
    let mut redis = client(&stores.config.redis.url)?.get_multiplexed_async_connection().await?;
    let keys = Keys::new(&stores.config.redis.key_prefix);
    for shard in shards {
        let posts: Vec<Belongs> =
            prepared(sql("SELECT p.id AS post, ARRAY(SELECT follower_id FROM followers f
                                        WHERE f.followee_id = p.author_id AND f.active) AS users
             FROM posts p WHERE NOT p.deleted ORDER BY p.id DESC LIMIT 20"))
            .load(shard)
            .await?;
        for Belongs { post, users } in posts {
            let mut taken = 0;
            for user in users {
                let mut take = redis::cmd("LREM");
                take.arg(keys.timeline(UserId::from_i64(user))).arg(0).arg(post);
                let count: i64 = take.query_async(&mut redis).await?;
                taken += count;
            }
            if taken > 0 {
                return Ok(Some(format!("post {post} was in {taken} homes")));
            }
        }
    }
    Ok(None)
}

/// Puts a post that never was into somebody's home.
async fn invent(stores: &Stores, shards: &mut [Connection]) -> anyhow::Result<Option<String>> {
    let mut redis = client(&stores.config.redis.url)?.get_multiplexed_async_connection().await?;
    let keys = Keys::new(&stores.config.redis.key_prefix);
    let invented = PostId::from_i64(compose(stores.clock.now_ms(), Bucket::new(0), 0));
    let reads = ReadSession::primary(shards.len());
    let users = stores
        .cluster
        .scatter_all(&reads, async |shard| users_after(shard, 0, 1_000).await)
        .await
        .complete()?;
    for user in users.into_iter().flatten() {
        let mut push = redis::cmd("RPUSHX");
        push.arg(keys.timeline(user)).arg(invented.as_i64());
        let length: i64 = push.query_async(&mut redis).await?;
        if length > 0 {
            return Ok(Some(format!("post {invented} is in the home of user {user}")));
        }
    }
    Ok(None)
}

/// Deletes a file of an image that is shown.
async fn lose_file(stores: &Stores, shards: &mut [Connection]) -> anyhow::Result<Option<String>> {
    for shard in shards {
        if let Some(image) = shown_images(shard, 0, 1).await?.into_iter().next() {
            let name = object_name(&Size::Large.file(&image.object_key, &image.format));
            stores.objects.delete(&name).await?;
            return Ok(Some(name));
        }
    }
    Ok(None)
}
