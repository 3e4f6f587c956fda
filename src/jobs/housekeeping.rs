//! What each shard needs from time to time: partitions of the outbox made ahead and dropped when
//! sent, and rows that nobody asks for any more deleted in pieces. A component of its own, so that
//! nothing that fails or waits here holds up a relay; on each shard one process does it at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use plaza_stores::StoreError;
use plaza_stores::postgres::leader::exclusively;
use plaza_stores::postgres::{Cluster, Connection, Shard, outbox_partitions, sessions};
use plaza_telemetry::metrics::float;

/// How often it is done: partitions that could not be made for want of a lock come a minute later.
const EVERY: Duration = Duration::from_secs(60);
/// Every how many times rows are searched for that nobody asks for any more.
const FORGET_ROUNDS: u32 = 60;
/// Days for which sent messages are kept.
const KEEP_MESSAGES_DAYS: u64 = 7;
/// Days for which used refresh tokens, and sessions that have ended, are known: longer than a
/// session lives without being refreshed.
const KEEP_SESSIONS_DAYS: i32 = 60;
/// Rows deleted in one statement, so that none holds its locks for long.
const PIECE: i64 = 1_000;

/// Keeps every shard until it is stopped.
///
/// # Errors
/// None: what fails is tried again.
pub async fn run(cluster: Arc<Cluster>, stop: CancellationToken) -> anyhow::Result<()> {
    let shards = cluster.indexes().map(|index| {
        let (cluster, stop) = (Arc::clone(&cluster), stop.clone());
        async move {
            let Ok(shard) = cluster.shard(index) else { return };
            let work = || keep(shard);
            exclusively(Arc::clone(&cluster), index, "housekeeping", stop, work).await;
        }
    });
    futures_util::future::join_all(shards).await;
    Ok(())
}

async fn keep(shard: &Shard) -> anyhow::Result<()> {
    let mut connection = shard.direct().await?;
    let mut rounds = 0_u32;
    loop {
        let done = outbox_partitions::maintain(&mut connection, KEEP_MESSAGES_DAYS).await?;
        if done.moved > 0 {
            tracing::warn!(
                shard = shard.index.0,
                moved = done.moved,
                "messages of days without a partition were moved into one"
            );
        }
        let left = outbox_partitions::default_rows(&mut connection).await?;
        metrics::gauge!("plaza_outbox_default_rows", "shard" => shard.index.0.to_string())
            .set(float(left.unsigned_abs()));
        if rounds.is_multiple_of(FORGET_ROUNDS) {
            forget(&mut connection).await?;
        }
        rounds = rounds.wrapping_add(1);
        tokio::time::sleep(EVERY).await;
    }
}

async fn forget(connection: &mut Connection) -> Result<(), StoreError> {
    let full = |deleted: usize| i64::try_from(deleted).is_ok_and(|deleted| deleted >= PIECE);
    while full(sessions::forget_spent(connection, KEEP_SESSIONS_DAYS, PIECE).await?) {}
    while full(sessions::forget_ended(connection, KEEP_SESSIONS_DAYS, PIECE).await?) {}
    Ok(())
}
