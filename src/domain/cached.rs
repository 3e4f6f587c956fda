//! A cached read: values by id through the cache, and from the shards what it does not hold.

use std::collections::HashMap;

use super::{Domain, DomainError, Operation};
use crate::ids::Id;
use crate::stores::StoreError;
use crate::stores::postgres::{Connection, ReadSession};
use crate::stores::redis::cache::Cached;

/// A cached value that a shard can give by its id.
pub(super) trait Load: Cached {
    /// What it is read by; names the shard.
    type Key: Id;

    /// Reads from a server of one shard. What does not exist is left out.
    fn load(
        connection: &mut Connection,
        ids: &[i64],
    ) -> impl Future<Output = Result<Vec<(Self::Key, Self)>, StoreError>> + Send;
}

/// Values by id, through the cache as far as the operation may use it; those that do not exist are
/// left out. At most one statement a shard.
///
/// # Errors
/// A shard that is unavailable.
pub(super) async fn get<V: Load>(
    op: &Operation,
    ids: &[V::Key],
) -> Result<HashMap<V::Key, V>, DomainError> {
    let raw: Vec<i64> = ids.iter().map(|id| id.as_i64()).collect();
    let found = op
        .domain
        .redis
        .get_many(
            op.cache_policy(),
            &raw,
            async |missing: &[i64]| -> Result<HashMap<i64, V>, DomainError> {
                let missing = missing.iter().copied().map(V::Key::from_i64);
                let loaded = load::<V>(&op.domain, &op.reads, missing).await?;
                Ok(loaded.into_iter().map(|(id, value)| (id.as_i64(), value)).collect())
            },
        )
        .await?;
    Ok(found.into_iter().map(|(id, value)| (V::Key::from_i64(id), value)).collect())
}

/// The same past the cache, from the servers that a session may read: one statement a shard.
///
/// # Errors
/// A shard that is unavailable.
pub(super) async fn load<V: Load>(
    domain: &Domain,
    reads: &ReadSession,
    ids: impl IntoIterator<Item = V::Key> + Send,
) -> Result<Vec<(V::Key, V)>, DomainError> {
    let loaded = domain
        .cluster
        .scatter_ids(reads, ids, async |connection: &mut Connection, ids: &[i64]| {
            V::load(connection, ids).await
        })
        .await
        .complete()?;
    Ok(loaded.into_iter().flatten().collect())
}
