//! Likes and comments per post.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt};
use diesel_async::RunQueryDsl;

use super::projection::{Effect, Projection};
use plaza_base::ids::{Bucket, Id, PostId};
use plaza_base::seeded::{Bug, bug};
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

/// What consecutive events of a post add to its counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Added {
    pub post: PostId,
    /// The version that the first of them follows.
    pub before: i64,
    /// The last one's.
    pub version: i64,
    pub likes: i64,
    pub comments: i64,
}

/// Likes and comments that an event adds.
fn of_event(event: &Event) -> (i64, i64) {
    match event {
        Event::PostLiked { .. } if bug(Bug::CountsAddedTwice) => (2, 0),
        Event::PostLiked { .. } => (1, 0),
        Event::PostUnliked { .. } => (-1, 0),
        Event::PostCommented { .. } | Event::PostReplied { .. } => (0, 1),
        _ => (0, 0),
    }
}

/// Posts some of whose events are not here, and what the events of the others add.
pub(super) fn added(events: &[EventEnvelope]) -> (BTreeSet<PostId>, Vec<Added>) {
    let mut posts: BTreeMap<PostId, BTreeMap<i64, (i64, i64)>> = BTreeMap::new();
    for event in events {
        if let Some(post) = post_of(&event.event) {
            posts.entry(post).or_default().insert(event.version, of_event(&event.event));
        }
    }
    let (mut torn, mut added) = (BTreeSet::new(), Vec::new());
    for (post, versions) in posts {
        let (Some((first, _)), Some((last, _))) =
            (versions.first_key_value(), versions.last_key_value())
        else {
            continue;
        };
        if i64::try_from(versions.len()).is_ok_and(|count| last - first + 1 == count) {
            let likes = versions.values().map(|(likes, _)| likes).sum();
            let comments = versions.values().map(|(_, comments)| comments).sum();
            added.push(Added { post, before: first - 1, version: *last, likes, comments });
        } else {
            torn.insert(post);
        }
    }
    (torn, added)
}

#[derive(QueryableByName)]
struct PostRow {
    #[diesel(sql_type = BigInt)]
    post_id: PostId,
}

/// Adds to counts that are at the version before. Returns the posts whose are not: they were never
/// counted, or at another version.
async fn add(connection: &mut Connection, added: &[Added]) -> Result<Vec<PostId>, StoreError> {
    if added.is_empty() {
        return Ok(Vec::new());
    }
    let column = |of: fn(&Added) -> i64| added.iter().map(of).collect::<Vec<i64>>();
    let posts: Vec<PostId> = added.iter().map(|added| added.post).collect();
    let left: Vec<PostRow> = prepared(
        sql("WITH added AS (
                 SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[],
                                      $5::bigint[])
                 AS a(post_id, before, version, likes, comments)),
             done AS (
                 UPDATE post_counts c
                 SET like_count = c.like_count + a.likes,
                     comment_count = c.comment_count + a.comments, version = a.version
                 FROM added a WHERE c.post_id = a.post_id AND c.version = a.before
                 RETURNING c.post_id)
             SELECT a.post_id FROM added a
             WHERE NOT EXISTS (SELECT 1 FROM done d WHERE d.post_id = a.post_id)")
        .bind::<Array<BigInt>, _>(posts)
        .bind::<Array<BigInt>, _>(column(|added| added.before))
        .bind::<Array<BigInt>, _>(column(|added| added.version))
        .bind::<Array<BigInt>, _>(column(|added| added.likes))
        .bind::<Array<BigInt>, _>(column(|added| added.comments)),
    )
    .load(connection)
    .await?;
    Ok(left.into_iter().map(|row| row.post_id).collect())
}

/// Counts the rows of posts whose counts are behind them.
async fn recount(connection: &mut Connection, posts: BTreeSet<PostId>) -> Result<(), StoreError> {
    if posts.is_empty() {
        return Ok(());
    }
    let posts: Vec<PostId> = posts.into_iter().collect();
    prepared(
        sql("INSERT INTO post_counts AS c (post_id, like_count, comment_count, version)
             SELECT p.id, (SELECT count(*) FROM likes l WHERE l.post_id = p.id),
                    (SELECT count(*) FROM comments m WHERE m.post_id = p.id), p.version
             FROM posts p LEFT JOIN post_counts b ON b.post_id = p.id
             WHERE p.id = ANY($1) AND coalesce(b.version, -1) < p.version
             ON CONFLICT (post_id) DO UPDATE
             SET like_count = excluded.like_count, comment_count = excluded.comment_count,
                 version = excluded.version
             WHERE c.version < excluded.version")
        .bind::<Array<BigInt>, _>(posts),
    )
    .execute(connection)
    .await?;
    Ok(())
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
        let (mut left, added) = added(events);
        left.extend(add(transaction, &added).await?);
        recount(transaction, left).await?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::event;
    use plaza_base::ids::UserId;

    #[test]
    fn consecutive_events_are_added_and_others_are_counted() {
        let user_id = UserId::from_i64(1);
        let post = PostId::from_i64;
        let liked = |id, version| event(Event::PostLiked { post_id: post(id), user_id }, version);
        let unliked =
            |id, version| event(Event::PostUnliked { post_id: post(id), user_id }, version);
        let events =
            [liked(1, 5), liked(2, 8), unliked(1, 6), liked(1, 7), liked(1, 7), liked(2, 10)];
        let (torn, added) = added(&events);
        assert_eq!(torn, BTreeSet::from([post(2)]));
        let expected = Added { post: post(1), before: 4, version: 7, likes: 1, comments: 0 };
        assert_eq!(added, [expected]);
    }
}
