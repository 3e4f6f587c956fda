//! Views counted by the request that records them: what case 2.2 compares the log with.

use std::collections::BTreeMap;

use crate::{DomainError, Operation};
use plaza_protocol::views::View;
use plaza_read_models::view_windows::{self, Totals, Windows};
use plaza_stores::StoreError;
use plaza_stores::postgres::{Connection, ShardIndex};

/// The partition that views are totalled under which did not go through the log.
const NO_PARTITION: i32 = -1;

/// Counts views at once, in a transaction on each of their shards: how it was done if there were no
/// log.
///
/// # Errors
/// A shard that is unavailable.
pub async fn count(op: &Operation, views: &[View]) -> Result<usize, DomainError> {
    let mut by_shard: BTreeMap<ShardIndex, (Windows, Totals)> = BTreeMap::new();
    for view in views {
        let (windows, totals) =
            by_shard.entry(op.domain.cluster.shard_of_id(view.post_id)).or_default();
        windows.count(view);
        totals.counted += 1;
        totals.watermark = view.at_ms;
    }
    let writes = by_shard.iter().map(|(shard, (windows, totals))| {
        let totals = BTreeMap::from([(NO_PARTITION, *totals)]);
        async move {
            let counting = async |connection: &mut Connection| -> Result<(), StoreError> {
                view_windows::add(connection, windows).await?;
                view_windows::add_totals(connection, &totals).await
            };
            op.domain.cluster.write(*shard, op.deadline, counting).await
        }
    });
    futures_util::future::try_join_all(writes).await?;
    Ok(views.len())
}
