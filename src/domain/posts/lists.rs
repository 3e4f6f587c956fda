//! Lists of posts, newest first: pages of those that the viewer may see. Cursor = post id.

use std::collections::BTreeSet;

use super::{Post, get_many};
use crate::{DomainError, Fill, Operation, Page, PageRequest};
use plaza_base::ids::{Id, PostId};
use plaza_read_models::shares::{self, ShareKind};
use plaza_stores::postgres::posts as store;

/// Adds a part of a list to a page: `ids` are its rows, one more than `part` shows if it goes on.
///
/// # Errors
/// A shard that is unavailable.
pub(crate) async fn add(
    op: &Operation,
    fill: &mut Fill<Post>,
    part: PageRequest,
    mut ids: Vec<PostId>,
) -> Result<(), DomainError> {
    ids.sort_unstable();
    if !part.backwards {
        ids.reverse();
    }
    let raw = Page::from_rows(ids.into_iter().map(|id| (id.as_i64(), id)).collect(), part.first);
    let ids: Vec<PostId> = raw.items.iter().map(|(_, id)| *id).collect();
    let mut posts = get_many(op, &ids).await?;
    let items = ids.iter().filter_map(|id| posts.remove(id));
    let items = items.map(|post| (post.id.as_i64(), post)).collect();
    fill.add(Page { items, end: raw.end, has_next: raw.has_next });
    Ok(())
}

/// The newest posts of everybody but reposts. The numbers of shards that did not answer come along:
/// their posts are missing.
///
/// # Errors
/// No shard answered.
pub async fn newest(
    op: &Operation,
    page: PageRequest,
) -> Result<(Page<Post>, Vec<usize>), DomainError> {
    let (mut fill, mut missing) = (Fill::new(page), BTreeSet::new());
    while let Some(part) = fill.next_part() {
        let below = part.after.unwrap_or(i64::MAX);
        let gathered = op
            .domain
            .cluster
            .scatter_all(&op.reads, async |connection| {
                store::newest(connection, below, part.rows()).await
            })
            .await;
        let (found, unavailable) = gathered.answered()?;
        missing.extend(unavailable);
        add(op, &mut fill, part, found.into_iter().flatten().collect()).await?;
    }
    Ok((fill.page(), missing.into_iter().collect()))
}

/// Posts that share a post: its reposts or its quotes, as far as the projection has come.
///
/// # Errors
/// A shard that is unavailable.
pub async fn sharing(
    op: &Operation,
    shared: PostId,
    kind: ShareKind,
    page: PageRequest,
) -> Result<Page<Post>, DomainError> {
    let shard = op.domain.cluster.shard_of_id(shared);
    let mut fill = Fill::new(page);
    while let Some(part) = fill.next_part() {
        let ids = op
            .domain
            .cluster
            .read(&op.reads, shard, async |connection| {
                shares::page(connection, shared, kind, part.newest_first()).await
            })
            .await?;
        add(op, &mut fill, part, ids).await?;
    }
    Ok(fill.page())
}
