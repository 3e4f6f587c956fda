//! Comments and the answers to them; on the post's shard, oldest first.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::posts::{self, PostCounts};
use super::{
    Domain, DomainError, Mutation, Operation, Page, PageRequest, Tx, UserErrorCode, mutate, policy,
    references, text,
};
use crate::ids::{CommentId, Id, PostId, UserId};
use crate::protocol::events::Event;
use crate::stores::postgres::{Connection, comments as store, posts as post_rows};
use crate::stores::redis::cache::Cached;

pub use crate::stores::postgres::comments::Comment;

/// How deep a thread goes: a comment at this depth cannot be answered.
pub const MAX_DEPTH: i16 = 8;
/// How long a second look, at a primary, may take.
const FRESH: std::time::Duration = std::time::Duration::from_secs(1);
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

/// The viewer comments on a post, or answers a comment on it.
///
/// # Errors
/// A text out of bounds, a post or comment that is not there, a thread that is too deep; its shard
/// is away.
pub async fn create(
    op: &Operation,
    domain: &Domain,
    id: PostId,
    text: &str,
    in_reply_to: Option<CommentId>,
) -> Result<Comment, DomainError> {
    let author = op.require_viewer()?.user_id;
    let checked = text::checked("text", text, text::COMMENT_TEXT)
        .map_err(|error| DomainError::Rejected(vec![error]))?;
    // Who comments on a repost comments on the original.
    let post = posts::subject_of(op, domain, "postId", id).await?;
    mutate(
        op,
        domain,
        Mutation {
            name: "commentCreate",
            user: author,
            shard: domain.cluster.shard_of_id(post),
            input: &(id, text, in_reply_to),
        },
        drafted(op, domain, (id, post), &checked, in_reply_to),
        async |tx: &mut Tx, draft: Draft| {
            let version = posts::lock(tx, "postId", post).await?.version + 1;
            post_rows::raise(tx, post.as_i64(), version, false).await?;
            let answered = draft.answered.as_ref();
            let new = store::NewComment {
                post: post.as_i64(),
                author: author.as_i64(),
                text: &checked,
                in_reply_to: in_reply_to.map(Id::as_i64),
                depth: answered.map_or(0, |answered| answered.depth + 1),
                entities: &draft.entities,
            };
            let comment = store::insert(tx, post.bucket(), new).await?;
            written(tx, &comment, answered, version);
            let place = references::Place { author, post, comment: Some(comment.id) };
            references::emit(tx, &draft.mentioned, place);
            tx.invalidate::<PostCounts>(post, version);
            tx.invalidate::<FirstComments>(post, version);
            Ok(comment)
        },
    )
    .await
}

/// A comment that may be written.
struct Draft {
    answered: Option<Comment>,
    entities: references::Entities,
    /// Who is mentioned in it and is to be notified.
    mentioned: Vec<UserId>,
}

/// `id` is the post that the viewer named, `post` the one that is commented on.
async fn drafted(
    op: &Operation,
    domain: &Domain,
    (id, post): (PostId, PostId),
    text: &str,
    in_reply_to: Option<CommentId>,
) -> Result<Draft, DomainError> {
    let mut row = posts::require_visible(op, domain, "postId", id).await?;
    if row.id != post {
        row = posts::require_visible(op, domain, "postId", post).await?;
    }
    let answered = match in_reply_to {
        Some(id) => Some(answerable(op, domain, post, id).await?),
        None => None,
    };
    let entities = references::of_text(op, domain, text).await?;
    // Whoever is told of the comment as such is not told of the mention too.
    let answered_author = answered.as_ref().map(|answered| answered.author_id);
    let otherwise: Vec<UserId> = std::iter::once(row.author_id).chain(answered_author).collect();
    let mentioned = references::to_tell(op, domain, &entities, &otherwise).await?;
    Ok(Draft { answered, entities, mentioned })
}

