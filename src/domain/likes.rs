//! Likes; on the post's shard.

use std::collections::{HashMap, HashSet};

use super::batches::ReadForMany;
use super::posts::Post;
use super::posts::{self, PostCounts};
use super::{
    Domain, DomainError, Mutation, Operation, Page, PageRequest, UserErrorCode, mutate, mutate_from,
};
use plaza_base::ids::{Id, PostId, UserId};
use plaza_protocol::events::Event;
use plaza_stores::postgres::{ShardIndex, likes as store, posts as post_rows};

/// A post that the viewer has liked.
#[derive(Debug, Clone)]
pub struct Liked {
    /// Its id; of a repost that of the original.
    pub id: PostId,
    /// Its row, where that was read for the like.
    pub post: Option<Post>,
}

/// The viewer likes a post; again is fine.
///
/// # Errors
/// The post is not there; its shard is unavailable.
pub async fn like(op: &Operation, id: PostId) -> Result<Liked, DomainError> {
    let user = op.require_viewer()?.user_id;
    let named = posts::named(op, "postId", id).await?;
    // Who likes a repost likes the original.
    let post = named.subject();
    let shard = op.domain.cluster.shard_of_id(post);
    let mut shown = None;
    let id = mutate_from(
        op,
        Mutation { name: "postLike", user, shard, input: &id },
        posts::require_shown(op, "postId", named),
        async |connection, named| {
            let liked = store::insert(connection, post, user).await?;
            Ok((named, liked.ok_or_else(|| posts::missing("postId"))?))
        },
        async |tx, (named, liked)| {
            shown = Some(named).filter(|named: &Post| named.id == post);
            if liked.is_new {
                let version = liked.version;
                tx.emit(Event::PostLiked { post_id: post, user_id: user }, version);
                tx.invalidate::<PostCounts>(post, version);
            }
            Ok(post)
        },
    )
    .await?;
    Ok(Liked { id, post: shown })
}

/// What the viewer may see of a post whose like they take back.
struct Seen {
    /// What they named.
    named: bool,
    /// The post that likes of it belong to.
    subject: bool,
}

/// The viewer takes a like back, whatever became of the post: it is their own. Never liked is fine
/// for a post that they may see, and again is for any. Returns the post, if the viewer may see it.
///
/// # Errors
/// A post that the viewer has never liked and may not see; its shard is unavailable.
pub async fn unlike(op: &Operation, id: PostId) -> Result<Option<PostId>, DomainError> {
    let user = op.require_viewer()?.user_id;
    let post = posts::subject_of(op, "postId", id).await?;
    let shard = op.domain.cluster.shard_of_id(post);
    mutate(
        op,
        Mutation { name: "postUnlike", user, shard, input: &id },
        async {
            let found = posts::get_many_surely(op, &[id, post]).await?;
            Ok(Seen { named: found.contains_key(&id), subject: found.contains_key(&post) })
        },
        async |tx, seen| {
            let missing = || {
                DomainError::rejected(UserErrorCode::NotFound, "postId", "there is no such post")
            };
            let row = post_rows::lock(tx, post).await?.ok_or_else(missing)?;
            if store::delete(tx, post, user).await? {
                let version = row.version + 1;
                post_rows::raise(tx, post, version, row.deleted).await?;
                tx.emit(Event::PostUnliked { post_id: post, user_id: user }, version);
                tx.invalidate::<PostCounts>(post, version);
            } else if !seen.named && !store::was_taken_back(tx, post, user).await? {
                // Whether a post they may not see is still there is not disclosed.
                return Err(missing());
            }
            Ok(seen.subject.then_some(post))
        },
    )
    .await
}

/// Those of `ids` the viewer has liked; none when anonymous.
///
/// # Errors
/// A shard that is unavailable.
pub async fn viewer_likes(op: &Operation, ids: &[PostId]) -> Result<HashSet<PostId>, DomainError> {
    let Some(viewer) = op.viewer else { return Ok(HashSet::new()) };
    let user = viewer.user_id;
    let liked = op
        .domain
        .cluster
        .scatter_ids(&op.reads, ids.iter().copied(), async |connection, ids| {
            store::among(connection, user, ids).await
        })
        .await
        .complete()?;
    Ok(liked.into_iter().flatten().collect())
}

/// Whether a viewer likes a post, for many viewers at once.
#[derive(Debug)]
pub enum IsLiked {}

impl ReadForMany for IsLiked {
    type Key = (PostId, UserId);
    type Value = bool;
    const NAME: &'static str = "likes";

    fn shard_of(domain: &Domain, (post, _): Self::Key) -> ShardIndex {
        domain.cluster.shard_of_id(post)
    }

    async fn read(
        op: &Operation,
        keys: &[Self::Key],
    ) -> Result<HashMap<Self::Key, bool>, DomainError> {
        let Some(&(first, _)) = keys.first() else { return Ok(HashMap::new()) };
        let (posts, users): (Vec<PostId>, Vec<UserId>) = keys.iter().copied().unzip();
        let shard = op.domain.cluster.shard_of_id(first);
        let found = op
            .domain
            .cluster
            .read(&op.reads, shard, async |connection| {
                store::among_many(connection, &posts, &users).await
            })
            .await?;
        Ok(found.into_iter().map(|like| (like, true)).collect())
    }
}

/// Users who like a post that the viewer may see, the newest account first; cursor = user id.
///
/// # Errors
/// The post's shard is unavailable.
pub async fn likers(
    op: &Operation,
    post: PostId,
    page: PageRequest,
) -> Result<Page<UserId>, DomainError> {
    let shard = op.domain.cluster.shard_of_id(post);
    let rows = op
        .domain
        .cluster
        .read(&op.reads, shard, async |connection| {
            store::page(connection, post, page.newest_first()).await
        })
        .await?;
    let rows = rows.into_iter().map(|user| (user.as_i64(), user)).collect();
    Ok(Page::from_rows(rows, page.first))
}
