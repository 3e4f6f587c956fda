//! How far each replica has come: one task per process asks every replica, and a replica that lags,
//! stalls or dies serves nobody until it has been well for three probes in a row.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::cluster::Cluster;
use super::identity::{check_identity, stored_identity};
use super::pool::PooledConnection;
use super::position::{
    bytes_behind, has, note_timeline, position, primary_lsn, primary_state, replayed_place,
    replica_position, timeline_of,
};
use super::session::Lsn;
use super::shard::{Replica, Shard};
use crate::StoreError;
use plaza_base::clock::Clock;

/// Probes in a row that must be good before a replica serves again.
const GOOD_PROBES: u32 = 3;
/// How long a reader waits for a probe that it has asked for: longer, and the primary is quicker.
const RECHECK: Duration = Duration::from_millis(20);
/// The least time between two probes.
const MIN_INTERVAL: Duration = Duration::from_millis(2);

/// What is known of one replica.
#[derive(Debug, Default)]
pub struct ReplicaState {
    replayed: AtomicU64,
    /// The timeline that it has come to; 0: not known, or it is no replica.
    timeline: AtomicI64,
    /// Whatever was committed before this moment, in Unix milliseconds, it has replayed.
    complete_to_ms: AtomicI64,
    lag_ms: AtomicU64,
    lag_bytes: AtomicU64,
    /// Whether this process probes replicas at all.
    watched: AtomicBool,
    serving: AtomicBool,
    /// Whether it is another shard's, by its own account.
    foreign: AtomicBool,
    /// When it last began or ceased to serve, in Unix milliseconds.
    changed_at_ms: AtomicI64,
    good_probes: AtomicU32,
    clock: Clock,
}

impl ReplicaState {
    /// Whether it may answer a read that must see everything up to the position `required`, and all
    /// that could be seen at `seen_at_ms`.
    pub fn serves(&self, required: Lsn, seen_at_ms: i64) -> bool {
        self.is_serving()
            && has(self.replayed.load(Ordering::Acquire), required)
            && self.complete_to_ms.load(Ordering::Acquire) > seen_at_ms
    }

    /// Whether it may answer anything.
    pub fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Acquire)
    }

    /// Whether it was so near its primary that waiting for it may be worth while.
    pub fn is_near(&self) -> bool {
        u128::from(self.lag_ms.load(Ordering::Acquire)) <= RECHECK.as_millis()
    }

    /// Whether it said that it is another shard's when it was last asked. It serves nothing then.
    pub fn is_foreign(&self) -> bool {
        self.foreign.load(Ordering::Acquire)
    }

    /// What the replica of shard `number` says of whose it is; whether that is so.
    fn belongs(&self, number: usize, stored: Option<usize>) -> bool {
        let checked = check_identity(number, stored);
        let was_foreign = self.foreign.swap(checked.is_err(), Ordering::AcqRel);
        if let Err(error) = checked.as_ref()
            && !was_foreign
        {
            tracing::error!(%error, "replica set aside");
        }
        checked.is_ok()
    }

    /// How much of the primary's log it has not replayed, in bytes, when it was last asked; `None`
    /// in a process that does not probe replicas.
    pub fn lag_bytes(&self) -> Option<u64> {
        self.watched.load(Ordering::Acquire).then(|| self.lag_bytes.load(Ordering::Acquire))
    }

    /// When it last began or ceased to serve, in Unix milliseconds.
    pub fn changed_at_ms(&self) -> i64 {
        self.changed_at_ms.load(Ordering::Acquire)
    }

    /// Sets it aside.
    pub fn eject(&self) {
        self.timeline.store(0, Ordering::Release);
        self.good_probes.store(0, Ordering::Release);
        self.serve(false);
    }

    fn serve(&self, serving: bool) {
        // The time first: nobody is to find the change without it.
        if self.is_serving() != serving {
            self.changed_at_ms.store(self.clock.now_ms(), Ordering::Release);
        }
        self.serving.store(serving, Ordering::Release);
    }

    /// Replayed position, lag in milliseconds, and whether it serves.
    pub fn snapshot(&self) -> (Lsn, u64, bool) {
        (
            self.replayed.load(Ordering::Acquire),
            self.lag_ms.load(Ordering::Acquire),
            self.serving.load(Ordering::Acquire),
        )
    }

    pub(super) fn poll(
        &self,
        replayed: Lsn,
        (lag, complete_to_ms): (Duration, i64),
        max_lag: Duration,
    ) {
        self.replayed.store(replayed, Ordering::Release);
        self.complete_to_ms.store(complete_to_ms, Ordering::Release);
        self.lag_ms.store(u64::try_from(lag.as_millis()).unwrap_or(u64::MAX), Ordering::Release);
        let serving = self.serving.load(Ordering::Acquire);
        let limit = if serving { max_lag } else { max_lag / 2 };
        if lag > limit {
            if serving {
                tracing::warn!(lag_ms = lag.as_millis(), "replica lags, set aside");
            }
            self.eject();
        } else if self.good_probes.fetch_add(1, Ordering::AcqRel) + 1 >= GOOD_PROBES {
            self.serve(true);
        }
    }
}

