//! Reading a home feed.

use std::collections::VecDeque;

use futures_util::future::join;

use super::merge::{Merged, Source, merge};
use super::rebuild::{newest, rebuild};
use crate::page::{PARTS, grown};
use crate::posts::{self, Post};
use crate::{DomainError, Operation, Page, PageRequest, relations};
use plaza_base::ids::{Id, PostId, UserId};
use plaza_stores::StoreError;
use plaza_stores::redis::timelines::Timeline;

/// A repost is left out when the original, or another repost of it, is among so many posts that are
/// shown right below it.
const REPEAT_WINDOW: usize = 40;

/// The viewer's home: posts and reposts of the users they follow and their own, newest first, to
/// the first one ever; cursor = post id.
///
/// Which reposts are left out follows from the posts alone, not from where pages end: the same at
/// every size of page, and when the one that another was left out for is gone, that one is there.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; a shard that is unavailable and is needed.
pub async fn home(op: &Operation, page: PageRequest) -> Result<Page<Post>, DomainError> {
    let mut walk = Walk::begin(op, page.after.unwrap_or(i64::MAX), page.first).await?;
    // One more than the page has: whether anything follows is known by it.
    let sought = page.first + 1;
    let mut items: Vec<(i64, Post)> = Vec::with_capacity(sought);
    while items.len() < sought {
        let wanted = sought - items.len();
        walk.look_ahead(wanted).await?;
        let Some(post) = walk.ahead.pop_front() else { break };
        if post.repost_of.is_some() {
            // One read for all reposts of the page.
            if walk.ahead.len() < wanted - 1 + REPEAT_WINDOW {
                walk.look_ahead(wanted - 1 + 2 * REPEAT_WINDOW).await?;
            }
            if walk.ahead.iter().take(REPEAT_WINDOW).any(|other| other.subject() == post.subject())
            {
                continue;
            }
        }
        items.push((post.id.as_i64(), post));
    }
    let page = Page::from_rows(items, page.first);
    if page.has_next {
        return Ok(page);
    }
    // The feed has ended, or the parts have.
    let end = (walk.below != i64::MAX).then_some(walk.below);
    Ok(Page { end, has_next: walk.more, ..page })
}

/// Whether the viewer's home leaves this repost out, for callers that deliver posts one by one.
///
/// # Errors
/// As [`home`].
pub(crate) async fn is_repeat(op: &Operation, post: &Post) -> Result<bool, DomainError> {
    if post.repost_of.is_none() {
        return Ok(false);
    }
    let mut walk = Walk::begin(op, post.id.as_i64(), REPEAT_WINDOW).await?;
    walk.look_ahead(REPEAT_WINDOW).await?;
    Ok(walk.ahead.iter().take(REPEAT_WINDOW).any(|other| other.subject() == post.subject()))
}

/// A walk down a home feed over what may be shown.
struct Walk<'a> {
    op: &'a Operation,
    /// Whose posts it is over, sorted.
    authors: Vec<UserId>,
    recent: Merged,
    /// The last raw row read.
    below: i64,
    /// What comes next and may be shown, newest first.
    ahead: VecDeque<Post>,
    /// Whether anything comes after `below`.
    more: bool,
    /// Parts that may still be asked for; then a page is given as it is, with a cursor to go on
    /// from.
    parts: usize,
    /// How many rows the next part has at least.
    rows: usize,
}

impl<'a> Walk<'a> {
    /// Begins below a post's id in the viewer's home; about `first` posts are wanted.
    async fn begin(op: &'a Operation, below: i64, first: usize) -> Result<Self, DomainError> {
        let viewer = op.require_viewer()?.user_id;
        let (relations, timeline) = join(relations::of_viewer(op), stored(op, viewer)).await;
        let authors = relations?.at_home(viewer);
        let recent = recent(op, (viewer, timeline), &authors, below, first).await?;
        let (ahead, more, parts, rows) = (VecDeque::new(), true, PARTS, 0);
        Ok(Self { op, authors, recent, below, ahead, more, parts, rows })
    }

