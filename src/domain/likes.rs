//! Likes; on the post's shard.

use std::collections::HashSet;

use super::idempotency::{Request, once};
use super::posts::{self, PostCounts};
use super::{Domain, DomainError, Operation, UserErrorCode};
use crate::ids::{Id, PostId};
use crate::outbox::Messages;
use crate::protocol::events::Event;
use crate::stores::postgres::{Connection, likes as store, posts as post_rows};

/// The viewer likes a post; again is fine.
///
/// # Errors
/// The post is not there; its shard is away.
pub async fn like(op: &Operation, domain: &Domain, id: PostId) -> Result<PostId, DomainError> {
    change(op, domain, id, "postLike", true).await
}

/// The viewer takes a like back; never liked is fine.
///
/// # Errors
/// The post is not there; its shard is away.
pub async fn unlike(op: &Operation, domain: &Domain, id: PostId) -> Result<PostId, DomainError> {
    change(op, domain, id, "postUnlike", false).await
}

async fn change(
    op: &Operation,
    domain: &Domain,
    id: PostId,
    operation: &'static str,
    liked: bool,
) -> Result<PostId, DomainError> {
    let user = op.require_viewer()?.user_id;
    // Also to take a like back: whether a post they may not see is still there is not told.
    // Who likes a repost likes the original.
    let id = posts::require_visible(op, domain, "postId", id).await?.subject();
    let shard = domain.cluster.shard_of_id(id);
    let request = Request { user, client_key: op.client_key.as_deref(), operation };
    let committed = domain
        .cluster
        .write(
            shard,
            op.deadline,
            async |connection: &mut Connection| -> Result<i64, DomainError> {
                once(connection, request, &id, async |connection: &mut Connection| {
                    let Some(post) = post_rows::lock(connection, id.as_i64())
                        .await?
                        .filter(|post| !post.deleted)
                    else {
                        return Err(DomainError::rejected(
                            UserErrorCode::NotFound,
                            "postId",
                            "there is no such post",
                        ));
                    };
                    let changed = if liked {
                        store::insert(connection, id.as_i64(), user.as_i64()).await?
                    } else {
                        store::delete(connection, id.as_i64(), user.as_i64()).await?
                    };
                    if !changed {
                        return Ok(post.version);
                    }
                    let version = post.version + 1;
                    post_rows::raise(connection, id.as_i64(), version, false).await?;
                    let event = if liked {
                        Event::PostLiked { post_id: id, user_id: user }
                    } else {
                        Event::PostUnliked { post_id: id, user_id: user }
                    };
                    Messages::new(shard, domain.clock.now(), op.traceparent.as_deref())
                        .event(event, version)
                        .append(connection)
                        .await?;
                    Ok(version)
                })
                .await
            },
        )
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    op.told(domain.redis.invalidate::<PostCounts>(&[(id.as_i64(), committed.value)]).await);
    Ok(id)
}

/// Those of `ids` the viewer has liked; none when anonymous.
///
/// # Errors
/// A shard that is away.
pub async fn viewer_likes(
    op: &Operation,
    domain: &Domain,
    ids: &[PostId],
) -> Result<HashSet<PostId>, DomainError> {
    let Some(viewer) = op.viewer else { return Ok(HashSet::new()) };
    let user = viewer.user_id.as_i64();
    let liked = domain
        .cluster
        .scatter_ids(
            &op.reads,
            ids.iter().copied(),
            async |connection: &mut Connection, ids: &[i64]| {
                store::among(connection, user, ids).await
            },
        )
        .await
        .complete()?;
    Ok(liked.into_iter().flatten().collect())
}