/// A comment on a post, for the viewer to answer.
async fn answerable(
    op: &Operation,
    domain: &Domain,
    post: PostId,
    id: CommentId,
) -> Result<Comment, DomainError> {
    let mut found = get_many(op, domain, &[id]).await?;
    if found.is_empty() {
        // It may be too new for the replica.
        let fresh = Operation::fresh(domain.cluster.len(), op.viewer, FRESH);
        found = get_many(&fresh, domain, &[id]).await?;
    }
    let Some(comment) = found.remove(&id).filter(|comment| comment.post_id == post) else {
        return Err(DomainError::rejected(
            UserErrorCode::NotFound,
            "inReplyToId",
            "there is no such comment on this post",
        ));
    };
    if comment.depth >= MAX_DEPTH {
        let deep =
            format!("a thread is at most {MAX_DEPTH} answers deep: answer the comment above");
        return Err(DomainError::rejected(UserErrorCode::LimitExceeded, "inReplyToId", deep));
    }
    Ok(comment)
}

/// Publishes a new comment: on the post's own shard, and on that of whoever it answers.
fn written(tx: &mut Tx, comment: &Comment, answered: Option<&Comment>, version: i64) {
    let (post_id, comment_id, author_id) = (comment.post_id, comment.id, comment.author_id);
    let Some(answered) = answered else {
        return tx.emit(Event::PostCommented { post_id, comment_id, author_id }, version);
    };
    let answered_id = answered.author_id;
    tx.emit(Event::PostReplied { post_id, comment_id, author_id, answered_id }, version);
    tx.emit(Event::CommentAnswered { user_id: answered_id, author_id, comment_id }, 1);
}

/// Comments by id; missing ones and those on posts the viewer may not see are left out, but the
/// viewer's own: what they wrote they find, whatever became of the post.
///
/// # Errors
/// A shard that is away.
pub async fn get_many(
    op: &Operation,
    domain: &Domain,
    ids: &[CommentId],
) -> Result<HashMap<CommentId, Comment>, DomainError> {
    let rows = domain
        .cluster
        .scatter_ids(
            &op.reads,
            ids.iter().copied(),
            async |connection: &mut Connection, ids: &[i64]| store::get_many(connection, ids).await,
        )
        .await
        .complete()?;
    let comments: Vec<Comment> = rows.into_iter().flatten().collect();
    let on: Vec<PostId> = comments.iter().map(|comment| comment.post_id).collect();
    let visible = posts::get_many(op, domain, &on).await?;
    let heard = policy::passing(
        op,
        domain,
        comments.iter().map(|comment| comment.author_id),
        policy::voice_is_visible,
    )
    .await?;
    let is_own =
        |comment: &Comment| op.viewer.is_some_and(|viewer| viewer.user_id == comment.author_id);
    let shown = |comment: &Comment| {
        is_own(comment)
            || (visible.contains_key(&comment.post_id) && heard.contains(&comment.author_id))
    };
    Ok(comments.into_iter().filter(shown).map(|comment| (comment.id, comment)).collect())
}

/// The comments on a post itself, oldest first; cursor = comment id.
///
/// # Errors
/// The post's shard is away.
pub async fn by_post(
    op: &Operation,
    domain: &Domain,
    post: PostId,
    page: PageRequest,
) -> Result<Page<Comment>, DomainError> {
    let after = page.after.unwrap_or_default();
    let limit = i64::try_from(page.first + 1).unwrap_or(i64::MAX);
    let shard = domain.cluster.shard_of_id(post);
    let rows = domain
        .cluster
        .read(&op.reads, shard, async |connection: &mut Connection| {
            store::page(connection, post.as_i64(), after, limit).await
        })
        .await?;
    let page = Page::from_rows(
        rows.into_iter().map(|comment| (comment.id.as_i64(), comment)).collect(),
        page.first,
    );
    let mut pages = [page];
    keep_heard(op, domain, &mut pages).await?;
    let [page] = pages;
    Ok(page)
}

