//! Likes; on the post's shard.

use std::collections::HashSet;

use super::posts::{self, Post, PostCounts};
use super::{Domain, DomainError, Mutation, Operation, Tx, mutate};
use crate::ids::{Id, PostId};
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
    name: &'static str,
    liked: bool,
) -> Result<PostId, DomainError> {
    let user = op.require_viewer()?.user_id;
    // Who likes a repost likes the original.
    let post = posts::subject_of(op, domain, "postId", id).await?;
    let shard = domain.cluster.shard_of_id(post);
    mutate(
        op,
        domain,
        Mutation { name, user, shard, input: &id },
        // Also to take a like back: whether a post they may not see is still there is not told.
        posts::require_visible(op, domain, "postId", id),
        async |tx: &mut Tx, _: Post| {
            let version = posts::lock(tx, "postId", post).await?.version + 1;
            let (is_changed, event) = if liked {
                let is_new = store::insert(tx, post.as_i64(), user.as_i64()).await?;
                (is_new, Event::PostLiked { post_id: post, user_id: user })
            } else {
                let was_there = store::delete(tx, post.as_i64(), user.as_i64()).await?;
                (was_there, Event::PostUnliked { post_id: post, user_id: user })
            };
            if is_changed {
                post_rows::raise(tx, post.as_i64(), version, false).await?;
                tx.emit(event, version);
                tx.invalidate::<PostCounts>(post, version);
            }
            Ok(post)
        },
    )
    .await
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
