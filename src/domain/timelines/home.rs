//! Reading a home feed.

use super::merge::{Merged, Source, merge};
use super::rebuild::{newest, rebuild};
use crate::domain::posts::{self, Post};
use crate::domain::{Domain, DomainError, Operation, Page, PageRequest, relations};
use crate::ids::{Id, PostId, UserId};

/// Rounds in which a page is refilled after hidden posts; then it is given as it is, with a cursor to go on from.
const ROUNDS: usize = 10;

/// The viewer's home: posts of the people they follow, newest first, to the first one ever; cursor = post id.
///
/// # Errors
/// [`DomainError::Unauthenticated`]; a shard that is away and is needed.
pub async fn home(op: &Operation, domain: &Domain, page: PageRequest) -> Result<Page<Post>, DomainError> {
    let viewer = op.require_viewer()?;
    let relations = relations::of_viewer(op, domain).await?;
    let followees = &relations.followees;
    if followees.is_empty() {
        return Ok(Page::default());
    }
    let mut below = page.after.unwrap_or(i64::MAX);
    let mut recent = recent(op, domain, viewer.user_id, followees, below, page.first).await?;
    let mut items: Vec<(i64, Post)> = Vec::with_capacity(page.first);
    let mut more = true;
    for _ in 0..ROUNDS {
        let wanted = page.first - items.len();
        let raw = raw_page(op, domain, followees, &recent, below, wanted + 1).await?;
        more = raw.len() > wanted;
        let raw = raw.get(..wanted).unwrap_or(&raw);
        let hydrated = posts::get_many(op, domain, raw).await?;
        // Somebody unfollowed a moment ago may still be on the timeline: what is shown is decided by whom the viewer follows now.
        let shown = raw.iter().filter_map(|id| hydrated.get(id)).filter(|post| relations.follows(post.author_id));
        items.extend(shown.map(|post| (post.id.as_i64(), post.clone())));
        below = raw.last().map_or(below, |last| last.as_i64());
        if !more || items.len() >= page.first {
            break;
        }
        recent.posts.retain(|post| post.as_i64() < below);
    }
    let end = (below != i64::MAX).then_some(below);
    Ok(Page { items, end, has_next: more })
}

/// Up to `limit` raw ids below the cursor: from what is known without a gap, then from the shards.
async fn raw_page(
    op: &Operation,
    domain: &Domain,
    followees: &[UserId],
    recent: &Merged,
    below: i64,
    limit: usize,
) -> Result<Vec<PostId>, DomainError> {
    let mut raw: Vec<PostId> = recent.posts.iter().copied().filter(|post| post.as_i64() < below).take(limit).collect();
    if raw.len() < limit && recent.horizon > 0 {
        // Everything above the horizon has been given; the shards go on from there, the horizon itself included.
        let from = below.min(recent.horizon.saturating_add(1));
        raw.extend(newest(domain, &op.reads, followees, from, limit - raw.len()).await?);
    }
    Ok(raw)
}

/// What the timeline and the pulled authors know below the cursor.
async fn recent(
    op: &Operation,
    domain: &Domain,
    user: UserId,
    followees: &[UserId],
    below: i64,
    first: usize,
) -> Result<Merged, DomainError> {
    let nothing = Merged { posts: Vec::new(), horizon: i64::MAX - 1 };
    // A client whose follow could not be told to Redis may have a timeline from before it.
    if op.cache_policy().bypass {
        return Ok(nothing);
    }
    let Some(pulled) = domain.pull_authors.among(followees, domain.cluster.len()) else { return Ok(nothing) };
    let timeline = match domain.redis.timeline(user).await {
        Ok(Some(timeline)) => Some(timeline),
        // Past every timeline's reach a rebuild would not help; for the first page it will serve the next reads.
        Ok(None) if below == i64::MAX => rebuild(op, domain, user).await?,
        Ok(None) | Err(_) => None,
    };
    let Some(timeline) = timeline else { return Ok(nothing) };
    if below == i64::MAX && rand::Rng::random_ratio(&mut rand::rng(), 1, 64) {
        // A timeline that is read stays; asking that at every read would cost as much as the read.
        let _ = domain.redis.keep_timeline(user, domain.feed.idle_s).await;
    }
    let mut sources = vec![Source { posts: timeline.posts, horizon: timeline.horizon }];
    if !pulled.is_empty() && below > sources.first().map_or(0, |source| source.horizon) {
        let limit = first.max(20) * 2;
        let posts = newest(domain, &op.reads, &pulled, below, limit).await?;
        let horizon = if posts.len() < limit { 0 } else { posts.last().map_or(0, |last| last.as_i64() - 1) };
        sources.push(Source { posts, horizon });
    }
    Ok(merge(&sources, below))
}
