//! Stored counts against the rows that they count, and how one that differs is counted again.
//!
//! A count is repaired beside its writers. What changes the rows of a post or of a user locks the
//! post or the user first, so that whoever holds that lock counts a whole state and its version.
//! Followers and shares are written by their projection in the transaction that counts them: the
//! lock of the count is held while they are counted, and the projection adds to what it finds then.

use diesel::QueryableByName;
use diesel::query_builder::SqlQuery;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::RunQueryDsl;

use super::pieces::RowLaw;
use crate::StoreError;
use crate::postgres::pool::Connection;
use crate::postgres::prepared::{prepared, sql};

/// A table of counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Likes and comments of posts.
    Posts,
    /// Posts of people, and whom they follow.
    Users,
    /// Followers of people.
    Followers,
    /// Reposts and quotes of posts.
    Shares,
}

impl Counter {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Posts, Self::Users, Self::Followers, Self::Shares];

    /// The law that the ledger has of it.
    pub fn law(self) -> RowLaw {
        match self {
            Self::Posts => RowLaw::PostCounts,
            Self::Users => RowLaw::UserCounts,
            Self::Followers => RowLaw::FollowerCounts,
            Self::Shares => RowLaw::ShareCounts,
        }
    }
}

/// A count that differs from its rows.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Drift {
    /// The post or the user.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// The counts as stored: `likes 3, comments 0`.
    #[diesel(sql_type = Text)]
    pub stored: String,
    /// The same, counted.
    #[diesel(sql_type = Text)]
    pub counted: String,
}

async fn read(
    connection: &mut Connection,
    query: SqlQuery,
    after: i64,
    up_to: i64,
) -> Result<Vec<Drift>, StoreError> {
    Ok(prepared(query.bind::<BigInt, _>(after).bind::<BigInt, _>(up_to)).load(connection).await?)
}

