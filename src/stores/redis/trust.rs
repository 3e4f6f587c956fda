//! Whether what Redis holds may be trusted.
//!
//! Every cached value and timeline names the *generation* it was made in; one of another generation
//! counts as missing. `generation.lua` begins a new one when Redis has lost writes (it is empty, was
//! restarted, failed over, or loaded an old dump) or when a shard's epoch was raised
//! (`postgres/epoch.rs`), which whoever changes rows does when an invalidation did not reach Redis.
//! A process that reads the cache polls four times a second; one that has not for `redis.trust_ms`
//! reads past it, process memory included. So does one that has failed to reach Redis, until its
//! next poll: what answers again may have been started anew.
//!
//! Invalidations that failed are kept here and retried until Redis has them, or until the epoch is
//! raised, which makes them superfluous; meanwhile this process reads past the cache.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Redis;
use super::invalidation::Stale;
use crate::StoreError;
use crate::postgres::session::ConsistencyToken;
use plaza_base::ids::{Id, SessionId, UserId};
use plaza_telemetry::metrics::float;

/// The generation of a process that does not poll, as tests of this store are.
const UNWATCHED: &str = "0";
/// Without a poll for so many seconds the next one begins a new generation: an older dump that is
/// loaded into the same server is detected by that.
const KEPT_S: u64 = 30;
/// Failed invalidations kept for a retry; beyond it the epoch has to be raised.
const MAX_PENDING: usize = 10_000;

/// A generation's name.
pub type Generation = Arc<str>;

/// What a poll has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polled {
    generation: Generation,
    /// Names what Redis remembers; another one when it has forgotten.
    memory: String,
}

#[derive(Debug, Default)]
struct State {
    polled: Option<Polled>,
    /// When the poll began that found it.
    polled_at: Option<Instant>,
    until: Option<Instant>,
}

/// Invalidations that failed.
#[derive(Debug, Clone, Default)]
pub struct Pending {
    /// By kind and id.
    values: HashMap<(Cow<'static, str>, i64), Stale>,
    pub(super) timelines: BTreeSet<UserId>,
    pub(super) sessions: HashMap<SessionId, ConsistencyToken>,
    /// More than could be kept.
    pub(super) overflowed: bool,
    /// Failures up to and with the last one in this.
    count: u64,
}

impl Pending {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && !self.overflowed
    }

    fn len(&self) -> usize {
        self.values.len() + self.timelines.len() + self.sessions.len()
    }

    /// Some id among them: on its shard a row has just been changed.
    pub fn any_id(&self) -> Option<UserId> {
        let value = self.values.keys().next().map(|(_, id)| UserId::from_i64(*id));
        value.or_else(|| self.timelines.first().copied())
    }
}

/// The state of one process's trust.
#[derive(Debug)]
pub struct Trust {
    polls_required: AtomicBool,
    state: RwLock<State>,
    lasts: Duration,
    pending: Mutex<Pending>,
    wanted: Notify,
    /// Failed invalidations so far; how many of them were delivered since, or followed by a raised
    /// epoch; and how many of those a poll has taken into account.
    failures: AtomicU64,
    raised: AtomicU64,
    settled: AtomicU64,
}

impl Trust {
    /// Trust that lasts so long from each poll.
    pub fn new(lasts: Duration) -> Self {
        Self {
            polls_required: AtomicBool::new(false),
            state: RwLock::default(),
            lasts,
            pending: Mutex::default(),
            wanted: Notify::new(),
            failures: AtomicU64::new(0),
            raised: AtomicU64::new(0),
            settled: AtomicU64::new(0),
        }
    }

    /// How long it lasts without another poll.
    pub fn lasts(&self) -> Duration {
        self.lasts
    }

    /// Keeps what failed.
    pub(super) fn defer(&self, add: impl FnOnce(&mut Pending)) {
        let mut pending = self.pending.lock();
        pending.count = self.failures.fetch_add(1, Ordering::AcqRel) + 1;
        add(&mut pending);
        if pending.len() > MAX_PENDING {
            *pending = Pending { overflowed: true, count: pending.count, ..Pending::default() };
        }
        metrics::gauge!("plaza_cache_pending_invalidations")
            .set(float(u64::try_from(pending.len()).unwrap_or(0)));
        drop(pending);
        self.wanted.notify_one();
    }

    /// The generation whose values may be read and made at this moment; `None`: none, read past the
    /// cache. `has_failed_since` says whether Redis has failed at a moment or later.
    fn generation(
        &self,
        now: Instant,
        has_failed_since: impl FnOnce(Instant) -> bool,
    ) -> Option<Generation> {
        if !self.polls_required.load(Ordering::Acquire) {
            return Some(UNWATCHED.into());
        }
        if self.settled.load(Ordering::Acquire) < self.failures.load(Ordering::Acquire) {
            return None;
        }
        let state = self.state.read();
        let fresh = state.until.is_some_and(|until| now < until)
            && state.polled_at.is_some_and(|at| !has_failed_since(at));
        state.polled.as_ref().filter(|_| fresh).map(|polled| Arc::clone(&polled.generation))
    }

    /// Whether a poll has found what is trusted already.
    fn is_current(&self, polled: &Polled) -> bool {
        self.state.read().polled.as_ref() == Some(polled)
    }

    /// Trusts what a poll has found; whether Redis has lost what it held since the last one.
    fn believe(&self, polled: Polled, polled_at: Instant, asked_at: Instant, raised: u64) -> bool {
        let mut state = self.state.write();
        let another = state.polled.as_ref().is_some_and(|held| held.memory != polled.memory);
        let until = polled_at.min(asked_at) + self.lasts;
        *state = State { polled: Some(polled), polled_at: Some(polled_at), until: Some(until) };
        drop(state);
        self.settled.fetch_max(raised, Ordering::AcqRel);
        another
    }

