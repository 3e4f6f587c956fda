//! Comments; on the post's shard, oldest first.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::idempotency::{Request, once};
use super::posts::{self, PostCounts};
use super::{Domain, DomainError, Operation, Page, PageRequest, UserErrorCode, policy, text};
use crate::ids::{CommentId, Id, PostId, UserId};
use crate::outbox::Messages;
use crate::protocol::events::Event;
use crate::stores::postgres::{Connection, comments as store, posts as post_rows};
use crate::stores::redis::cache::Cached;

pub use crate::stores::postgres::comments::Comment;

/// How many of a post's first comments are cached.
const CACHED: usize = 20;

/// The beginning of a post's comments, as of the post's version.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct FirstComments {
    version: i64,
    page: Page<Comment>,
}

impl Cached for FirstComments {
    const KIND: &'static str = "comments";
    const LOCAL: bool = true;
    fn version(&self) -> i64 {
        self.version
    }
}

/// The viewer comments on a post.
///
/// # Errors
/// A text out of bounds, a post that is not there; its shard is away.
pub async fn create(op: &Operation, domain: &Domain, post: PostId, text: &str) -> Result<Comment, DomainError> {
    let author = op.require_viewer()?.user_id;
    let text = text::checked("text", text, text::COMMENT_TEXT).map_err(|error| DomainError::Rejected(vec![error]))?;
    // Who comments on a repost comments on the original.
    let post = posts::require_visible(op, domain, "postId", post).await?.subject();
    let shard = domain.cluster.shard_of_id(post);
    let request = Request { user: author, client_key: op.client_key.as_deref(), operation: "commentCreate" };
    let payload = (post, &text);
    let committed = domain
        .cluster
        .write(shard, op.deadline, async |connection: &mut Connection| -> Result<(Comment, i64), DomainError> {
            once(connection, request, &payload, async |connection: &mut Connection| {
                let Some(locked) = post_rows::lock(connection, post.as_i64()).await?.filter(|locked| !locked.deleted) else {
                    return Err(DomainError::rejected(UserErrorCode::NotFound, "postId", "there is no such post"));
                };
                let version = locked.version + 1;
                post_rows::raise(connection, post.as_i64(), version, false).await?;
                let comment = store::insert(connection, post.bucket(), post.as_i64(), author.as_i64(), &text).await?;
                Messages::new(shard, domain.clock.now(), op.traceparent.as_deref())
                    .event(Event::PostCommented { post_id: post, comment_id: comment.id, author_id: author }, version)
                    .append(connection)
                    .await?;
                Ok((comment, version))
            })
            .await
        })
        .await?;
    op.wrote(shard, committed.lsn, domain.clock.now_ms());
    let (comment, version) = committed.value;
    op.told(domain.redis.invalidate::<PostCounts>(&[(post.as_i64(), version)]).await);
    op.told(domain.redis.invalidate::<FirstComments>(&[(post.as_i64(), version)]).await);
    Ok(comment)
}

/// Comments by id; missing ones and those on posts the viewer may not see are left out.
///
/// # Errors
/// A shard that is away.
pub async fn get_many(op: &Operation, domain: &Domain, ids: &[CommentId]) -> Result<HashMap<CommentId, Comment>, DomainError> {
    let rows = domain
        .cluster
        .scatter_ids(&op.reads, ids.iter().copied(), async |connection: &mut Connection, ids: &[i64]| {
            store::get_many(connection, ids).await
        })
        .await
        .complete()?;
    let comments: Vec<Comment> = rows.into_iter().flatten().collect();
    let on: Vec<PostId> = comments.iter().map(|comment| comment.post_id).collect();
    let visible = posts::get_many(op, domain, &on).await?;
    let heard = policy::passing(op, domain, comments.iter().map(|comment| comment.author_id), policy::voice_is_visible).await?;
    let shown = |comment: &Comment| visible.contains_key(&comment.post_id) && heard.contains(&comment.author_id);
    Ok(comments.into_iter().filter(shown).map(|comment| (comment.id, comment)).collect())
}