    /// Makes sure that so many are ahead, unless the feed ends before or the parts do.
    async fn look_ahead(&mut self, wanted: usize) -> Result<(), DomainError> {
        while self.ahead.len() < wanted && self.more && self.parts > 0 {
            self.parts -= 1;
            let rows = self.rows.max(wanted - self.ahead.len());
            self.rows = grown(rows);
            let raw = raw_page(self.op, &self.authors, &self.recent, self.below, rows + 1).await?;
            self.more = raw.len() > rows;
            let raw = raw.get(..rows).unwrap_or(&raw);
            let hydrated = posts::get_many(self.op, raw).await?;
            // Somebody unfollowed a moment ago may still be on the timeline: what is shown is
            // decided by whom the viewer follows now.
            let shown = raw
                .iter()
                .filter_map(|id| hydrated.get(id))
                .filter(|post| self.authors.binary_search(&post.author_id).is_ok());
            self.ahead.extend(shown.cloned());
            self.below = raw.last().map_or(self.below, |last| last.as_i64());
            let below = self.below;
            self.recent.posts.retain(|post| post.as_i64() < below);
        }
        Ok(())
    }
}

/// Up to `limit` raw ids below the cursor: from what is known without a gap, then from the shards.
async fn raw_page(
    op: &Operation,
    authors: &[UserId],
    recent: &Merged,
    below: i64,
    limit: usize,
) -> Result<Vec<PostId>, DomainError> {
    let mut raw: Vec<PostId> =
        recent.posts.iter().copied().filter(|post| post.as_i64() < below).take(limit).collect();
    if raw.len() < limit && recent.horizon > 0 {
        // Everything above the horizon has been given; the shards go on from there, the horizon
        // itself included.
        let from = below.min(recent.horizon.saturating_add(1));
        raw.extend(newest(&op.domain, &op.reads, authors, from, limit - raw.len()).await?);
    }
    Ok(raw)
}

/// A user's timeline, where a client may be shown one: one whose follow did not reach Redis may
/// have a timeline from before it.
async fn stored(op: &Operation, user: UserId) -> Option<Result<Option<Timeline>, StoreError>> {
    if op.cache_policy().bypass { None } else { Some(op.domain.redis.timeline(user).await) }
}

/// What the timeline and the pulled authors know below the cursor.
async fn recent(
    op: &Operation,
    (user, timeline): (UserId, Option<Result<Option<Timeline>, StoreError>>),
    authors: &[UserId],
    below: i64,
    first: usize,
) -> Result<Merged, DomainError> {
    let nothing = Merged { posts: Vec::new(), horizon: i64::MAX - 1 };
    let Some(timeline) = timeline else { return Ok(nothing) };
    let Some(pulled) = op.domain.pull_authors.among(authors, op.domain.cluster.len()) else {
        return Ok(nothing);
    };
    let timeline = match timeline {
        Ok(Some(timeline)) => Some(timeline),
        // Past every timeline's reach a rebuild would not help; for the first page it will serve
        // the next reads.
        Ok(None) if below == i64::MAX => rebuild(op, user).await?,
        Ok(None) | Err(_) => None,
    };
    let Some(timeline) = timeline else { return Ok(nothing) };
    if below == i64::MAX && rand::Rng::random_ratio(&mut rand::rng(), 1, 64) {
        // A timeline that is read stays; asking that at every read would cost as much as the read.
        let _ = op.domain.redis.keep_timeline(user, op.domain.feed.idle_s).await;
    }
    let mut sources = vec![Source { posts: timeline.posts, horizon: timeline.horizon }];
    if !pulled.is_empty() && below > sources.first().map_or(0, |source| source.horizon) {
        let limit = first.max(20) * 2;
        let posts = newest(&op.domain, &op.reads, &pulled, below, limit).await?;
        let horizon =
            if posts.len() < limit { 0 } else { posts.last().map_or(0, |last| last.as_i64() - 1) };
        sources.push(Source { posts, horizon });
    }
    Ok(merge(&sources, below))
}
