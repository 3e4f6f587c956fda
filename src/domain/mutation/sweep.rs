//! Keys that nobody can still be trying again with are deleted.

use std::time::Duration;

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
    let swept = domain.cluster.sweep(DEADLINE, store::FORGOTTEN_AT_ONCE, async |connection| {
        store::forget_old(connection, KEEP_HOURS).await
    });
    Ok(swept.await?)
}
