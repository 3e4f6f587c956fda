//! Keeping the promise that nothing is read from a cache that was not invalidated: whoever changes
//! rows retries what did not reach Redis, and raises a shard's epoch when that takes long; whoever
//! reads the cache polls the epochs and Redis' own memory (`redis/trust.rs` says why).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Domain;
use plaza_base::clock::pause;
use plaza_base::ids::Id;
use plaza_stores::StoreError;
use plaza_stores::postgres::ShardIndex;

/// How often a process that reads the cache asks whether it may.
const POLL: Duration = Duration::from_millis(250);
/// How often a failed invalidation is sent again.
const RETRY: Duration = Duration::from_millis(50);
/// For how long, before the epoch is raised: a single slow answer makes Redis unavailable for half
/// a second, and must not cost everybody the whole cache.
const RETRIES: Duration = Duration::from_millis(600);
/// The least time between two raises of one process: while Redis is cut off from it alone, each
/// costs the others what they have cached.
const BETWEEN_RAISES: Duration = Duration::from_millis(500);

/// Retries invalidations that failed, and raises the epoch, until it is stopped: for every process
/// that changes rows or invalidates.
///
/// # Errors
/// None: what fails is tried again.
pub async fn retry_invalidations(
    domain: Arc<Domain>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = domain.redis.something_pending() => {}
            () = stop.cancelled() => return Ok(()),
        }
        let began = Instant::now();
        let mut warned = false;
        while !stop.is_cancelled() {
            let pending = domain.redis.pending();
            if pending.is_empty() {
                break;
            }
            if domain.redis.send_pending(&pending).await.is_ok() {
                domain.redis.delivered(&pending);
                continue;
            }
            if began.elapsed() >= RETRIES {
                let first = pending
                    .any_id()
                    .map_or(ShardIndex(0), |id| domain.cluster.shard_of(id.bucket()));
                match raise(&domain, first).await {
                    Ok(()) => {
                        domain.redis.discard(&pending);
                        pause(BETWEEN_RAISES, &stop).await;
                        break;
                    }
                    Err(error) if !warned => {
                        warned = true;
                        tracing::error!(%error, "invalidations reach neither redis nor a shard");
                    }
                    Err(_) => {}
                }
            }
            pause(RETRY, &stop).await;
        }
    }
}

async fn raise(domain: &Domain, first: ShardIndex) -> Result<(), StoreError> {
    domain.cluster.raise_epoch(first).await?;
    metrics::counter!("plaza_cache_epochs_raised_total").increment(1);
    tracing::warn!("invalidations did not reach redis: nothing cached before is trusted");
    Ok(())
}

/// Raises the epoch, however long that takes.
pub(super) async fn raise_until_done(domain: &Domain) {
    while let Err(error) = raise(domain, ShardIndex(0)).await {
        tracing::debug!(%error, "the epoch is not raised yet");
        tokio::time::sleep(RETRY).await;
    }
}

/// Polls whether the cache may be read, until it is stopped: for every process that reads it. It
/// must poll the primaries too (`replicas::poll`).
///
/// # Errors
/// None: while nothing is heard the cache is not read.
pub async fn poll(domain: Arc<Domain>, stop: CancellationToken) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        poll_once(&domain).await;
        let trusted = domain.redis.is_trusted();
        metrics::gauge!("plaza_cache_trusted").set(u32::from(trusted));
        // A process that has just started waits for the shards' first answers.
        pause(if trusted { POLL } else { POLL / 5 }, &stop).await;
    }
    Ok(())
}

async fn poll_once(domain: &Domain) {
    let (raised, began) = (domain.redis.raised(), Instant::now());
    let Some(asked_at) = domain.cluster.epochs_asked_at() else { return };
    let Ok(polled) = domain.redis.poll_generation(&domain.cluster.epochs()).await else { return };
    if !domain.redis.is_current(&polled) {
        // Before anything is loaded for the new generation.
        domain.cluster.require_since(domain.clock.now_ms());
    }
    domain.redis.trust(polled, began, asked_at, raised);
}
