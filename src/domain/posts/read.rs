//! Reading posts: who may see which.

use std::collections::HashMap;

use super::{Post, PostCounts};
use crate::cached::{self, Load};
use crate::{DomainError, Fill, Operation, Page, PageRequest, UserErrorCode, policy};
use plaza_base::ids::{Id, PostId, UserId};
use plaza_read_models::post_counts;
use plaza_stores::StoreError;
use plaza_stores::postgres::{Connection, posts as store};

impl Load for Post {
    async fn load(
        connection: &mut Connection,
        ids: &[PostId],
    ) -> Result<Vec<(PostId, Self)>, StoreError> {
        let rows = store::get_many(connection, ids).await?;
        Ok(rows.into_iter().map(|post| (post.id, post.into())).collect())
    }
}

impl Load for PostCounts {
    async fn load(
        connection: &mut Connection,
        ids: &[PostId],
    ) -> Result<Vec<(PostId, Self)>, StoreError> {
        let rows = post_counts::load(connection, ids).await?.into_iter();
        let counts = rows.map(|row| {
            let (likes, comments, version) = (row.likes, row.comments, row.version);
            (row.post_id, Self { likes, comments, version })
        });
        Ok(counts.collect())
    }
}

/// Posts by id that the viewer may see, through the cache; the others are left out.
///
/// # Errors
/// A shard that is unavailable: an answer without its posts would look complete.
pub async fn get_many(
    op: &Operation,
    ids: &[PostId],
) -> Result<HashMap<PostId, Post>, DomainError> {
    let rows = rows(op, ids).await?;
    let visible = visible(op, rows.into_values().collect()).await?;
    Ok(visible.into_iter().map(|post| (post.id, post)).collect())
}

/// Those of these posts that the viewer may see, in their order: their author's by their author,
/// and a repost only with the post that it passes on.
///
/// # Errors
/// A shard that is unavailable.
pub(crate) async fn visible(op: &Operation, posts: Vec<Post>) -> Result<Vec<Post>, DomainError> {
    let originals: Vec<PostId> = posts.iter().filter_map(|post| post.repost_of).collect();
    let originals =
        if originals.is_empty() { HashMap::new() } else { rows(op, &originals).await? };
    let authors = posts.iter().chain(originals.values()).map(|post| post.author_id);
    let visible = policy::passing(op, authors, policy::content_is_visible).await?;
    let shown = |post: &Post| {
        let original = post.repost_of.map(|of| originals.get(&of));
        let original_is_shown = original.is_none_or(|found| {
            found.is_some_and(|original| visible.contains(&original.author_id))
        });
        original_is_shown && visible.contains(&post.author_id)
    };
    Ok(posts.into_iter().filter(shown).collect())
}

/// These posts with the originals in place of reposts, each once.
///
/// # Errors
/// A shard that is unavailable.
pub(crate) async fn originals(
    op: &Operation,
    posts: HashMap<PostId, Post>,
) -> Result<HashMap<PostId, Post>, DomainError> {
    let of: Vec<PostId> = posts.values().filter_map(|post| post.repost_of).collect();
    let originals = if of.is_empty() { HashMap::new() } else { rows(op, &of).await? };
    Ok(posts.into_iter().filter(|(_, post)| post.repost_of.is_none()).chain(originals).collect())
}

/// Posts by id that are not deleted, whoever asks, through the cache: for rules to decide by.
///
/// # Errors
/// A shard that is unavailable.
pub(crate) async fn rows(
    op: &Operation,
    ids: &[PostId],
) -> Result<HashMap<PostId, Post>, DomainError> {
    let mut found = stored(op, ids).await?;
    found.retain(|_, post| !post.deleted);
    Ok(found)
}

/// Posts by id, deleted ones too, whoever asks, through the cache.
///
/// # Errors
/// A shard that is unavailable.
async fn stored(op: &Operation, ids: &[PostId]) -> Result<HashMap<PostId, Post>, DomainError> {
    cached::get(op, ids).await
}

/// A post's row, deleted or not, whoever asks.
async fn row(op: &Operation, id: PostId) -> Result<Option<Post>, DomainError> {
    if let Some(post) = stored(op, &[id]).await?.remove(&id) {
        return Ok(Some(post));
    }
    // It may be too new for the replica.
    let fresh = op.fresh();
    Ok(stored(&fresh, &[id]).await?.remove(&id))
}

/// The post that likes of a post, and comments on it, belong to: of a repost, the original. That
/// never changes, so it may be asked before anything else is, and of a post that is deleted since.
/// `field` names the post in the input.
///
/// # Errors
/// `NOT_FOUND` when there never was such a post; a shard that is unavailable.
pub(crate) async fn subject_of(
    op: &Operation,
    field: &str,
    id: PostId,
) -> Result<PostId, DomainError> {
    Ok(named(op, field, id).await?.subject())
}

