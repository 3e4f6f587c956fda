//! Failed attempts of jobs that are done. A job that ends deletes its own row, unless the row's
//! shard is unavailable at that moment; one that was given up begins anew when it is replayed.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use plaza_base::clock::pause;
use plaza_domain::Domain;
use plaza_stores::StoreError;
use plaza_stores::postgres::{Cluster, jobs as rows};

/// How often they are searched for.
const EVERY: Duration = Duration::from_secs(3_600);
/// Days since the last failure: far longer than a job waits for its next attempt.
const KEEP_DAYS: i32 = 7;
/// Rows deleted in one statement, so that none holds its locks for long.
const BATCH: usize = 1_000;
/// How long one statement may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Deletes old rows every hour until it is stopped; a shard that is unavailable keeps its rows for
/// another hour.
pub async fn forget(domain: Arc<Domain>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            swept = sweep(&domain.cluster) => match swept {
                Ok(count) => tracing::debug!(count, "old attempts of jobs are deleted"),
                Err(error) => tracing::warn!(%error, "old attempts of jobs are kept for now"),
            },
            () = stop.cancelled() => return,
        }
        pause(EVERY, &stop).await;
    }
}

/// Deletes the rows of jobs that last failed more than seven days ago, in small statements, on all
/// shards at once; how many. Any number of processes may do so at the same time. A shard that is
/// unavailable is an error; the others' rows are deleted.
async fn sweep(cluster: &Cluster) -> Result<usize, StoreError> {
    let swept = cluster.sweep(DEADLINE, BATCH, async |connection| {
        rows::forget_old_attempts(connection, KEEP_DAYS, BATCH).await
    });
    swept.await
}
