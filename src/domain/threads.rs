//! Lists of comments: on posts, and the answers to comments; oldest first. Comments by people whom
//! the viewer may not see are left out, and do not shorten a page.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::cached::{self, Load};
use super::comments::Comment;
use super::{Domain, DomainError, Fill, Operation, Page, PageRequest, policy};
use crate::ids::{CommentId, Id, PostId, UserId};
use crate::stores::StoreError;
use crate::stores::postgres::{Connection, comments as store};
use crate::stores::redis::cache::Cached;

/// How many of a post's first comments are cached: those of the largest page that is served from
/// there, and one more, by which it is known whether anything follows.
const CACHED: usize = 21;

/// The beginning of a post's comments, as of the post's version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FirstComments {
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

/// What comments are listed under.
#[derive(Debug, Clone, Copy)]
enum Under {
    Posts,
    Comments,
}

/// Rows under each parent above an id, at most `limit` under each: one statement a shard.
async fn rows(
    op: &Operation,
    under: Under,
    above: &HashMap<i64, i64>,
    limit: i64,
) -> Result<HashMap<i64, Vec<(i64, Comment)>>, DomainError> {
    let parents = above.keys().copied();
    let rows = op
        .domain
        .cluster
        .scatter_ids(
            &op.reads,
            // A comment is in its post's bucket, and only the bucket counts here.
            parents.map(PostId::from_i64),
            async |connection: &mut Connection, ids: &[i64]| {
                let from: Vec<i64> =
                    ids.iter().map(|id| above.get(id).copied().unwrap_or_default()).collect();
                match under {
                    Under::Posts => store::on_posts(connection, ids, &from, limit).await,
                    Under::Comments => store::replies(connection, ids, &from, limit).await,
                }
            },
        )
        .await
        .complete()?;
    let mut by_parent: HashMap<i64, Vec<(i64, Comment)>> = HashMap::new();
    for row in rows.into_iter().flatten() {
        let parent = match under {
            Under::Posts => Some(row.post_id.as_i64()),
            Under::Comments => row.in_reply_to.map(Id::as_i64),
        };
        if let Some(parent) = parent {
            by_parent.entry(parent).or_default().push((row.id.as_i64(), row));
        }
    }
    Ok(by_parent)
}

/// Fills many pages at once: as often as one of them needs another part, one statement a shard.
async fn filled(
    op: &Operation,
    under: Under,
    mut fills: HashMap<i64, Fill<Comment>>,
) -> Result<HashMap<i64, Page<Comment>>, DomainError> {
    loop {
        let parts: Vec<(i64, PageRequest)> =
            fills.iter().filter_map(|(parent, fill)| Some((*parent, fill.next_part()?))).collect();
        let Some(most) = parts.iter().map(|(_, part)| part.first).max() else { break };
        let above: HashMap<i64, i64> =
            parts.iter().map(|(parent, part)| (*parent, part.after.unwrap_or_default())).collect();
        let limit = i64::try_from(most + 1).unwrap_or(i64::MAX);
        let mut found = rows(op, under, &above, limit).await?;
        let mut pages: Vec<Page<Comment>> = parts
            .iter()
            .map(|(parent, _)| Page::from_rows(found.remove(parent).unwrap_or_default(), most))
            .collect();
        keep_heard(op, &mut pages).await?;
        for ((parent, _), page) in parts.into_iter().zip(pages) {
            if let Some(fill) = fills.get_mut(&parent) {
                fill.add(page);
            }
        }
    }
    Ok(fills.into_iter().map(|(parent, fill)| (parent, fill.page())).collect())
}

/// Leaves out the comments of people the viewer may not see.
async fn keep_heard(op: &Operation, pages: &mut [Page<Comment>]) -> Result<(), DomainError> {
    let authors: Vec<UserId> =
        pages.iter().flat_map(|page| &page.items).map(|(_, comment)| comment.author_id).collect();
    let heard = policy::passing(op, authors, policy::voice_is_visible).await?;
    for page in pages {
        page.items.retain(|(_, comment)| heard.contains(&comment.author_id));
    }
    Ok(())
}