/// A post's row, deleted or not, and whether the viewer may see it or not: what a mutation names in
/// this field of its input.
///
/// # Errors
/// As [`subject_of`].
pub(crate) async fn named(op: &Operation, field: &str, id: PostId) -> Result<Post, DomainError> {
    row(op, id).await?.ok_or_else(|| missing(field))
}

/// A post that a mutation of the viewer's has been answered with: as they were shown it then, also
/// when it was deleted since, or they may no longer see it. A post never changes, so this shows
/// nothing that the first answer did not.
///
/// # Errors
/// A shard that is unavailable.
pub async fn answered(op: &Operation, id: PostId) -> Result<Option<Post>, DomainError> {
    row(op, id).await
}

/// There is no such post, or none that the viewer may see.
pub(crate) fn missing(field: &str) -> DomainError {
    DomainError::rejected(UserErrorCode::NotFound, field, "there is no such post")
}

/// Who wrote these posts, whoever asks and also when they are deleted.
///
/// # Errors
/// A shard that is unavailable.
pub(crate) async fn authors_of(op: &Operation, ids: &[PostId]) -> Result<Vec<UserId>, DomainError> {
    let rows = op
        .domain
        .cluster
        .scatter_ids(&op.reads, ids.iter().copied(), async |connection, ids| {
            store::get_many(connection, ids).await
        })
        .await
        .complete()?;
    Ok(rows.into_iter().flatten().map(|post| post.author_id).collect())
}

/// The same for posts that are known to have been there: those that a replica does not show yet are
/// asked for at the primary.
///
/// # Errors
/// As [`get_many`].
pub(crate) async fn get_many_surely(
    op: &Operation,
    ids: &[PostId],
) -> Result<HashMap<PostId, Post>, DomainError> {
    let mut found = get_many(op, ids).await?;
    let unknown: Vec<PostId> = ids.iter().filter(|id| !found.contains_key(id)).copied().collect();
    if !unknown.is_empty() {
        let newer = get_many(&op.fresh(), &unknown).await?;
        if !newer.is_empty() {
            op.forget_people();
        }
        found.extend(newer);
    }
    Ok(found)
}

/// A post that the viewer may see, for what they want to do with it; `field` names it in the input.
///
/// # Errors
/// `NOT_FOUND` when they may not, or it is not there; a shard that is unavailable.
pub(crate) async fn require_visible(
    op: &Operation,
    field: &str,
    id: PostId,
) -> Result<Post, DomainError> {
    let found = get_many_surely(op, &[id]).await?.remove(&id);
    found.ok_or_else(|| missing(field))
}

/// The same for a post whose row was just read.
///
/// # Errors
/// As [`require_visible`].
pub(crate) async fn require_shown(
    op: &Operation,
    field: &str,
    post: Post,
) -> Result<Post, DomainError> {
    let id = post.id;
    let found = if post.deleted { Vec::new() } else { visible(op, vec![post]).await? };
    match found.into_iter().next() {
        Some(post) => Ok(post),
        // What a replica or a cache said may be old.
        None => get_many(&op.fresh(), &[id]).await?.remove(&id).ok_or_else(|| missing(field)),
    }
}

/// An author's posts and reposts that the viewer may see, newest first; cursor = post id.
///
/// # Errors
/// The author's shard is unavailable.
pub async fn by_author(
    op: &Operation,
    author: UserId,
    page: PageRequest,
) -> Result<Page<Post>, DomainError> {
    if !policy::passes(op, author, policy::content_is_visible).await? {
        return Ok(Page::default());
    }
    let shard = op.domain.cluster.shard_of_id(author);
    let mut fill = Fill::new(page);
    while let Some(part) = fill.next_part() {
        let posts = op
            .domain
            .cluster
            .read(&op.reads, shard, async |connection| {
                store::by_author(connection, author, part.newest_first()).await
            })
            .await?;
        let rows = posts.into_iter().map(|post| (post.id.as_i64(), Post::from(post))).collect();
        let mut page = Page::from_rows(rows, part.first);
        let posts = page.items.into_iter().map(|(_, post)| post).collect();
        let shown = visible(op, posts).await?;
        page.items = shown.into_iter().map(|post| (post.id.as_i64(), post)).collect();
        fill.add(page);
    }
    Ok(fill.page())
}

/// Counts by post, through the cache; an entry for every post that exists.
///
/// # Errors
/// A shard that is unavailable.
pub async fn counts_many(
    op: &Operation,
    ids: &[PostId],
) -> Result<HashMap<PostId, PostCounts>, DomainError> {
    cached::get(op, ids).await
}
