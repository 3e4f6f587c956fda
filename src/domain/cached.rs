//! A cached read: values by id through the cache, and from the shards what it does not hold.

use std::collections::HashMap;

use super::{Domain, DomainError, Operation};
use plaza_stores::StoreError;
use plaza_stores::postgres::{Connection, ReadSession};
use plaza_stores::redis::cache::Cached;

/// A cached value that a shard can give by its id.
pub(super) trait Load: Cached {
    /// Reads from a server of one shard. What does not exist is left out.
    fn load(
        connection: &mut Connection,
        ids: &[Self::Key],
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
    op.domain
        .redis
        .get_many(
            op.cache_policy(),
            ids,
            async |missing| -> Result<HashMap<V::Key, V>, DomainError> {
                let missing = missing.iter().copied();
                Ok(load::<V>(&op.domain, &op.reads, missing).await?.into_iter().collect())
            },
        )
        .await
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
        .scatter_ids(reads, ids, async |connection, ids| V::load(connection, ids).await)
        .await
        .complete()?;
    Ok(loaded.into_iter().flatten().collect())
}