/// The comments on a post itself that the viewer may see, oldest first; cursor = comment id.
///
/// # Errors
/// The post's shard is away.
pub async fn by_post(
    op: &Operation,
    post: PostId,
    page: PageRequest,
) -> Result<Page<Comment>, DomainError> {
    let fills = HashMap::from([(post.as_i64(), Fill::new(page))]);
    let mut pages = filled(op, Under::Posts, fills).await?;
    Ok(pages.remove(&post.as_i64()).unwrap_or_default())
}

/// The answers to a comment that the viewer may see, oldest first; cursor = comment id.
///
/// # Errors
/// The comment's shard is away.
pub async fn replies(
    op: &Operation,
    comment: CommentId,
    page: PageRequest,
) -> Result<Page<Comment>, DomainError> {
    let fills = HashMap::from([(comment.as_i64(), Fill::new(page))]);
    let mut pages = filled(op, Under::Comments, fills).await?;
    Ok(pages.remove(&comment.as_i64()).unwrap_or_default())
}

/// The first answers to each of these comments that the viewer may see, an entry for every one: one
/// statement a shard, unless some are hidden.
///
/// # Errors
/// A shard that is away.
pub async fn replies_of_many(
    op: &Operation,
    comments: &[CommentId],
    first: usize,
) -> Result<HashMap<CommentId, Page<Comment>>, DomainError> {
    let page = PageRequest { first, after: None };
    let fills = comments.iter().map(|comment| (comment.as_i64(), Fill::new(page))).collect();
    let pages = filled(op, Under::Comments, fills).await?;
    Ok(pages.into_iter().map(|(comment, page)| (CommentId::from_i64(comment), page)).collect())
}

/// The first `first` comments of many posts that the viewer may see, an entry for every post that
/// exists: one statement a shard, none when warm (the first twenty of each post are cached), and
/// more where some are hidden.
///
/// # Errors
/// A shard that is away.
pub async fn first_of_many(
    op: &Operation,
    posts: &[PostId],
    first: usize,
) -> Result<HashMap<PostId, Page<Comment>>, DomainError> {
    let found = if first < CACHED {
        cached::get(op, posts).await?
    } else {
        let posts = posts.iter().copied();
        let rows = op
            .domain
            .cluster
            .scatter_ids(&op.reads, posts, async |connection: &mut Connection, posts: &[i64]| {
                load_first(connection, posts, first + 1).await
            })
            .await
            .complete()?;
        rows.into_iter().flatten().collect()
    };
    let (posts, mut pages): (Vec<i64>, Vec<Page<Comment>>) =
        found.into_iter().map(|(post, comments)| (post.as_i64(), comments.page)).unzip();
    keep_heard(op, &mut pages).await?;
    let fills = posts.into_iter().zip(pages).map(|(post, page)| {
        let mut fill = Fill::new(PageRequest { first, after: None });
        fill.add(page);
        (post, fill)
    });
    let pages = filled(op, Under::Posts, fills.collect()).await?;
    Ok(pages.into_iter().map(|(post, page)| (PostId::from_i64(post), page)).collect())
}

impl Load for FirstComments {
    type Key = PostId;

    async fn load(
        connection: &mut Connection,
        ids: &[i64],
    ) -> Result<Vec<(PostId, Self)>, StoreError> {
        load_first(connection, ids, CACHED).await
    }
}

/// The beginnings of one shard's posts, an entry for every post that exists.
async fn load_first(
    connection: &mut Connection,
    posts: &[i64],
    first: usize,
) -> Result<Vec<(PostId, FirstComments)>, StoreError> {
    let limit = i64::try_from(first + 1).unwrap_or(i64::MAX);
    let mut by_post: HashMap<PostId, (i64, Vec<(i64, Comment)>)> = HashMap::new();
    for row in store::first_of_many(connection, posts, limit).await? {
        let (_, comments) = by_post.entry(row.post_id).or_insert_with(|| (row.version, Vec::new()));
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
