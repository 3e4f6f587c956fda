//! Lists of comments: on posts, and the answers to comments; oldest first. Comments by users whom
//! the viewer may not see are left out, and do not shorten a page.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::cached::{self, Load};
use super::comments::Comment;
use super::{DomainError, Fill, Operation, Page, PageRequest, policy};
use plaza_base::ids::{CommentId, Id, PostId, UserId};
use plaza_stores::StoreError;
use plaza_stores::postgres::Connection;
use plaza_stores::postgres::comments::{self as store, Beyond};
use plaza_stores::redis::cache::Cached;

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
    type Key = PostId;
    const KIND: &'static str = "comments";
    const LOCAL: bool = true;
    fn version(&self) -> i64 {
        self.version
    }
}

/// What comments are listed under.
trait Parent: Id {
    /// Rows under each of one shard's parents, above an id of its own and at most `limit` under
    /// each.
    fn rows(
        connection: &mut Connection,
        parents: &[Self],
        beyond: Beyond<'_>,
    ) -> impl Future<Output = Result<Vec<store::Comment>, StoreError>> + Send;

    /// The parent of a row.
    fn of(row: &store::Comment) -> Option<Self>;
}

impl Parent for PostId {
    async fn rows(
        connection: &mut Connection,
        posts: &[PostId],
        beyond: Beyond<'_>,
    ) -> Result<Vec<store::Comment>, StoreError> {
        store::on_posts(connection, posts, beyond).await
    }

    fn of(row: &store::Comment) -> Option<PostId> {
        Some(row.post_id)
    }
}

/// A comment is in its post's bucket, so its own id names the shard.
impl Parent for CommentId {
    async fn rows(
        connection: &mut Connection,
        comments: &[CommentId],
        beyond: Beyond<'_>,
    ) -> Result<Vec<store::Comment>, StoreError> {
        store::replies(connection, comments, beyond).await
    }

    fn of(row: &store::Comment) -> Option<CommentId> {
        row.in_reply_to
    }
}

/// Rows under each parent beyond an id, at most `limit` under each: one statement a shard.
async fn rows<P: Parent>(
    op: &Operation,
    beyond: &HashMap<P, i64>,
    (descending, limit): (bool, i64),
) -> Result<HashMap<P, Vec<(i64, Comment)>>, DomainError> {
    let parents = beyond.keys().copied();
    let rows = op
        .domain
        .cluster
        .scatter_ids(&op.reads, parents, async |connection, ids| {
            let from: Vec<i64> =
                ids.iter().map(|id| beyond.get(id).copied().unwrap_or_default()).collect();
            P::rows(connection, ids, Beyond { descending, ids: &from, limit }).await
        })
        .await
        .complete()?;
    let mut by_parent: HashMap<P, Vec<(i64, Comment)>> = HashMap::new();
    for row in rows.into_iter().flatten() {
        if let Some(parent) = P::of(&row) {
            by_parent.entry(parent).or_default().push((row.id.as_i64(), row.into()));
        }
    }
    Ok(by_parent)
}