    /// Redis has these now.
    fn delivered(&self, sent: &Pending) {
        self.discard(sent);
        self.settled.fetch_max(sent.count, Ordering::AcqRel);
    }

    /// These are superfluous, once a poll has seen the raised epoch.
    fn discard(&self, sent: &Pending) {
        let mut pending = self.pending.lock();
        if pending.count == sent.count {
            *pending = Pending { count: sent.count, ..Pending::default() };
        } else {
            pending.values.retain(|key, version| sent.values.get(key) != Some(version));
            pending.timelines.retain(|user| !sent.timelines.contains(user));
            pending.sessions.retain(|session, token| sent.sessions.get(session) != Some(token));
        }
        metrics::gauge!("plaza_cache_pending_invalidations")
            .set(float(u64::try_from(pending.len()).unwrap_or(0)));
        drop(pending);
        self.raised.fetch_max(sent.count, Ordering::AcqRel);
    }

    fn defer_values(&self, stale: &[Stale]) {
        self.defer(|pending| {
            for stale in stale {
                let held = pending
                    .values
                    .entry((stale.kind.clone(), stale.id))
                    .or_insert_with(|| stale.clone());
                if held.version < stale.version {
                    *held = stale.clone();
                }
            }
        });
    }
}

impl Redis {
    /// From now on this process reads the cache only while it polls.
    pub fn require_polls(&self) {
        self.inner.trust.polls_required.store(true, Ordering::Release);
    }

    /// The generation whose values may be read and made now; `None`: none, read past the cache.
    pub(super) fn generation(&self) -> Option<Generation> {
        let has_failed_since = |at| self.inner.pool.has_failed_since(at);
        self.inner.trust.generation(Instant::now(), has_failed_since)
    }

    pub(super) fn defer_invalidations(&self, stale: &[Stale]) {
        self.inner.trust.defer_values(stale);
    }

    /// Whether the cache is read at this moment.
    pub fn is_trusted(&self) -> bool {
        self.generation().is_some()
    }

    /// Which generation is to be trusted, given the shards' epochs.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn poll_generation(&self, epochs: &[i64]) -> Result<Polled, StoreError> {
        let mut script = self.inner.scripts.generation.prepare_invoke();
        script.key(self.inner.keys.generation());
        script.arg(format!("{:016x}", rand::random::<u64>())).arg(KEPT_S);
        for epoch in epochs {
            script.arg(*epoch);
        }
        let (generation, memory): (String, String) =
            self.inner.pool.run(async |connection| script.invoke_async(connection).await).await?;
        Ok(Polled { generation: generation.into(), memory })
    }

    /// The generation that servers believe, by what their last poll has left in Redis; `None` when
    /// none has polled for half a minute.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn stored_generation(&self) -> Result<Option<String>, StoreError> {
        let key = self.inner.keys.generation();
        self.inner
            .pool
            .run(async |connection| {
                redis::cmd("HGET").arg(&key).arg("nonce").query_async(connection).await
            })
            .await
    }

    /// Whether a poll has found what is trusted already.
    pub fn is_current(&self, polled: &Polled) -> bool {
        self.inner.trust.is_current(polled)
    }

    /// Trusts what a poll that began at `polled_at` has found, given epochs that were asked for at
    /// `asked_at`. `raised` is what [`Redis::raised`] was before the epochs were read: these
    /// failures are settled.
    pub fn trust(&self, polled: Polled, polled_at: Instant, asked_at: Instant, raised: u64) {
        if !self.is_current(&polled) {
            self.inner.local.clear();
        }
        if self.inner.trust.believe(polled, polled_at, asked_at, raised) {
            tracing::warn!(
                "redis has lost what it held: cached values and timelines are made anew"
            );
        }
    }

    /// Failures whose invalidations were delivered since, or after which the epoch was raised.
    pub fn raised(&self) -> u64 {
        self.inner.trust.raised.load(Ordering::Acquire)
    }

    /// Waits until an invalidation has failed.
    pub async fn something_pending(&self) {
        while self.pending().is_empty() {
            self.inner.trust.wanted.notified().await;
        }
    }

    /// The invalidations that failed.
    pub fn pending(&self) -> Pending {
        self.inner.trust.pending.lock().clone()
    }

    /// Sends failed invalidations again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; also when there were more than could be kept.
    pub async fn send_pending(&self, pending: &Pending) -> Result<(), StoreError> {
        if pending.overflowed {
            return Err(StoreError::unavailable(
                "redis",
                "more invalidations failed than were kept",
            ));
        }
        let values: Vec<Stale> = pending.values.values().cloned().collect();
        for values in values.chunks(64) {
            self.send_invalidations(values).await?;
        }
        let timelines: Vec<UserId> = pending.timelines.iter().copied().collect();
        for timelines in timelines.chunks(512) {
            self.send_forget_timelines(timelines).await?;
        }
        for (session, token) in &pending.sessions {
            self.send_writes(*session, token).await?;
        }
        Ok(())
    }

    /// Redis has these now.
    pub fn delivered(&self, sent: &Pending) {
        self.inner.trust.delivered(sent);
    }

    /// The epoch was raised after these were read: superfluous, once a poll has seen that.
    pub fn discard(&self, sent: &Pending) {
        self.inner.trust.discard(sent);
    }
}

#[cfg(test)]
mod simulation;
