//! Likes and comments per post.

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt};
use diesel_async::RunQueryDsl;

use super::distinct;
use super::projection::{Effect, Projection};
use plaza_base::ids::{Bucket, Id, PostId};
use plaza_protocol::envelope::EventEnvelope;
use plaza_protocol::events::{Aggregate, Event};
use plaza_protocol::routing::Topic;
use plaza_stores::StoreError;
use plaza_stores::postgres::prepared::{prepared, sql};
use plaza_stores::postgres::{Connection, ShardIndex, Transaction};

/// Counts of a post, exact as of `version`.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct PostCountsRow {
    /// Post.
    #[diesel(sql_type = BigInt)]
    pub post_id: PostId,
    /// Likes.
    #[diesel(sql_type = BigInt)]
    pub likes: i64,
    /// Comments.
    #[diesel(sql_type = BigInt)]
    pub comments: i64,
    /// The post's version.
    #[diesel(sql_type = BigInt)]
    pub version: i64,
}

/// Exact counts in one statement: the read model's where it is at the post's version, else counted
/// from the rows.
///
/// # Errors
/// The server's.
pub async fn load(
    connection: &mut Connection,
    posts: &[PostId],
) -> Result<Vec<PostCountsRow>, StoreError> {
    Ok(prepared(
        sql("SELECT p.id AS post_id, p.version,
                CASE WHEN c.version = p.version THEN c.like_count
                     ELSE (SELECT count(*) FROM likes l WHERE l.post_id = p.id) END AS likes,
                CASE WHEN c.version = p.version THEN c.comment_count
                     ELSE (SELECT count(*) FROM comments m WHERE m.post_id = p.id) END AS comments
             FROM posts p LEFT JOIN post_counts c ON c.post_id = p.id WHERE p.id = ANY($1)")
        .bind::<Array<BigInt>, _>(posts),
    )
    .load(connection)
    .await?)
}

/// The projection.
#[derive(Debug)]
pub struct PostCounts;

fn post_of(event: &Event) -> Option<PostId> {
    match event.aggregate() {
        Aggregate::Post(post) => Some(post),
        _ => None,
    }
}

#[async_trait]
impl Projection for PostCounts {
    fn name(&self) -> &'static str {
        "post_counts"
    }

    fn topics(&self) -> &'static [Topic] {
        &[Topic::Posts]
    }

    fn target(&self, aggregate: Aggregate) -> Option<Bucket> {
        match aggregate {
            Aggregate::Post(post) => Some(post.bucket()),
            Aggregate::User(_)
            | Aggregate::Edge(..)
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
        let posts =
            distinct(events.iter().filter_map(|event| post_of(&event.event)).map(Id::as_i64));
        prepared(
            sql("INSERT INTO post_counts AS c (post_id, like_count, comment_count, version)
                 SELECT p.id, (SELECT count(*) FROM likes l WHERE l.post_id = p.id),
                        (SELECT count(*) FROM comments m WHERE m.post_id = p.id), p.version
                 FROM posts p WHERE p.id = ANY($1)
                 ON CONFLICT (post_id) DO UPDATE
                 SET like_count = excluded.like_count, comment_count = excluded.comment_count, version = excluded.version
                 WHERE c.version < excluded.version")
            .bind::<Array<BigInt>, _>(posts),
        )
        .execute(connection)
        .await?;
        Ok(self.effects(events))
    }

    fn effects(&self, events: &[EventEnvelope]) -> Vec<Effect> {
        let changed = events.iter().filter_map(|event| {
            Some(Effect::PostChanged {
                post: post_of(&event.event)?,
                version: event.version,
                deleted: matches!(event.event, Event::PostDeleted { .. }),
            })
        });
        let commented = events.iter().filter_map(|event| match event.event {
            Event::PostCommented { post_id, .. } | Event::PostReplied { post_id, .. } => {
                Some(Effect::CommentsChanged { post: post_id, version: event.version })
            }
            _ => None,
        });
        changed.chain(commented).collect()
    }
}