/// Fills many pages at once: as often as one of them needs another part, one statement a shard.
async fn filled<P: Parent>(
    op: &Operation,
    mut fills: HashMap<P, Fill<Comment>>,
) -> Result<HashMap<P, Page<Comment>>, DomainError> {
    loop {
        let parts: Vec<(P, PageRequest)> =
            fills.iter().filter_map(|(parent, fill)| Some((*parent, fill.next_part()?))).collect();
        let Some(most) = parts.iter().map(|(_, part)| part.first).max() else { break };
        // All of them are read from the same end.
        let descending = parts.iter().any(|(_, part)| part.backwards);
        let beyond: HashMap<P, i64> =
            parts.iter().map(|(parent, part)| (*parent, part.oldest_first().beyond)).collect();
        let limit = i64::try_from(most + 1).unwrap_or(i64::MAX);
        let mut found = rows(op, &beyond, (descending, limit)).await?;
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

/// Leaves out the comments of users the viewer may not see.
async fn keep_heard(op: &Operation, pages: &mut [Page<Comment>]) -> Result<(), DomainError> {
    let authors: Vec<UserId> =
        pages.iter().flat_map(|page| &page.items).map(|(_, comment)| comment.author_id).collect();
    let heard = policy::passing(op, authors, policy::voice_is_visible).await?;
    for page in pages {
        page.items.retain(|(_, comment)| heard.contains(&comment.author_id));
    }
    Ok(())
}

/// The comments on a post itself that the viewer may see, oldest first, from either end; cursor =
/// comment id.
///
/// # Errors
/// The post's shard is unavailable.
pub async fn by_post(
    op: &Operation,
    post: PostId,
    page: PageRequest,
) -> Result<Page<Comment>, DomainError> {
    let fills = HashMap::from([(post, Fill::new(page))]);
    let mut pages = filled(op, fills).await?;
    Ok(pages.remove(&post).unwrap_or_default())
}

/// The answers to a comment that the viewer may see, oldest first, from either end; cursor =
/// comment id.
///
/// # Errors
/// The comment's shard is unavailable.
pub async fn replies(
    op: &Operation,
    comment: CommentId,
    page: PageRequest,
) -> Result<Page<Comment>, DomainError> {
    let fills = HashMap::from([(comment, Fill::new(page))]);
    let mut pages = filled(op, fills).await?;
    Ok(pages.remove(&comment).unwrap_or_default())
}

/// The first answers to each of these comments that the viewer may see, an entry for every one: one
/// statement a shard, unless some are hidden.
///
/// # Errors
/// A shard that is unavailable.
pub async fn replies_of_many(
    op: &Operation,
    comments: &[CommentId],
    first: usize,
) -> Result<HashMap<CommentId, Page<Comment>>, DomainError> {
    let page = PageRequest::forwards(first, None);
    let fills = comments.iter().map(|comment| (*comment, Fill::new(page))).collect();
    filled(op, fills).await
}

/// The first `first` comments of many posts that the viewer may see, an entry for every post that
/// exists: one statement a shard, none when warm (the first twenty of each post are cached), and
/// more where some are hidden.
///
/// # Errors
/// A shard that is unavailable.
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
            .scatter_ids(&op.reads, posts, async |connection, posts| {
                load_first(connection, posts, first + 1).await
            })
            .await
            .complete()?;
        rows.into_iter().flatten().collect()
    };
    let (posts, mut pages): (Vec<PostId>, Vec<Page<Comment>>) =
        found.into_iter().map(|(post, comments)| (post, comments.page)).unzip();
    keep_heard(op, &mut pages).await?;
    let fills = posts.into_iter().zip(pages).map(|(post, page)| {
        let mut fill = Fill::new(PageRequest::forwards(first, None));
        fill.add(page);
        (post, fill)
    });
    filled(op, fills.collect()).await
}

impl Load for FirstComments {
    async fn load(
        connection: &mut Connection,
        ids: &[PostId],
    ) -> Result<Vec<(PostId, Self)>, StoreError> {
        load_first(connection, ids, CACHED).await
    }
}

/// The beginnings of one shard's posts, an entry for every post that exists.
async fn load_first(
    connection: &mut Connection,
    posts: &[PostId],
    first: usize,
) -> Result<Vec<(PostId, FirstComments)>, StoreError> {
    let limit = i64::try_from(first + 1).unwrap_or(i64::MAX);
    let mut by_post: HashMap<PostId, (i64, Vec<(i64, Comment)>)> = HashMap::new();
    for row in store::first_of_many(connection, posts, limit).await? {
        let (_, comments) = by_post.entry(row.post_id).or_insert_with(|| (row.version, Vec::new()));
        if let (Some(id), Some(author_id), Some(text)) = (row.id, row.author_id, row.text) {
            let (post_id, entities, reply_count) = (row.post_id, row.entities, row.reply_count);
            let comment = store::Comment {
                id,
                post_id,
                author_id,
                text,
                in_reply_to: None,
                depth: 0,
                entities,
                reply_count,
            };
            comments.push((id.as_i64(), comment.into()));
        }
    }
    let pages = by_post.into_iter().map(|(post, (version, rows))| {
        (post, FirstComments { version, page: Page::from_rows(rows, first) })
    });
    Ok(pages.collect())
}