/// The probes of one shard's replicas, which a reader may ask for ahead of their time.
#[derive(Debug, Default)]
pub struct Polls {
    wanted: Notify,
    begun: AtomicU64,
    done: watch::Sender<u64>,
}

impl Polls {
    /// Waits for a probe that begins after this call, for a short while at most.
    pub async fn recheck(&self) {
        let begun = self.begun.load(Ordering::Acquire);
        let mut done = self.done.subscribe();
        self.wanted.notify_one();
        // The sender is ours, so that only time can run out.
        let _ = tokio::time::timeout(RECHECK, done.wait_for(|done| *done > begun)).await;
    }
}

/// Where the primary was when, so that a replica's position says how long ago that was.
#[derive(Debug, Default)]
struct History(VecDeque<Place>);

/// A position the primary was at: since when, and when it was last asked and still was.
#[derive(Debug)]
struct Place {
    lsn: Lsn,
    since: Instant,
    asked_ms: i64,
}

impl History {
    /// What the primary answered when it was asked at `asked_ms`.
    fn record(&mut self, lsn: Lsn, asked_ms: i64, now: Instant) {
        match self.0.back_mut() {
            Some(last) if last.lsn == lsn => last.asked_ms = asked_ms,
            _ => self.0.push_back(Place { lsn, since: now, asked_ms }),
        }
        if self.0.len() > 1_024 {
            self.0.pop_front();
        }
    }

    /// The last position known; 0 before the first.
    fn newest(&self) -> Lsn {
        self.0.back().map_or(0, |place| place.lsn)
    }

    /// How long ago the primary first went past `replayed`, zero when it has not; and the moment up
    /// to which a replica that has replayed it has everything, in Unix milliseconds.
    fn lag(&self, replayed: Lsn, now: Instant) -> (Duration, i64) {
        let lag = self
            .0
            .iter()
            .find(|place| place.lsn > replayed)
            .map(|place| now.duration_since(place.since))
            .unwrap_or_default();
        (lag, self.0.iter().rfind(|place| place.lsn <= replayed).map_or(0, |place| place.asked_ms))
    }
}

/// Asks every replica of every shard, for ever; runs until the future is dropped.
pub async fn poll(cluster: Arc<Cluster>, every: Duration, max_lag: Duration) {
    let shards =
        cluster.indexes().map(|index| poll_shard(Arc::clone(&cluster), index.0, every, max_lag));
    futures_util::future::join_all(shards).await;
}

async fn poll_shard(cluster: Arc<Cluster>, number: usize, every: Duration, max_lag: Duration) {
    let Some(shard) = cluster.shards.get(number) else { return };
    let (mut primary, clock) = (None, Clock::default());
    let mut replicas: Vec<Option<PooledConnection>> = shard.replicas.iter().map(|_| None).collect();
    let mut history = History::default();
    let timeout = (every * 5).max(Duration::from_millis(500));
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // A reader who asks ahead of the time asks for positions alone: every table that a probe
        // reads is locked for it, and the epoch has its own time.
        let is_due = tokio::select! {
            biased;
            _ = ticks.tick() => true,
            () = shard.polls.wanted.notified() => false,
        };
        let poll = shard.polls.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let (asked_ms, asked_at) = (clock.now_ms(), tokio::time::Instant::now());
        let opened = async || shard.direct.open_own().await.ok();
        let answer = ask(timeout, &mut primary, opened, async |connection| match is_due {
            true => ask_primary(shard, connection).await,
            false => primary_lsn(connection).await,
        })
        .await;
        if let Some(lsn) = answer {
            history.record(lsn, asked_ms, Instant::now());
        }
        if is_due {
            shard.epoch.asked(asked_at);
        }
        let polls = shard.replicas.iter().zip(replicas.iter_mut()).map(|(replica, connection)| {
            let history = &history;
            async move {
                let opened = async || open_own(replica, number).await;
                let question = async |connection: &mut super::Connection| {
                    ask_replica(shard, replica, connection, is_due).await
                };
                match ask(timeout, connection, opened, question).await {
                    Some(Some(lsn)) => {
                        let behind = bytes_behind(history.newest(), lsn);
                        replica.state.lag_bytes.store(behind, Ordering::Release);
                        replica.state.poll(lsn, history.lag(lsn, Instant::now()), max_lag);
                    }
                    _ => replica.state.eject(),
                }
                replica.state.watched.store(true, Ordering::Release);
            }
        });
        let polled = futures_util::future::join_all(polls);
        if answer.is_none() || shard.addresses.is_suspected() {
            tokio::join!(polled, shard.look_for_primary());
        } else {
            polled.await;
        }
        shard.polls.done.send_replace(poll);
        tokio::time::sleep(MIN_INTERVAL).await;
    }
}

