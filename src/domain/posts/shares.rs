//! Who shares a post: its reposts and its quotes, as far as the projection has come.

use super::{Post, get_many};
use crate::{DomainError, Fill, Operation, Page, PageRequest};
use plaza_base::ids::{Id, PostId};
use plaza_read_models::shares::{self, ShareKind};

/// Posts that share a post and that the viewer may see, newest first; cursor = post id.
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
                shares::page(connection, shared, kind, part.after, part.rows()).await
            })
            .await?;
        let raw =
            Page::from_rows(ids.into_iter().map(|id| (id.as_i64(), id)).collect(), part.first);
        let ids: Vec<PostId> = raw.items.iter().map(|(_, id)| *id).collect();
        let mut posts = get_many(op, &ids).await?;
        let items = ids.iter().filter_map(|id| posts.remove(id));
        let items = items.map(|post| (post.id.as_i64(), post)).collect();
        fill.add(Page { items, end: raw.end, has_next: raw.has_next });
    }
    Ok(fill.page())
}