/// A post's comments, oldest first; cursor = comment id.
///
/// # Errors
/// The post's shard is away.
pub async fn by_post(op: &Operation, domain: &Domain, post: PostId, page: PageRequest) -> Result<Page<Comment>, DomainError> {
    let after = page.after.unwrap_or_default();
    let limit = i64::try_from(page.first + 1).unwrap_or(i64::MAX);
    let shard = domain.cluster.shard_of_id(post);
    let rows = domain
        .cluster
        .read(&op.reads, shard, async |connection: &mut Connection| store::page(connection, post.as_i64(), after, limit).await)
        .await?;
    let page = Page::from_rows(rows.into_iter().map(|comment| (comment.id.as_i64(), comment)).collect(), page.first);
    let mut pages = [page];
    keep_heard(op, domain, &mut pages).await?;
    let [page] = pages;
    Ok(page)
}

/// Leaves out the comments of people the viewer may not see.
async fn keep_heard(op: &Operation, domain: &Domain, pages: &mut [Page<Comment>]) -> Result<(), DomainError> {
    let authors: Vec<UserId> = pages.iter().flat_map(|page| &page.items).map(|(_, comment)| comment.author_id).collect();
    let heard = policy::passing(op, domain, authors, policy::voice_is_visible).await?;
    for page in pages {
        page.items.retain(|(_, comment)| heard.contains(&comment.author_id));
    }
    Ok(())
}

/// The first `first` comments of many posts, an entry for every post that exists: one statement a shard, none when warm (the first
/// twenty of each post are cached).
///
/// # Errors
/// A shard that is away.
pub async fn first_of_many(
    op: &Operation,
    domain: &Domain,
    posts: &[PostId],
    first: usize,
) -> Result<HashMap<PostId, Page<Comment>>, DomainError> {
    if first > CACHED {
        let loaded = load_first(op, domain, posts.iter().copied(), first).await?;
        let (posts, mut pages): (Vec<i64>, Vec<_>) = loaded.into_iter().map(|(post, comments)| (post, comments.page)).unzip();
        keep_heard(op, domain, &mut pages).await?;
        return Ok(posts.into_iter().map(PostId::from_i64).zip(pages).collect());
    }
    let raw: Vec<i64> = posts.iter().map(|post| post.as_i64()).collect();
    let found = domain
        .redis
        .get_many(op.cache_policy(), &raw, async |missing: &[i64]| {
            load_first(op, domain, missing.iter().copied().map(PostId::from_i64), CACHED).await
        })
        .await?;
    let cut = |mut page: Page<Comment>| {
        if page.items.len() > first {
            page.items.truncate(first);
            page.has_next = true;
            page.end = page.items.last().map(|(cursor, _)| *cursor);
        }
        page
    };
    let (posts, mut pages): (Vec<i64>, Vec<_>) = found.into_iter().map(|(post, comments)| (post, comments.page)).unzip();
    keep_heard(op, domain, &mut pages).await?;
    Ok(posts.into_iter().map(PostId::from_i64).zip(pages.into_iter().map(cut)).collect())
}

async fn load_first(
    op: &Operation,
    domain: &Domain,
    posts: impl IntoIterator<Item = PostId>,
    first: usize,
) -> Result<HashMap<i64, FirstComments>, DomainError> {
    let limit = i64::try_from(first + 1).unwrap_or(i64::MAX);
    let rows = domain
        .cluster
        .scatter_ids(&op.reads, posts, async |connection: &mut Connection, posts: &[i64]| {
            store::first_of_many(connection, posts, limit).await
        })
        .await
        .complete()?;
    let mut by_post: HashMap<i64, (i64, Vec<(i64, Comment)>)> = HashMap::new();
    for row in rows.into_iter().flatten() {
        let (_, comments) = by_post.entry(row.post_id.as_i64()).or_insert_with(|| (row.version, Vec::new()));
        if let (Some(id), Some(author_id), Some(text)) = (row.id, row.author_id, row.text) {
            comments.push((id.as_i64(), Comment { id, post_id: row.post_id, author_id, text }));
        }
    }
    let pages = by_post.into_iter().map(|(post, (version, rows))| (post, FirstComments { version, page: Page::from_rows(rows, first) }));
    Ok(pages.collect())
}

/// What is cached of these posts' comments is older than these versions: for projections, after their commit.
///
/// # Errors
/// Redis is away.
pub async fn forget_cached(domain: &Domain, posts: &[(PostId, i64)]) -> Result<(), DomainError> {
    let versions: Vec<(i64, i64)> = posts.iter().map(|(post, version)| (post.as_i64(), *version)).collect();
    Ok(domain.redis.invalidate::<FirstComments>(&versions).await?)
}
