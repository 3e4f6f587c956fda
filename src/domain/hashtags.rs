//! Hashtags: which posts have one, from every shard.

use std::collections::BTreeSet;

use super::posts::{self, Post};
use super::{Domain, DomainError, Operation, Page, PageRequest};
use crate::ids::{Id, PostId};
use crate::stores::postgres::scatter::Gathered;
use crate::stores::postgres::{Connection, hashtags as store};

pub use super::text::references::hashtag as normal_form;

/// Rounds in which a page is refilled after hidden posts; then it is given as it is, with a cursor
/// to go on from.
const ROUNDS: usize = 10;
/// Posts counted on each shard at most.
const COUNTED: i64 = 10_000;

/// The answers, when there is any, and the numbers of the shards that did not answer.
fn answered<T>(gathered: Gathered<T>) -> Result<(Vec<T>, Vec<usize>), DomainError> {
    let away: Vec<usize> = gathered.failures.iter().map(|(shard, _)| shard.0).collect();
    if gathered.answers.is_empty() {
        return Ok((gathered.complete()?, away));
    }
    Ok((gathered.answers.into_iter().map(|(_, answer)| answer).collect(), away))
}

/// Posts with a hashtag (in its normal form) that the viewer may see, newest first; cursor = post
/// id. The numbers of shards that did not answer come along: their posts are missing.
///
/// # Errors
/// No shard answered.
pub async fn posts(
    op: &Operation,
    domain: &Domain,
    tag: &str,
    page: PageRequest,
) -> Result<(Page<Post>, Vec<usize>), DomainError> {
    let (mut below, mut has_next) = (page.after.unwrap_or(i64::MAX), true);
    let (mut items, mut missing) = (Vec::with_capacity(page.first), BTreeSet::new());
    for _ in 0..ROUNDS {
        let wanted = page.first - items.len();
        let limit = i64::try_from(wanted + 1).unwrap_or(i64::MAX);
        let gathered = domain
            .cluster
            .scatter_all(&op.reads, async |connection: &mut Connection| {
                store::page(connection, tag, below, limit).await
            })
            .await;
        let (found, away) = answered(gathered)?;
        missing.extend(away);
        let mut raw: Vec<PostId> = found.into_iter().flatten().collect();
        raw.sort_unstable_by(|a, b| b.cmp(a));
        has_next = raw.len() > wanted;
        raw.truncate(wanted);
        let mut hydrated = posts::get_many(op, domain, &raw).await?;
        items.extend(
            raw.iter().filter_map(|id| hydrated.remove(id)).map(|post| (post.id.as_i64(), post)),
        );
        below = raw.last().map_or(below, |last| last.as_i64());
        if !has_next || items.len() >= page.first {
            break;
        }
    }
    let end = (below != i64::MAX).then_some(below);
    Ok((Page { items, end, has_next }, missing.into_iter().collect()))
}

/// How many posts have a hashtag, those of private people left out, whoever asks; and the numbers
/// of the shards that did not answer.
///
/// # Errors
/// No shard answered.
pub async fn count(
    op: &Operation,
    domain: &Domain,
    tag: &str,
) -> Result<(i64, Vec<usize>), DomainError> {
    let gathered = domain
        .cluster
        .scatter_all(&op.reads, async |connection: &mut Connection| {
            store::count_open(connection, tag, COUNTED).await
        })
        .await;
    let (counts, away) = answered(gathered)?;
    Ok((counts.into_iter().sum(), away))
}
