//! Hashtags: which posts have one, from every shard.

use std::collections::BTreeSet;

use super::posts::{self, Post};
use super::{DomainError, Fill, Operation, Page, PageRequest};
use plaza_base::ids::{Id, PostId};
use plaza_stores::postgres::hashtags as store;
use plaza_stores::postgres::scatter::Gathered;

pub use super::text::references::hashtag as normal_form;

/// Posts counted on each shard at most.
const COUNTED: i64 = 10_000;

/// The answers, when there is any, and the numbers of the shards that did not answer.
fn answered<T>(gathered: Gathered<T>) -> Result<(Vec<T>, Vec<usize>), DomainError> {
    let missing: Vec<usize> = gathered.failures.iter().map(|(shard, _)| shard.0).collect();
    if gathered.answers.is_empty() {
        return Ok((gathered.complete()?, missing));
    }
    Ok((gathered.answers.into_iter().map(|(_, answer)| answer).collect(), missing))
}

/// Posts with a hashtag (in its normal form) that the viewer may see, newest first; cursor = post
/// id. The numbers of shards that did not answer come along: their posts are missing.
///
/// # Errors
/// No shard answered.
pub async fn posts(
    op: &Operation,
    tag: &str,
    page: PageRequest,
) -> Result<(Page<Post>, Vec<usize>), DomainError> {
    let (mut fill, mut missing) = (Fill::new(page), BTreeSet::new());
    while let Some(part) = fill.next_part() {
        let below = part.after.unwrap_or(i64::MAX);
        let gathered = op
            .domain
            .cluster
            .scatter_all(&op.reads, async |connection| {
                store::page(connection, tag, below, part.rows()).await
            })
            .await;
        let (found, unavailable) = answered(gathered)?;
        missing.extend(unavailable);
        let mut raw: Vec<PostId> = found.into_iter().flatten().collect();
        raw.sort_unstable_by(|a, b| b.cmp(a));
        let raw =
            Page::from_rows(raw.into_iter().map(|id| (id.as_i64(), id)).collect(), part.first);
        let ids: Vec<PostId> = raw.items.iter().map(|(_, id)| *id).collect();
        let mut posts = posts::get_many(op, &ids).await?;
        let items = ids.iter().filter_map(|id| posts.remove(id));
        let items = items.map(|post| (post.id.as_i64(), post)).collect();
        fill.add(Page { items, end: raw.end, has_next: raw.has_next });
    }
    Ok((fill.page(), missing.into_iter().collect()))
}

/// How many posts have a hashtag, those of private users left out, whoever asks; and the numbers
/// of the shards that did not answer.
///
/// # Errors
/// No shard answered.
pub async fn count(op: &Operation, tag: &str) -> Result<(i64, Vec<usize>), DomainError> {
    let gathered = op
        .domain
        .cluster
        .scatter_all(&op.reads, async |connection| {
            store::count_open(connection, tag, COUNTED).await
        })
        .await;
    let (counts, missing) = answered(gathered)?;
    Ok((counts.into_iter().sum(), missing))
}
