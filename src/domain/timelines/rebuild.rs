//! Making a timeline from the shards, for somebody who has none.

use crate::{Domain, DomainError, Operation, relations};
use plaza_base::ids::{Id, PostId, UserId};
use plaza_stores::postgres::{ReadSession, timelines as store};
use plaza_stores::redis::timelines::Timeline;

/// The newest posts of these authors below a cursor, newest first: one statement per shard that
/// holds one of them.
///
/// # Errors
/// A shard that is unavailable fails it: a page with a hole would look complete.
pub async fn newest(
    domain: &Domain,
    reads: &ReadSession,
    authors: &[UserId],
    below: i64,
    limit: usize,
) -> Result<Vec<PostId>, DomainError> {
    let limit_i64 = i64::try_from(limit).unwrap_or(i64::MAX);
    let answers = domain
        .cluster
        .scatter_ids(reads, authors.iter().copied(), async |connection, authors| {
            store::newest_posts(connection, authors, below, limit_i64).await
        })
        .await;
    let mut posts: Vec<PostId> = answers.complete()?.into_iter().flatten().collect();
    posts.sort_unstable_by(|a, b| b.cmp(a));
    posts.truncate(limit);
    Ok(posts)
}

/// Rebuilds the timeline of `user` and stores it. `None` when it cannot be stored now (Redis
/// unavailable, somebody else at it): the shards must answer.
///
/// The marker is set before anything is read, and everything is read from primaries: a post is
/// either in what is read, or it is committed later and its push finds the marker. The followees
/// too are read past every cache: a list that lacks the newest follow would leave a gap for as long
/// as the timeline lives.
///
/// # Errors
/// A shard that is unavailable.
pub async fn rebuild(op: &Operation, user: UserId) -> Result<Option<Timeline>, DomainError> {
    let Ok(Some(marker)) = op.domain.redis.begin_rebuild(user).await else { return Ok(None) };
    let mut primary = Operation::internal(
        &op.domain,
        op.deadline.saturating_duration_since(tokio::time::Instant::now()),
    );
    primary.viewer = op.viewer;
    let relations = relations::of(&primary, user).await?;
    let length = op.domain.feed.timeline_length;
    let authors = relations.at_home(user);
    let mut posts = newest(&op.domain, &primary.reads, &authors, i64::MAX, length + 1).await?;
    let horizon = posts.get(length).map_or(0, |first_left_out| first_left_out.as_i64());
    posts.truncate(length);
    let timeline = Timeline { posts, horizon };
    let stored = op.domain.redis.finish_rebuild(&marker, &timeline, op.domain.feed.idle_s).await;
    if let Err(error) = &stored {
        tracing::debug!(%error, "a rebuilt timeline was not stored");
    }
    // Not stored means outdated, or not known to be current.
    Ok(matches!(stored, Ok(true)).then_some(timeline))
}