/// Asks a primary where it is; its timeline is noted when it is a new one.
async fn ask_primary(shard: &Shard, connection: &mut super::Connection) -> Result<Lsn, StoreError> {
    let state = primary_state(connection).await?;
    shard.epoch.note(state.epoch);
    let timeline = timeline_of(state.position());
    if timeline != state.noted
        && let Err(error) = note_timeline(connection, timeline).await
    {
        // Another process may do it; until then reads go to the primary.
        tracing::warn!(shard = shard.index.0, %error, "a timeline is not noted");
    }
    Ok(state.position())
}

/// Asks a replica how far it has come; `None` of a server that is no replica, which serves nothing
/// as one: the address of a primary of now, or of one that was failed over and came back.
async fn ask_replica(
    shard: &Shard,
    replica: &Replica,
    connection: &mut super::Connection,
    is_due: bool,
) -> Result<Option<Lsn>, StoreError> {
    let known = replica.state.timeline.load(Ordering::Acquire);
    if !is_due && known > 0 {
        return Ok(Some(position(known, replayed_place(connection).await?)));
    }
    let found = replica_position(connection).await?;
    if found.timeline() > shard.addresses.timeline() {
        shard.addresses.suspect();
    }
    if found.replayed().is_some() {
        replica.state.timeline.store(found.timeline(), Ordering::Release);
    }
    Ok(found.replayed())
}

/// A connection to a replica that is of this shard, by its own account: a server does not become
/// another shard's under a connection.
async fn open_own(replica: &Replica, number: usize) -> Option<PooledConnection> {
    let mut connection = replica.probe.open().await.ok()?;
    let stored = stored_identity(&mut connection).await.ok()?;
    replica.state.belongs(number, stored).then_some(connection)
}

/// One question on a kept connection, opened anew when it broke; `None` when there is no answer in
/// time.
async fn ask<T>(
    timeout: Duration,
    kept: &mut Option<PooledConnection>,
    opened: impl AsyncFnOnce() -> Option<PooledConnection>,
    question: impl AsyncFnOnce(&mut super::Connection) -> Result<T, StoreError>,
) -> Option<T> {
    if kept.as_ref().is_some_and(PooledConnection::has_ended) {
        *kept = None;
    }
    let answer = tokio::time::timeout(timeout, async {
        if kept.is_none() {
            *kept = Box::pin(opened()).await;
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
mod simulation;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_comes_back_only_after_three_good_probes_below_half_the_limit() {
        let state = ReplicaState::default();
        let after = |ms| (Duration::from_millis(ms), 1);
        let (limit, small, middling) = (Duration::from_secs(2), after(10), after(1_500));
        state.poll(5, small, limit);
        state.poll(5, small, limit);
        assert!(!state.serves(0, 0));
        assert_eq!(state.changed_at_ms(), 0);
        state.poll(5, small, limit);
        assert!(state.serves(5, 0) && !state.serves(6, 0) && !state.serves(5, 1));
        assert!(state.changed_at_ms() > 0);
        state.poll(5, middling, limit);
        assert!(state.serves(5, 0), "within the limit while serving");
        state.poll(5, after(3_000), limit);
        assert!(!state.serves(0, 0));
        for _ in 0..5 {
            state.poll(5, middling, limit);
        }
        assert!(!state.serves(0, 0), "above half the limit it stays aside");
    }

    #[test]
    fn what_a_replica_has_is_known_by_when_the_primary_was_asked() {
        let (mut history, now) = (History::default(), Instant::now());
        for (lsn, asked_ms) in [(10, 1), (10, 2), (20, 3), (30, 4)] {
            history.record(lsn, asked_ms, now);
        }
        let complete_to = |replayed| history.lag(replayed, now).1;
        assert_eq!(
            (complete_to(9), complete_to(10), complete_to(25), complete_to(30), complete_to(31)),
            (0, 2, 3, 4, 4)
        );
        assert_eq!(history.lag(30, now).0, Duration::ZERO);
    }
}
