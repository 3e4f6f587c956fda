//! How far each replica has come: one task per process asks every replica, and a replica that lags, stalls or dies serves
//! nobody until it has been well for three looks in a row.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::pool::{Manager, PooledConnection};
use super::position::{primary_lsn, replayed_lsn};
use super::session::Lsn;
use crate::stores::StoreError;

/// Looks in a row that must be good before a replica serves again.
const GOOD_LOOKS: u32 = 3;

/// What is known of one replica.
#[derive(Debug, Default)]
pub struct ReplicaState {
    replayed: AtomicU64,
    lag_ms: AtomicU64,
    serving: AtomicBool,
    good_looks: AtomicU32,
}

impl ReplicaState {
    /// Whether it may answer a read that must see everything up to `required`.
    pub fn serves(&self, required: Lsn) -> bool {
        self.serving.load(Ordering::Acquire) && self.replayed.load(Ordering::Acquire) >= required
    }

    /// Sets it aside.
    pub fn eject(&self) {
        self.good_looks.store(0, Ordering::Release);
        self.serving.store(false, Ordering::Release);
    }

    /// Replayed position, lag in milliseconds, and whether it serves.
    pub fn snapshot(&self) -> (Lsn, u64, bool) {
        (self.replayed.load(Ordering::Acquire), self.lag_ms.load(Ordering::Acquire), self.serving.load(Ordering::Acquire))
    }

    fn look(&self, replayed: Lsn, lag: Duration, max_lag: Duration) {
        self.replayed.store(replayed, Ordering::Release);
        self.lag_ms.store(u64::try_from(lag.as_millis()).unwrap_or(u64::MAX), Ordering::Release);
        let serving = self.serving.load(Ordering::Acquire);
        let limit = if serving { max_lag } else { max_lag / 2 };
        if lag > limit {
            if serving {
                tracing::warn!(lag_ms = lag.as_millis(), "replica lags, set aside");
            }
            self.eject();
        } else if self.good_looks.fetch_add(1, Ordering::AcqRel) + 1 >= GOOD_LOOKS {
            self.serving.store(true, Ordering::Release);
        }
    }
}

/// Where the primary was when, so that a replica's position says how long ago that was.
#[derive(Debug, Default)]
struct History(VecDeque<(Instant, Lsn)>);

impl History {
    fn record(&mut self, lsn: Lsn) {
        if self.0.back().is_none_or(|(_, last)| *last != lsn) {
            self.0.push_back((Instant::now(), lsn));
        }
        if self.0.len() > 1_024 {
            self.0.pop_front();
        }
    }

    /// How long ago the primary first went past `replayed`; zero when it has not.
    fn lag(&self, replayed: Lsn) -> Duration {
        self.0.iter().find(|(_, lsn)| *lsn > replayed).map(|(at, _)| at.elapsed()).unwrap_or_default()
    }
}

/// Asks every replica of every shard, for ever; runs until the future is dropped.
pub async fn poll(cluster: Arc<Cluster>, every: Duration, max_lag: Duration) {
    let shards = cluster.indexes().map(|index| poll_shard(Arc::clone(&cluster), index.0, every, max_lag));
    futures_util::future::join_all(shards).await;
}

async fn poll_shard(cluster: Arc<Cluster>, number: usize, every: Duration, max_lag: Duration) {
    let Some(shard) = cluster.shards.get(number) else { return };
    let mut primary = None;
    let mut replicas: Vec<Option<PooledConnection>> = shard.replicas.iter().map(|_| None).collect();
    let mut history = History::default();
    let patience = (every * 5).max(Duration::from_millis(500));
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(lsn) = ask(&shard.direct, &mut primary, patience, async |connection| primary_lsn(connection).await).await {
            history.record(lsn);
        }
        let looks = shard.replicas.iter().zip(replicas.iter_mut()).map(|(replica, connection)| {
            let history = &history;
            async move {
                match ask(&replica.probe, connection, patience, async |connection| replayed_lsn(connection).await).await {
                    Some(lsn) => replica.state.look(lsn, history.lag(lsn), max_lag),
                    None => replica.state.eject(),
                }
            }
        });
        futures_util::future::join_all(looks).await;
    }
}

/// One question on a kept connection, opened anew when it broke; `None` when there is no answer in time.
async fn ask<F>(manager: &Manager, kept: &mut Option<PooledConnection>, patience: Duration, question: F) -> Option<Lsn>
where
    F: AsyncFn(&mut super::Connection) -> Result<Lsn, StoreError>,
{
    let answer = tokio::time::timeout(patience, async {
        if kept.is_none() {
            *kept = manager.open().await.ok();
        }
        question(kept.as_mut()?).await.ok()
    })
    .await
    .ok()
    .flatten();
    if answer.is_none() {
        *kept = None;
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_comes_back_only_after_three_good_looks_below_half_the_limit() {
        let state = ReplicaState::default();
        let (limit, small, middling) = (Duration::from_secs(2), Duration::from_millis(10), Duration::from_millis(1_500));
        state.look(5, small, limit);
        state.look(5, small, limit);
        assert!(!state.serves(0));
        state.look(5, small, limit);
        assert!(state.serves(5) && !state.serves(6));
        state.look(5, middling, limit);
        assert!(state.serves(5), "within the limit while serving");
        state.look(5, Duration::from_secs(3), limit);
        assert!(!state.serves(0));
        for _ in 0..5 {
            state.look(5, middling, limit);
        }
        assert!(!state.serves(0), "above half the limit it stays aside");
    }
}
