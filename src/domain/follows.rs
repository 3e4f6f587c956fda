//! Who follows whom. The follower's side is the truth; the followee's is a projection of the edge's events.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::idempotency::{Request, once};
use super::profile_counts::ProfileCounts;
use super::{Domain, DomainError, Operation, Page, PageRequest, UserErrorCode, timelines};
use crate::ids::{FollowId, Id, UserId};
use crate::outbox::Messages;
use crate::protocol::events::Event;
use crate::read_models::followers as followers_model;
use crate::stores::postgres::{Connection, ReadSession, follows as store, users as user_rows};
use crate::stores::redis::cache::Cached;

/// Most people one may follow.
pub const MAX_FOLLOWING: i64 = 10_000;

/// Everyone a user follows, as cached.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Followees {
    version: i64,
    ids: Vec<UserId>,
}

impl Cached for Followees {
    const KIND: &'static str = "followees";
    const LOCAL: bool = false;
    fn version(&self) -> i64 {
        self.version
    }
}

/// The viewer follows `followee`; already following is fine.
///
/// # Errors
/// Oneself, somebody who does not exist, too many; a shard that is away.
pub async fn follow(op: &Operation, domain: &Domain, followee: UserId) -> Result<UserId, DomainError> {
    let viewer = op.require_viewer()?;
    if viewer.user_id == followee {
        return Err(DomainError::rejected(UserErrorCode::Invalid, "userId", "nobody can follow themselves"));
    }
    let primary = ReadSession::primary(domain.cluster.len());
    let raw = [followee.as_i64()];
    let exists = domain
        .cluster
        .read(&primary, domain.cluster.shard_of_id(followee), async |connection: &mut Connection| {
            user_rows::get_many(connection, &raw).await
        })
        .await?;
    if exists.is_empty() {
        return Err(DomainError::rejected(UserErrorCode::NotFound, "userId", "there is no such user"));
    }
    change(op, domain, followee, "userFollow", true).await
}

/// The viewer no longer follows `followee`; not following is fine.
///
/// # Errors
/// The viewer's shard is away.
pub async fn unfollow(op: &Operation, domain: &Domain, followee: UserId) -> Result<UserId, DomainError> {
    change(op, domain, followee, "userUnfollow", false).await
}

async fn change(op: &Operation, domain: &Domain, followee: UserId, operation: &'static str, active: bool) -> Result<UserId, DomainError> {
    let follower = op.require_viewer()?.user_id;
    let shard = domain.cluster.shard_of_id(follower);
    let request = Request { user: follower, client_key: op.client_key.as_deref(), operation };
    let committed = domain
        .cluster
        .write(shard, op.deadline, async |connection: &mut Connection| -> Result<Option<i64>, DomainError> {
            once(connection, request, &followee, async |connection: &mut Connection| {
                let edge = if active {
                    store::activate(connection, follower.bucket(), follower.as_i64(), followee.as_i64()).await?
                } else {
                    store::deactivate(connection, follower.as_i64(), followee.as_i64()).await?
                };
                // Nothing changed: the activity version stays, for no event would bring the counts up to it.
                let Some(edge) = edge else { return Ok(None) };
                // Locks the follower's row, so that two follows at once cannot pass the limit together: the second counts the first.
                let activity = user_rows::raise_activity(connection, follower.as_i64()).await?.ok_or(DomainError::Unauthenticated)?;
                if active && store::count(connection, follower.as_i64()).await? > MAX_FOLLOWING {
                    let message = format!("nobody can follow more than {MAX_FOLLOWING} people");
                    return Err(DomainError::rejected(UserErrorCode::LimitExceeded, "userId", message));
                }
                Messages::new(shard, domain.clock.now(), op.traceparent.as_deref())
                    .event(event(follower, followee, edge.id, active), edge.version)
                    .append(connection)
                    .await?;
                Ok(Some(activity))
            })
            .await
        })
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    let Some(activity) = committed.value else { return Ok(followee) };
    op.told(domain.redis.invalidate::<Followees>(&[(follower.as_i64(), activity)]).await);
    op.told(domain.redis.invalidate::<ProfileCounts>(&[(follower.as_i64(), activity)]).await);
    if timelines::forget(domain, follower).await.is_err() {
        op.cache_untold();
    }
    Ok(followee)
}

