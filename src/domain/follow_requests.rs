//! Requests to follow private users that wait for an answer.

use std::collections::BTreeMap;

use super::follows::granted;
use super::mutation::write;
use super::{DomainError, Operation, Page, PageRequest, users};
use plaza_base::ids::UserId;
use plaza_protocol::jobs::Job;
use plaza_read_models::follow_requests as model;
use plaza_stores::StoreError;
use plaza_stores::postgres::{ShardIndex, follows as store, users as user_rows};

/// Requests that one job grants.
const PIECE: i64 = 200;

/// Users who ask to follow the viewer, newest first, from either end; cursor = follow id. None when
/// the viewer is not private.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; the viewer's shard is unavailable.
pub async fn of_viewer(op: &Operation, page: PageRequest) -> Result<Page<UserId>, DomainError> {
    let viewer = op.require_viewer()?.user_id;
    let own = users::rows(op, &[viewer]).await?;
    if !own.get(&viewer).is_some_and(|user| user.is_private) {
        return Ok(Page::default());
    }
    let shard = op.domain.cluster.shard_of_id(viewer);
    let rows = op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            model::page(connection, viewer, page.newest_first()).await
        })
        .await?;
    Ok(Page::from_rows(rows, page.first))
}

/// Users whom the viewer has asked to follow and who have not answered, newest first, from either
/// end; cursor = follow id.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; the viewer's shard is unavailable.
pub async fn by_viewer(op: &Operation, page: PageRequest) -> Result<Page<UserId>, DomainError> {
    let viewer = op.require_viewer()?.user_id;
    let shard = op.domain.cluster.shard_of_id(viewer);
    let rows = op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            store::requested(connection, viewer, page.newest_first()).await
        })
        .await?;
    Ok(Page::from_rows(rows, page.first))
}

/// Lets those follow a user who is no longer private that had asked to: the oldest requests above
/// a follow id first, at most `PIECE` of them; another job is appended for the rest. A user who
/// is private again answers the others themselves.
///
/// # Errors
/// A shard that is unavailable: those of other shards may be granted already, and are passed over
/// when this is run again.
pub async fn grant_waiting(
    op: &Operation,
    followee: UserId,
    above: i64,
) -> Result<(), DomainError> {
    let (primary, id) = (op.primary(), [followee]);
    let home = op.domain.cluster.shard_of_id(followee);
    let (person, waiting) = op
        .domain
        .cluster
        .read(&primary, home, async |connection| -> Result<_, StoreError> {
            let person = user_rows::get_many(connection, &id).await?;
            let waiting = model::oldest(connection, followee, above, PIECE).await?;
            Ok((person, waiting))
        })
        .await?;
    let Some(last) = waiting.last().map(|(follow, _)| *follow) else { return Ok(()) };
    if person.first().is_none_or(|person| person.is_private) {
        return Ok(());
    }
    let mut by_shard: BTreeMap<ShardIndex, Vec<UserId>> = BTreeMap::new();
    for (_, follower) in &waiting {
        let shard = op.domain.cluster.shard_of_id(*follower);
        by_shard.entry(shard).or_default().push(*follower);
    }
    for (shard, followers) in by_shard {
        grant(op, shard, followee, &followers).await?;
    }
    if i64::try_from(waiting.len()).is_ok_and(|count| count < PIECE) {
        return Ok(());
    }
    write(op, home, async |tx| {
        let next = Job::FollowRequestsGrant { user_id: followee, above: last };
        tx.enqueue(next, format!("user:{followee}/follow_requests/{last}"));
        Ok(())
    })
    .await
}

/// Grants the requests of one shard's followers, in one transaction with the events. What is cached
/// of them is invalidated when the follows have been projected.
async fn grant(
    op: &Operation,
    shard: ShardIndex,
    followee: UserId,
    followers: &[UserId],
) -> Result<(), DomainError> {
    write(op, shard, async |tx| {
        let edges = store::grant_many(tx, followers, followee).await?;
        let changed: Vec<UserId> = edges.iter().map(|edge| edge.follower_id).collect();
        user_rows::raise_activity_of_many(tx, &changed).await?;
        for edge in &edges {
            granted(tx, edge.follower_id, followee, &edge.edge);
        }
        Ok(())
    })
    .await
}