/// The counts that differ, of ids above `after` up to `up_to`: of one piece. Counts that are
/// behind their rows by version are none: readers count the rows themselves.
///
/// # Errors
/// The server's.
pub async fn drift(
    connection: &mut Connection,
    counter: Counter,
    after: i64,
    up_to: i64,
) -> Result<Vec<Drift>, StoreError> {
    let query = match counter {
        Counter::Posts => sql("SELECT id, 'likes ' || like_count || ', comments ' || comment_count
                        AS stored, 'likes ' || likes || ', comments ' || comments AS counted
             FROM (SELECT p.id, c.like_count, c.comment_count,
                          (SELECT count(*) FROM likes l WHERE l.post_id = p.id) AS likes,
                          (SELECT count(*) FROM comments m WHERE m.post_id = p.id) AS comments
                   FROM post_counts c JOIN posts p ON p.id = c.post_id AND p.version = c.version
                   WHERE c.post_id > $1 AND c.post_id <= $2) counts
             WHERE like_count <> likes OR comment_count <> comments ORDER BY id"),
        Counter::Users => {
            sql("SELECT id, 'posts ' || post_count || ', following ' || following_count AS stored,
                    'posts ' || posts || ', following ' || following AS counted
             FROM (SELECT u.id, c.post_count, c.following_count,
                          (SELECT count(*) FROM posts p WHERE p.author_id = u.id AND NOT p.deleted)
                          - (SELECT count(*) FROM reposts r WHERE r.author_id = u.id) AS posts,
                          (SELECT count(*) FROM follows f WHERE f.follower_id = u.id AND f.active)
                          AS following
                   FROM user_counts c
                   JOIN users u ON u.id = c.user_id AND u.activity_version = c.activity_version
                   WHERE c.user_id > $1 AND c.user_id <= $2) counts
             WHERE post_count <> posts OR following_count <> following ORDER BY id")
        }
        Counter::Followers => sql("SELECT user_id AS id, 'followers ' || follower_count AS stored,
                    'followers ' || followers AS counted
             FROM (SELECT c.user_id, c.follower_count,
                          (SELECT count(*) FROM followers f
                           WHERE f.followee_id = c.user_id AND f.active) AS followers
                   FROM follower_counts c WHERE c.user_id > $1 AND c.user_id <= $2) counts
             WHERE follower_count <> followers ORDER BY id"),
        Counter::Shares => {
            sql("SELECT post_id AS id, 'reposts ' || repost_count || ', quotes ' || quote_count
                    AS stored, 'reposts ' || reposts || ', quotes ' || quotes AS counted
             FROM (SELECT c.post_id, c.repost_count, c.quote_count,
                          (SELECT count(*) FROM shares s
                           WHERE s.post_id = c.post_id AND s.active AND NOT s.is_quote) AS reposts,
                          (SELECT count(*) FROM shares s
                           WHERE s.post_id = c.post_id AND s.active AND s.is_quote) AS quotes
                   FROM share_counts c WHERE c.post_id > $1 AND c.post_id <= $2) counts
             WHERE repost_count <> reposts OR quote_count <> quotes ORDER BY id")
        }
    };
    read(connection, query, after, up_to).await
}

/// Counts the rows of these posts or users again, inside the caller's transaction: it holds their
/// locks until its end.
///
/// # Errors
/// The server's.
pub async fn repair(
    connection: &mut Connection,
    counter: Counter,
    ids: &[i64],
) -> Result<(), StoreError> {
    // In order, so that two of these wait for each other and never both.
    let (lock, count) = match counter {
        Counter::Posts => (
            sql("SELECT 1 FROM posts WHERE id = ANY($1) ORDER BY id FOR UPDATE")
                .bind::<Array<BigInt>, _>(ids),
            sql("UPDATE post_counts c
                 SET like_count = (SELECT count(*) FROM likes l WHERE l.post_id = p.id),
                     comment_count = (SELECT count(*) FROM comments m WHERE m.post_id = p.id),
                     version = p.version
                 FROM posts p WHERE p.id = c.post_id AND c.post_id = ANY($1)")
            .bind::<Array<BigInt>, _>(ids),
        ),
        Counter::Users => (
            sql("SELECT 1 FROM users WHERE id = ANY($1) ORDER BY id FOR UPDATE")
                .bind::<Array<BigInt>, _>(ids),
            sql("UPDATE user_counts c
                 SET post_count =
                         (SELECT count(*) FROM posts p WHERE p.author_id = u.id AND NOT p.deleted)
                         - (SELECT count(*) FROM reposts r WHERE r.author_id = u.id),
                     following_count =
                         (SELECT count(*) FROM follows f WHERE f.follower_id = u.id AND f.active),
                     activity_version = u.activity_version
                 FROM users u WHERE u.id = c.user_id AND c.user_id = ANY($1)")
            .bind::<Array<BigInt>, _>(ids),
        ),
        Counter::Followers => (
            sql(
                "SELECT 1 FROM follower_counts WHERE user_id = ANY($1) ORDER BY user_id FOR UPDATE",
            )
            .bind::<Array<BigInt>, _>(ids),
            sql("UPDATE follower_counts c
                 SET follower_count = (SELECT count(*) FROM followers f
                                       WHERE f.followee_id = c.user_id AND f.active),
                     version = c.version + 1
                 WHERE c.user_id = ANY($1)")
            .bind::<Array<BigInt>, _>(ids),
        ),
        Counter::Shares => (
            sql("SELECT 1 FROM share_counts WHERE post_id = ANY($1) ORDER BY post_id FOR UPDATE")
                .bind::<Array<BigInt>, _>(ids),
            sql("UPDATE share_counts c
                 SET repost_count = (SELECT count(*) FROM shares s WHERE s.post_id = c.post_id
                                                                AND s.active AND NOT s.is_quote),
                     quote_count = (SELECT count(*) FROM shares s WHERE s.post_id = c.post_id
                                                               AND s.active AND s.is_quote),
                     version = c.version + 1
                 WHERE c.post_id = ANY($1)")
            .bind::<Array<BigInt>, _>(ids),
        ),
    };
    prepared(lock).execute(connection).await?;
    prepared(count).execute(connection).await?;
    Ok(())
}
