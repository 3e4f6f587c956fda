//! Posts and follows per user; followers too, as the followers projection has counted them.
//!
//! An act adds to counts that were as of the act before it, in its own transaction; the projection
//! counts the rows of users whose counts are older than that: new ones, and those of a version of
//! plaza that did not add.

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt};
use diesel_async::RunQueryDsl;

use super::distinct;
use super::projection::{Effect, Projection};
use plaza_base::ids::{Bucket, Id, UserId};
use plaza_protocol::envelope::EventEnvelope;
use plaza_protocol::events::{Aggregate, Event};
use plaza_protocol::routing::Topic;
use plaza_stores::StoreError;
use plaza_stores::postgres::prepared::{prepared, sql};
use plaza_stores::postgres::{Connection, ShardIndex, Transaction};

/// Counts of a profile.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct ProfileCountsRow {
    /// User.
    #[diesel(sql_type = BigInt)]
    pub user_id: UserId,
    /// Posts not deleted, reposts left out.
    #[diesel(sql_type = BigInt)]
    pub posts: i64,
    /// Users followed.
    #[diesel(sql_type = BigInt)]
    pub following: i64,
    /// The user's activity version.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// Counts in one statement: the read model's where it is at the user's activity version, else
/// counted from the rows.
///
/// # Errors
/// The server's.
pub async fn load(
    connection: &mut Connection,
    users: &[UserId],
) -> Result<Vec<ProfileCountsRow>, StoreError> {
    Ok(prepared(
        sql("SELECT u.id AS user_id, u.activity_version AS version,
                CASE WHEN c.activity_version = u.activity_version THEN c.post_count
                     ELSE (SELECT count(*) FROM posts p WHERE p.author_id = u.id AND NOT p.deleted)
                        - (SELECT count(*) FROM reposts r WHERE r.author_id = u.id) END AS posts,
                CASE WHEN c.activity_version = u.activity_version THEN c.following_count
                     ELSE (SELECT count(*) FROM follows f WHERE f.follower_id = u.id AND f.active) END AS following
             FROM users u LEFT JOIN user_counts c ON c.user_id = u.id WHERE u.id = ANY($1)")
        .bind::<Array<BigInt>, _>(users),
    )
    .load(connection)
    .await?)
}

/// A user's followers, counted.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct FollowerCountRow {
    /// User.
    #[diesel(sql_type = BigInt)]
    pub user_id: UserId,
    /// Followers, as far as the followers projection has come.
    #[diesel(sql_type = BigInt)]
    pub followers: i64,
    /// Rises with each count.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// Follower counts in one statement; those nobody has followed yet are there with 0.
///
/// # Errors
/// The server's.
pub async fn load_followers(
    connection: &mut Connection,
    users: &[UserId],
) -> Result<Vec<FollowerCountRow>, StoreError> {
    Ok(prepared(
        sql("SELECT u.id AS user_id, coalesce(c.follower_count, 0) AS followers, coalesce(c.version, 0) AS version
             FROM unnest($1::bigint[]) AS u(id) LEFT JOIN follower_counts c ON c.user_id = u.id")
        .bind::<Array<BigInt>, _>(users),
    )
    .load(connection)
    .await?)
}

/// What is cached of a user is measured by.
#[derive(Debug, QueryableByName)]
pub struct VersionsRow {
    /// Who.
    #[diesel(sql_type = BigInt)]
    pub user_id: UserId,
    /// Of what they have done.
    #[diesel(sql_type = BigInt)]
    pub activity: i64,
    /// Of whom they follow and block, and who blocks them.
    #[diesel(sql_type = BigInt)]
    pub relations: i64,
    /// Of how many follow them.
    #[diesel(sql_type = BigInt)]
    pub followers: i64,
}

/// The versions of these users's cached facts.
///
/// # Errors
/// The server's.
pub async fn versions(
    connection: &mut Connection,
    users: &[UserId],
) -> Result<Vec<VersionsRow>, StoreError> {
    Ok(prepared(
        sql("SELECT u.id AS user_id, u.activity_version AS activity, u.activity_version + u.relations_version AS relations,
                    coalesce(c.version, 0) AS followers
             FROM users u LEFT JOIN follower_counts c ON c.user_id = u.id WHERE u.id = ANY($1)")
        .bind::<Array<BigInt>, _>(users),
    )
    .load(connection)
    .await?)
}

/// The projection.
#[derive(Debug)]
pub struct ProfileCounts;

/// Whose counts an event changes; the aggregate is on that user's shard.
fn user_of(event: &Event) -> Option<UserId> {
    match event {
        Event::PostCreated { author_id, .. } | Event::PostDeleted { author_id, .. } => {
            Some(*author_id)
        }
        Event::UserFollowed { follower_id, .. }
        | Event::UserFollowRequested { follower_id, .. }
        | Event::UserUnfollowed { follower_id, .. } => Some(*follower_id),
        _ => None,
    }
}

#[async_trait]
impl Projection for ProfileCounts {
    fn name(&self) -> &'static str {
        "profile_counts"
    }

    fn topics(&self) -> &'static [Topic] {
        &[Topic::Posts, Topic::Edges]
    }

    fn target(&self, aggregate: Aggregate) -> Option<Bucket> {
        match aggregate {
            Aggregate::Edge(follower, _) => Some(follower.bucket()),
            // A post is in its author's bucket.
            Aggregate::Post(post) => Some(post.bucket()),
            Aggregate::User(_)
            | Aggregate::Block(..)
            | Aggregate::Share(..)
            | Aggregate::Mention(..)
            | Aggregate::Answer(..)
            | Aggregate::Acceptance(..)
            | Aggregate::Product(_)
            | Aggregate::Order(_) => None,
        }
    }

    async fn commit(
        &self,
        transaction: &mut Transaction,
        _shard: ShardIndex,
        events: &[EventEnvelope],
    ) -> Result<Vec<Effect>, StoreError> {
        let connection: &mut Connection = transaction;
        let users =
            distinct(events.iter().filter_map(|event| user_of(&event.event)).map(Id::as_i64));
        if users.is_empty() {
            return Ok(self.effects(events));
        }
        // Most often the act has added to the counts itself.
        prepared(
            sql("INSERT INTO user_counts AS c (user_id, post_count, following_count, activity_version)
                 SELECT u.id, (SELECT count(*) FROM posts p WHERE p.author_id = u.id AND NOT p.deleted)
                            - (SELECT count(*) FROM reposts r WHERE r.author_id = u.id),
                        (SELECT count(*) FROM follows f WHERE f.follower_id = u.id AND f.active), u.activity_version
                 FROM users u LEFT JOIN user_counts b ON b.user_id = u.id
                 WHERE u.id = ANY($1) AND coalesce(b.activity_version, -1) < u.activity_version
                 ORDER BY u.id
                 ON CONFLICT (user_id) DO UPDATE
                 SET post_count = excluded.post_count, following_count = excluded.following_count, activity_version = excluded.activity_version
                 WHERE c.activity_version < excluded.activity_version")
            .bind::<Array<BigInt>, _>(users),
        )
        .execute(connection)
        .await?;
        Ok(self.effects(events))
    }

    fn effects(&self, events: &[EventEnvelope]) -> Vec<Effect> {
        let users = events.iter().filter_map(|event| user_of(&event.event));
        distinct(users).into_iter().map(Effect::ProfileChanged).collect()
    }
}