fn event(follower_id: UserId, followee_id: UserId, follow_id: FollowId, active: bool) -> Event {
    if active { Event::UserFollowed { follower_id, followee_id, follow_id } } else { Event::UserUnfollowed { follower_id, followee_id } }
}

fn limit(page: PageRequest) -> i64 {
    i64::try_from(page.first + 1).unwrap_or(i64::MAX)
}

/// People a user follows, newest follow first; cursor = follow id.
///
/// # Errors
/// The user's shard is away.
pub async fn following(op: &Operation, domain: &Domain, user: UserId, page: PageRequest) -> Result<Page<UserId>, DomainError> {
    let below = page.after.unwrap_or(i64::MAX);
    let shard = domain.cluster.shard_of_id(user);
    let rows = domain
        .cluster
        .read(&op.reads, shard, async |connection: &mut Connection| store::page(connection, user.as_i64(), below, limit(page)).await)
        .await?;
    Ok(Page::from_rows(rows, page.first))
}

/// People following a user, newest follow first; cursor = follow id. As far as the projection has come.
///
/// # Errors
/// The user's shard is away.
pub async fn followers(op: &Operation, domain: &Domain, user: UserId, page: PageRequest) -> Result<Page<UserId>, DomainError> {
    let shard = domain.cluster.shard_of_id(user);
    let rows = domain
        .cluster
        .read(&op.reads, shard, async |connection: &mut Connection| {
            followers_model::page(connection, user.as_i64(), page.after, limit(page)).await
        })
        .await?;
    Ok(Page::from_rows(rows, page.first).map(UserId::from_i64))
}

/// Everyone a user follows, sorted, through the cache.
///
/// # Errors
/// The user's shard is away.
pub async fn followees(op: &Operation, domain: &Domain, user: UserId) -> Result<Arc<Vec<UserId>>, DomainError> {
    let found = domain
        .redis
        .get_many(op.cache_policy(), &[user.as_i64()], async |missing: &[i64]| -> Result<HashMap<i64, Followees>, DomainError> {
            let missing = missing.iter().copied().map(UserId::from_i64);
            let rows = domain
                .cluster
                .scatter_ids(&op.reads, missing, async |connection: &mut Connection, ids: &[i64]| store::followees(connection, ids).await)
                .await
                .complete()?;
            let rows = rows.into_iter().flatten();
            let found = rows.map(|row| {
                let ids = row.followees.into_iter().map(UserId::from_i64).collect();
                (row.user_id, Followees { version: row.version, ids })
            });
            Ok(found.collect())
        })
        .await?;
    Ok(Arc::new(found.into_values().next().map(|followees| followees.ids).unwrap_or_default()))
}

/// Those of `ids` that the viewer follows; none when anonymous.
///
/// # Errors
/// The viewer's shard is away.
pub async fn viewer_follows(op: &Operation, domain: &Domain, ids: &[UserId]) -> Result<HashSet<UserId>, DomainError> {
    let Some(viewer) = op.viewer else { return Ok(HashSet::new()) };
    let raw: Vec<i64> = ids.iter().map(|id| id.as_i64()).collect();
    let shard = domain.cluster.shard_of_id(viewer.user_id);
    let follows = domain
        .cluster
        .read(&op.reads, shard, async |connection: &mut Connection| store::among(connection, viewer.user_id.as_i64(), &raw).await)
        .await?;
    Ok(follows.into_iter().collect())
}

/// What is cached of these users' follows is older than these activity versions: for projections, after their commit.
///
/// # Errors
/// Redis is away.
pub async fn forget_cached(domain: &Domain, activity: &[(i64, i64)]) -> Result<(), DomainError> {
    Ok(domain.redis.invalidate::<Followees>(activity).await?)
}
