//! Hashtags: which posts have one, from every shard.

use std::collections::BTreeSet;

use super::posts::{self, Post};
use super::{DomainError, Fill, Operation, Page, PageRequest};
use plaza_stores::postgres::hashtags as store;

pub use super::text::references::hashtag as normal_form;

/// Posts counted on each shard at most.
const COUNTED: i64 = 10_000;

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
        let (found, unavailable) = gathered.answered()?;
        missing.extend(unavailable);
        posts::add(op, &mut fill, part, found.into_iter().flatten().collect()).await?;
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
    let (counts, missing) = gathered.answered()?;
    Ok((counts.into_iter().sum(), missing))
}
