//! Putting a post on its followers' timelines.

use chrono::TimeDelta;

use crate::domain::{Domain, DomainError, Operation};
use crate::ids::{Id, PostId, UserId};
use crate::read_models::followers;
use crate::stores::postgres::{Connection, timelines as store};

/// Followers read at a time.
const CHUNK: i64 = 2_000;
/// How long pushing goes on after an author's switch to pulling: longer than any process's list of pulled authors is old.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);

/// Puts a post on the timelines of the author's followers; how many it was pushed to. Doing it again is harmless.
///
/// `op` must be internal: a follower that a lagging replica does not show yet would miss the post for good.
///
/// # Errors
/// The author's shard or Redis is away: try again.
pub async fn fan_out(op: &Operation, domain: &Domain, post: PostId, author: UserId) -> Result<usize, DomainError> {
    let shard = domain.cluster.shard_of_id(author);
    let state = domain
        .cluster
        .read(&op.reads, shard, async |connection: &mut Connection| {
            store::fan_out_state(connection, post.as_i64(), author.as_i64()).await
        })
        .await?;
    let Some(state) = state.filter(|state| !state.deleted) else { return Ok(0) };
    if state.pull_since.is_some_and(|since| domain.clock.now() - since > OVERLAP) {
        return Ok(0);
    }
    push_to_followers(op, domain, &[post], author).await
}

/// Pushes what was only pulled, then ends the author's pull mode. Pushing as many posts as a timeline keeps leaves no gap above any
/// timeline's horizon: one that is trimmed for it keeps only newer ones.
///
/// # Errors
/// The author's shard or Redis is away: try again.
pub async fn resume_push(op: &Operation, domain: &Domain, author: UserId) -> Result<(), DomainError> {
    let mut posts = super::rebuild::newest(domain, &op.reads, &[author], i64::MAX, domain.feed.timeline_length).await?;
    posts.reverse();
    let shard = domain.cluster.shard_of_id(author);
    // Pushing begins before the posts are pushed again: a post written in between is pushed twice rather than not at all.
    let committed = domain
        .cluster
        .write(shard, op.deadline, async |connection: &mut Connection| -> Result<(), DomainError> {
            store::end_pull(connection, author.as_i64()).await?;
            Ok(())
        })
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    push_to_followers(op, domain, &posts, author).await?;
    Ok(())
}

async fn push_to_followers(op: &Operation, domain: &Domain, posts: &[PostId], author: UserId) -> Result<usize, DomainError> {
    let shard = domain.cluster.shard_of_id(author);
    let (mut after, mut pushed) = (0, 0);
    loop {
        let chunk = domain
            .cluster
            .read(&op.reads, shard, async |connection: &mut Connection| followers::chunk(connection, author.as_i64(), after, CHUNK).await)
            .await?;
        let Some(last) = chunk.last() else { return Ok(pushed) };
        after = *last;
        let users: Vec<UserId> = chunk.into_iter().map(UserId::from_i64).collect();
        pushed += domain.redis.push_to_timelines(posts, &users, domain.feed.timeline_length).await?;
    }
}
