//! Putting a post on the timelines of its author's followers, and on the author's own.

use chrono::TimeDelta;

use super::walk::{Step, Walk};
use crate::{DomainError, Operation, write};
use plaza_base::ids::{Id, PostId, UserId};
use plaza_read_models::followers;
use plaza_stores::StoreError;
use plaza_stores::postgres::timelines as store;

/// Followers read at a time.
const CHUNK: i64 = 2_000;
/// How long pushing goes on after an author's switch to pulling: longer than any process's list of
/// pulled authors is old.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);

/// Puts a post on the timelines of the author and of the author's followers; how many it was
/// pushed to. Doing it again is harmless.
///
/// `op` must be internal: a follower that a lagging replica does not show yet would miss the post
/// for good.
///
/// # Errors
/// The author's shard or Redis is unavailable: try again.
pub async fn fan_out(op: &Operation, post: PostId, author: UserId) -> Result<usize, DomainError> {
    let shard = op.domain.cluster.shard_of_id(author);
    let state = op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            store::fan_out_state(connection, post, author).await
        })
        .await?;
    let Some(state) = state.filter(|state| !state.deleted) else { return Ok(0) };
    let pulled = state.pull_since.is_some_and(|since| op.domain.clock.now() - since > OVERLAP);
    let (mut walk, mut pushed) = (Audience::of(author), 0);
    while let Some(users) = walk.next(op).await? {
        if !pulled {
            pushed += op
                .domain
                .redis
                .push_to_timelines(&[post], &users, op.domain.feed.timeline_length)
                .await?;
        }
        // After the timeline, so that whoever is woken finds it there; of a pulled author's
        // followers only those who watch are woken.
        op.domain.redis.push_live(post, &users).await?;
    }
    Ok(pushed)
}

/// Pushes what was only pulled, then ends the author's pull mode. Readers pull until then, so at no
/// moment is a post in neither place: the mode is begun anew first, which makes [`fan_out`] push
/// whatever is written from here on, then the posts before that are read and pushed, then the mode
/// ends. Doing it again is harmless.
///
/// # Errors
/// The author's shard or Redis is unavailable, or the followers took longer to push to than
/// `fan_out` overlaps: try again.
pub async fn resume_push(op: &Operation, author: UserId) -> Result<(), DomainError> {
    let shard = op.domain.cluster.shard_of_id(author);
    let begun = tokio::time::Instant::now();
    let is_renewed = write(op, shard, async |tx| {
        let now = tx.now();
        Ok(store::renew_pull(tx, author, now).await?)
    })
    .await?;
    if !is_renewed {
        return Ok(());
    }
    let length = op.domain.feed.timeline_length;
    let mut posts =
        super::rebuild::newest(&op.domain, &op.reads, &[author], i64::MAX, length + 1).await?;
    // What an author wrote beyond a timeline's length while being pulled is on no timeline: none
    // may claim to reach below it.
    let left_out = posts.get(length).map_or(0, |post| post.as_i64());
    posts.truncate(length);
    posts.reverse();
    if !posts.is_empty() {
        let mut walk = Audience::of(author);
        while let Some(users) = walk.next(op).await? {
            op.domain.redis.push_to_timelines(&posts, &users, length).await?;
            if left_out > 0 {
                op.domain.redis.raise_horizons(&users, length, left_out).await?;
            }
        }
    }
    if begun.elapsed() > OVERLAP.to_std().unwrap_or_default() / 2 {
        return Err(StoreError::Deadline(format!("the followers of {author:?}")).into());
    }
    write(op, shard, async |tx| {
        store::end_pull(tx, author).await?;
        Ok(())
    })
    .await
}

/// A walk over an author and the author's followers.
struct Audience {
    author: UserId,
    walk: Walk,
}

impl Audience {
    fn of(author: UserId) -> Self {
        Self { author, walk: Walk::of(author) }
    }

    async fn next(&mut self, op: &Operation) -> Result<Option<Vec<UserId>>, DomainError> {
        let Step::Read(after) = self.walk.step() else { return Ok(None) };
        let author = self.author;
        let chunk = op
            .domain
            .cluster
            .read(&op.reads, op.domain.cluster.shard_of_id(self.author), async |connection| {
                followers::chunk(connection, author, after, CHUNK).await
            })
            .await?;
        let is_full = i64::try_from(chunk.len()).is_ok_and(|count| count >= CHUNK);
        let users = self.walk.found(chunk, is_full);
        Ok((!users.is_empty()).then_some(users))
    }
}
