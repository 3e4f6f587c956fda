//! After the commit, the writer wakes the outbox's relay through Redis, and the relay polls at
//! once. It only saves latency: a relay that is not woken polls by itself, often while Redis
//! is unavailable and seldom while it is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Sink;
use plaza_base::clock::pause;
use plaza_stores::postgres::{Cluster, ShardIndex};
use plaza_stores::redis::Redis;
use plaza_stores::redis::listen::Heard;

/// How often an outbox that had something is polled again when it has nothing and nobody can
/// wake.
const BUSY_POLL: Duration = Duration::from_millis(20);
/// How often one that has been empty for a while is.
const IDLE_POLL: Duration = Duration::from_millis(50);
/// Polls without anything after which an outbox counts as idle.
const IDLE_AFTER: u32 = 50;
/// How often an outbox is polled whose writers wake its relay: for rows of a process that
/// cannot reach Redis, or wakes no relay.
const WOKEN_POLL: Duration = Duration::from_millis(250);

/// Wakes the relays of what this process writes, until it is stopped.
///
/// # Errors
/// None: while Redis is unavailable no relay is woken.
pub async fn publish(
    cluster: Arc<Cluster>,
    redis: Redis,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let shards = tokio::select! {
            shards = cluster.appended.take() => shards,
            () = stop.cancelled() => return Ok(()),
        };
        if let Err(error) = redis.tell_relays(&shards).await {
            tracing::debug!(%error, "relays are not woken");
        }
    }
}

/// What a relay hears.
#[derive(Debug)]
pub struct Wakes {
    hearing: AtomicBool,
    shards: Vec<[Notify; Sink::ALL.len()]>,
}

impl Wakes {
    /// For so many shards.
    pub fn new(shards: usize) -> Self {
        Self {
            hearing: AtomicBool::new(false),
            shards: (0..shards).map(|_| Default::default()).collect(),
        }
    }

    /// Listens until it is stopped.
    ///
    /// # Errors
    /// A URL that is none.
    pub async fn hear(&self, redis: &Redis, stop: &CancellationToken) -> anyhow::Result<()> {
        let heard = |heard: Heard<'_>| match heard {
            Heard::Begun => {
                self.hearing.store(true, Ordering::Release);
                self.shards.iter().flatten().for_each(Notify::notify_one);
            }
            Heard::Said(shards) => {
                let named = shards
                    .split_ascii_whitespace()
                    .filter_map(|shard| self.shards.get(shard.parse::<usize>().ok()?));
                named.flatten().for_each(Notify::notify_one);
            }
            Heard::Lost => self.hearing.store(false, Ordering::Release),
            Heard::Complete(_) => {}
        };
        redis.hear(&redis.relays_channel(), stop, heard).await
    }

    /// Waits until it is time to poll again, after so many polls in a row that found nothing; or to
    /// stop.
    pub async fn next(&self, shard: ShardIndex, sink: Sink, idle: u32, stop: &CancellationToken) {
        let Some(wake) = self.wake(shard, sink) else { return };
        let timeout = match self.hearing.load(Ordering::Acquire) {
            true => WOKEN_POLL,
            false if idle > IDLE_AFTER => IDLE_POLL,
            false => BUSY_POLL,
        };
        tokio::select! {
            () = wake.notified() => {}
            () = pause(timeout, stop) => {}
        }
    }

    fn wake(&self, shard: ShardIndex, sink: Sink) -> Option<&Notify> {
        self.shards.get(shard.0)?.get(usize::try_from(sink.code()).ok()?)
    }
}
