//! Keys that nobody can still be trying again with are deleted.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Domain, DomainError};
use plaza_stores::postgres::idempotency_keys as store;

/// How long the answer to a mutation is kept for its retries.
const KEEP_HOURS: i32 = 48;
/// How long one statement may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Deletes every key that is older than 48 hours, in small statements, on all shards at once; how
/// many. Any number of processes may do so at the same time.
///
/// # Errors
/// A shard that is unavailable: the others' are deleted.
pub async fn sweep(domain: &Domain) -> Result<usize, DomainError> {
    let swept = domain.cluster.indexes().map(|shard| async move {
        let mut count = 0;
        loop {
            let deleted = domain
                .cluster
                .write_alone(shard, Instant::now() + DEADLINE, async |connection| {
                    store::forget_old(connection, KEEP_HOURS).await
                })
                .await?;
            count += deleted;
            if deleted < store::FORGOTTEN_AT_ONCE {
                return Ok::<usize, DomainError>(count);
            }
        }
    });
    let swept = futures_util::future::join_all(swept).await;
    swept.into_iter().try_fold(0, |sum, count| Ok(sum + count?))
}
