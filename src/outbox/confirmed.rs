//! The wait for a replica to have what is about to be sent.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Sink;
use plaza_base::clock::pause;
use plaza_stores::StoreError;
use plaza_stores::postgres::outbox::is_confirmed;
use plaza_stores::postgres::pool::PooledConnection;
use plaza_stores::postgres::{Shard, ShardIndex};

/// How soon a shard without a connected replica is asked again, and how often a wait is recorded.
const RETRY: Duration = Duration::from_secs(1);

/// Waits until a replica has everything that the connection has read, for as long as that takes:
/// true; or until it is time to stop: false. A shard that is configured without replicas waits for
/// none.
///
/// # Errors
/// The shard's.
pub async fn wait(
    connection: &mut PooledConnection,
    (shard, sink): (&Shard, Sink),
    stop: &CancellationToken,
) -> Result<bool, StoreError> {
    if !shard.has_replicas() {
        return Ok(true);
    }
    let began = Instant::now();
    loop {
        if ask(connection, (shard, sink), began, stop).await? {
            record(shard.index, sink, Duration::ZERO);
            return Ok(true);
        }
        pause(RETRY, stop).await;
        if stop.is_cancelled() {
            return Ok(false);
        }
        record(shard.index, sink, began.elapsed());
    }
}

/// Asks once, which may hang as long as replicas do, and records meanwhile for how long; false
/// without an answer when it is time to stop.
async fn ask(
    connection: &mut PooledConnection,
    (shard, sink): (&Shard, Sink),
    began: Instant,
    stop: &CancellationToken,
) -> Result<bool, StoreError> {
    let mut answer = std::pin::pin!(is_confirmed(connection));
    loop {
        tokio::select! {
            biased;
            confirmed = &mut answer => return confirmed,
            () = pause(RETRY, stop) => {}
        }
        if stop.is_cancelled() {
            return Ok(false);
        }
        record(shard.index, sink, began.elapsed());
        // One that was failed over shows what it had, and waits for replicas that have left it.
        if shard.look_for_primary().await {
            return Err(StoreError::unavailable("postgres", "the primary is another server"));
        }
    }
}

/// Sets the metric of how long messages have waited so.
pub fn record(shard: ShardIndex, sink: Sink, waited: Duration) {
    metrics::gauge!("plaza_outbox_unconfirmed_seconds", "shard" => shard.0.to_string(), "sink" => sink.name())
        .set(waited.as_secs_f64());
}
