//! Notifications that were read long ago, and the oldest of users who have very many, are deleted.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use plaza_base::clock::{Clock, pause};
use plaza_base::ids::{Bucket, compose};
use plaza_config::NotificationsConfig;
use plaza_domain::Domain;
use plaza_stores::StoreError;
use plaza_stores::postgres::old_notifications::{self as rows, Kept};
use plaza_stores::postgres::{Cluster, Connection, ShardIndex};

/// How often all users are walked through.
const EVERY: Duration = Duration::from_secs(24 * 3_600);
/// Users of one statement.
const USERS: i64 = 500;
/// The rest between two statements: a day is long.
const REST: Duration = Duration::from_millis(50);
/// How long one statement may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// No notification is deleted before: the ledger compares those of the last week with their causes.
const SETTLED_DAYS: i64 = 8;
const DAY_MS: i64 = 86_400_000;

/// Deletes once a day until it is stopped; what a shard that is unavailable has is deleted the next
/// day.
pub async fn forget(domain: Arc<Domain>, config: NotificationsConfig, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            deleted = sweep(&domain.cluster, config, &domain.clock) => match deleted {
                Ok(count) => tracing::debug!(count, "old notifications are deleted"),
                Err(error) => tracing::warn!(%error, "old notifications are kept for now"),
            },
            () = stop.cancelled() => return,
        }
        pause(EVERY, &stop).await;
    }
}

/// Deletes what is old on all shards at once, in small statements; how many. Any number of
/// processes may do so at the same time.
///
/// # Errors
/// A shard that is unavailable: the others' are deleted.
pub async fn sweep(
    cluster: &Cluster,
    config: NotificationsConfig,
    clock: &Clock,
) -> Result<i64, StoreError> {
    let id_of = |days: i64| compose(clock.now_ms() - days * DAY_MS, Bucket::new(0), 0);
    let kept = Kept {
        read_since: id_of(i64::from(config.keep_read_days)),
        since: id_of(SETTLED_DAYS),
        most: config.most,
    };
    let shards = cluster.indexes().map(|shard| sweep_shard(cluster, shard, kept));
    let swept = futures_util::future::join_all(shards).await;
    swept.into_iter().try_fold(0, |sum, count| Ok(sum + count?))
}

async fn sweep_shard(cluster: &Cluster, shard: ShardIndex, kept: Kept) -> Result<i64, StoreError> {
    let (mut count, mut after) = (0, 0);
    loop {
        let statement =
            async |connection: &mut Connection| rows::forget(connection, kept, after, USERS).await;
        let swept = cluster.write_alone(shard, Instant::now() + DEADLINE, statement).await?;
        count += swept.deleted;
        tokio::time::sleep(REST).await;
        if swept.deleted >= rows::AT_ONCE {
            // There is more of the same users.
            continue;
        }
        match swept.last {
            Some(last) if swept.users >= USERS => after = last,
            _ => return Ok(count),
        }
    }
}