/// The answers to a comment that the viewer may see, oldest first; cursor = comment id.
///
/// # Errors
/// The comment's shard is away.
pub async fn replies(
    op: &Operation,
    domain: &Domain,
    comment: CommentId,
    page: PageRequest,
) -> Result<Page<Comment>, DomainError> {
    let after = page.after.unwrap_or_default();
    Ok(replies_of_many(op, domain, &[comment], after, page.first)
        .await?
        .remove(&comment)
        .unwrap_or_default())
}

/// The answers to each of these comments above an id, an entry for every one that has any: one
/// statement a shard.
///
/// # Errors
/// A shard that is away.
pub async fn replies_of_many(
    op: &Operation,
    domain: &Domain,
    comments: &[CommentId],
    after: i64,
    first: usize,
) -> Result<HashMap<CommentId, Page<Comment>>, DomainError> {
    let limit = i64::try_from(first + 1).unwrap_or(i64::MAX);
    let rows = domain
        .cluster
        .scatter_ids(
            &op.reads,
            comments.iter().copied(),
            async |connection: &mut Connection, ids: &[i64]| {
                store::replies(connection, ids, after, limit).await
            },
        )
        .await
        .complete()?;
    let mut by_parent: HashMap<CommentId, Vec<(i64, Comment)>> = HashMap::new();
    for row in rows.into_iter().flatten() {
        if let Some(parent) = row.in_reply_to {
            by_parent.entry(parent).or_default().push((row.id.as_i64(), row));
        }
    }
    let (parents, rows): (Vec<CommentId>, Vec<_>) = by_parent.into_iter().unzip();
    let mut pages: Vec<Page<Comment>> =
        rows.into_iter().map(|rows| Page::from_rows(rows, first)).collect();
    keep_heard(op, domain, &mut pages).await?;
    Ok(parents.into_iter().zip(pages).collect())
}

/// Leaves out the comments of people the viewer may not see.
async fn keep_heard(
    op: &Operation,
    domain: &Domain,
    pages: &mut [Page<Comment>],
) -> Result<(), DomainError> {
    let authors: Vec<UserId> =
        pages.iter().flat_map(|page| &page.items).map(|(_, comment)| comment.author_id).collect();
    let heard = policy::passing(op, domain, authors, policy::voice_is_visible).await?;
    for page in pages {
        page.items.retain(|(_, comment)| heard.contains(&comment.author_id));
    }
    Ok(())
}

/// The first `first` comments of many posts, an entry for every post that exists: one statement a
/// shard, none when warm (the first twenty of each post are cached).
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
        let (posts, mut pages): (Vec<i64>, Vec<_>) =
            loaded.into_iter().map(|(post, comments)| (post, comments.page)).unzip();
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
    let (posts, mut pages): (Vec<i64>, Vec<_>) =
        found.into_iter().map(|(post, comments)| (post, comments.page)).unzip();
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
        let (_, comments) =
            by_post.entry(row.post_id.as_i64()).or_insert_with(|| (row.version, Vec::new()));
        if let (Some(id), Some(author_id), Some(text)) = (row.id, row.author_id, row.text) {
            let (post_id, entities, reply_count) = (row.post_id, row.entities, row.reply_count);
            let comment = Comment {
                id,
                post_id,
                author_id,
                text,
                in_reply_to: None,
                depth: 0,
                entities,
                reply_count,
            };
            comments.push((id.as_i64(), comment));
        }
    }
    let pages = by_post.into_iter().map(|(post, (version, rows))| {
        (post, FirstComments { version, page: Page::from_rows(rows, first) })
    });
    Ok(pages.collect())
}

/// What is cached of these posts' comments is older than these versions: for projections, after
/// their commit.
///
/// # Errors
/// Redis is away.
pub async fn forget_cached(domain: &Domain, posts: &[(PostId, i64)]) -> Result<(), DomainError> {
    let versions: Vec<(i64, i64)> =
        posts.iter().map(|(post, version)| (post.as_i64(), *version)).collect();
    Ok(domain.redis.invalidate::<FirstComments>(&versions).await?)
}
