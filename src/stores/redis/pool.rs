//! Connections to Redis. Each is multiplexed: concurrent commands share it and pipeline by
//! themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bb8_redis::RedisConnectionManager;
use redis::aio::MultiplexedConnection;
use secrecy::SecretString;
use tokio::time::Instant;

use super::client::client;
use crate::StoreError;
use crate::pool_state::{Callers, PoolState};
use crate::query::Work;
use plaza_telemetry::trace;

/// After a failure Redis counts as unavailable for so long, then one caller tries: an outage costs
/// nobody else anything.
const AWAY: Duration = Duration::from_millis(500);

/// So many answers in a row that do not come in time are an outage. One alone is a slow answer,
/// and concerns nobody but who asked for it.
const SLOW_IN_A_ROW: u64 = 3;

/// An outage is logged so often at most, however many callers flap between failure and success.
const REPORT_EVERY_MS: u64 = 1_000;

/// A connection that remembers that it failed: bb8-redis itself never notices.
#[derive(Debug)]
pub struct Tracked {
    inner: MultiplexedConnection,
    broken: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Manager(RedisConnectionManager);

impl bb8::ManageConnection for Manager {
    type Connection = Tracked;
    type Error = redis::RedisError;

    async fn connect(&self) -> Result<Tracked, redis::RedisError> {
        Ok(Tracked { inner: self.0.connect().await?, broken: Arc::default() })
    }

    /// Never asked: a PING before every command would double the round trips.
    async fn is_valid(&self, _connection: &mut Tracked) -> Result<(), redis::RedisError> {
        Ok(())
    }

    fn has_broken(&self, connection: &mut Tracked) -> bool {
        connection.broken.load(Ordering::Relaxed)
    }
}

/// The pool, with a breaker before it.
#[derive(Debug)]
pub struct Pool {
    inner: bb8::Pool<Manager>,
    most: u32,
    callers: Callers,
    timeout: Duration,
    started: Instant,
    /// Milliseconds since `started` at which one caller may try again; 0 while Redis answers.
    away_until_ms: AtomicU64,
    /// Milliseconds since `started` of the last failure; 0 before the first.
    failed_at_ms: AtomicU64,
    /// Answers in a row that did not come in time.
    slow: AtomicU64,
    /// Milliseconds since `started` at which it was last logged that Redis is unavailable.
    reported_at_ms: AtomicU64,
    /// Whether it is still to be logged that Redis is back.
    report_recovery: AtomicBool,
    /// How often it was asked.
    trips: AtomicU64,
}

impl Pool {
    /// # Errors
    /// A URL that is none.
    pub fn new(url: &SecretString, size: u32, timeout: Duration) -> Result<Self, StoreError> {
        let manager = RedisConnectionManager::new(
            client(url).map_err(unavailable)?.get_connection_info().clone(),
        )
        .map_err(unavailable)?;
        let inner = bb8::Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .test_on_check_out(false)
            .connection_timeout(timeout)
            .retry_connection(false)
            .build_unchecked(Manager(manager));
        Ok(Self {
            inner,
            most: size,
            callers: Callers::default(),
            timeout,
            started: Instant::now(),
            away_until_ms: AtomicU64::new(0),
            failed_at_ms: AtomicU64::new(0),
            slow: AtomicU64::new(0),
            reported_at_ms: AtomicU64::new(0),
            report_recovery: AtomicBool::new(false),
            trips: AtomicU64::new(0),
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether a caller may go to Redis: everyone while it answers; after a failure nobody for
    /// [`AWAY`], then one at a time.
    fn admits(&self) -> bool {
        let until = self.away_until_ms.load(Ordering::Relaxed);
        if until == 0 {
            return true;
        }
        let now = self.now_ms();
        now >= until
            && self
                .away_until_ms
                .compare_exchange(
                    until,
                    self.blocked_until(now),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    /// Whether it answered when it was last asked.
    pub fn is_up(&self) -> bool {
        self.away_until_ms.load(Ordering::Relaxed) == 0
    }

    /// Whether it has failed at this moment or later: it may have been started anew since, with
    /// what it held long ago.
    pub fn has_failed_since(&self, moment: Instant) -> bool {
        let failed_at_ms = self.failed_at_ms.load(Ordering::Relaxed);
        failed_at_ms != 0 && self.started + Duration::from_millis(failed_at_ms) >= moment
    }

    /// How often it was asked so far: commands that are sent together count once.
    pub fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }

    /// How the connections stand.
    pub fn state(&self) -> PoolState {
        PoolState::of(&self.inner.state(), self.most, &self.callers)
    }

    fn blocked_until(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add(u64::try_from(AWAY.as_millis()).unwrap_or_default()).max(1)
    }

    fn answered(&self) {
        self.slow.store(0, Ordering::Relaxed);
        let was_unavailable = self.away_until_ms.load(Ordering::Relaxed) != 0
            && self.away_until_ms.swap(0, Ordering::Relaxed) != 0;
        if was_unavailable && self.report_recovery.swap(false, Ordering::Relaxed) {
            tracing::info!("redis is back");
        }
    }

    /// An answer did not come in time.
    fn slow(&self, error: impl std::fmt::Display) -> StoreError {
        let error = unavailable(error);
        // Whoever tries while it is unavailable decides at once.
        if !self.is_up() || self.slow.fetch_add(1, Ordering::Relaxed) + 1 >= SLOW_IN_A_ROW {
            self.failed(&error);
        }
        error
    }

    fn failed(&self, error: &StoreError) {
        let now = self.now_ms();
        // Not rounded down: nothing that began before it may seem to have begun after it.
        self.failed_at_ms.fetch_max(now + 1, Ordering::Relaxed);
        if self.away_until_ms.swap(self.blocked_until(now), Ordering::Relaxed) != 0 {
            return;
        }
        let reported = self.reported_at_ms.load(Ordering::Relaxed);
        let is_time = reported == 0 || now >= reported.saturating_add(REPORT_EVERY_MS);
        if is_time
            && self
                .reported_at_ms
                .compare_exchange(reported, now.max(1), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.report_recovery.store(true, Ordering::Relaxed);
            tracing::warn!(%error, "redis is unavailable");
        }
    }

    /// Runs commands on a connection, within the time limit.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when Redis is unavailable or was a moment ago;
    /// [`StoreError::Corrupt`] when it refused the command.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn cannot promise that its future is Send"
    )]
    pub fn run<'a, T, F>(
        &'a self,
        commands: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'a
    where
        T: Send + 'a,
        F: Work<MultiplexedConnection, T, redis::RedisError> + 'a,
    {
        async move { self.run_unless_unavailable(commands).await }
    }

    async fn run_unless_unavailable<T, F>(&self, commands: F) -> Result<T, StoreError>
    where
        T: Send,
        F: Work<MultiplexedConnection, T, redis::RedisError>,
    {
        if !self.admits() {
            return Err(StoreError::unavailable("redis", "unavailable a moment ago"));
        }
        self.trips.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let mut span = trace::part(trace::Kind::Client, || "redis".into());
        span.set("db.system.name", || "redis".into());
        let (mut connection, broken) =
            self.connection().await.inspect_err(|error| self.failed(error))?;
        let answer = tokio::time::timeout(self.timeout, commands(&mut connection)).await;
        metrics::histogram!("plaza_redis_seconds").record(began.elapsed().as_secs_f64());
        let error = match answer {
            Ok(Ok(value)) => {
                self.answered();
                return Ok(value);
            }
            Ok(Err(error)) if is_refusal(&error) => {
                self.answered();
                return Err(StoreError::Corrupt(format!("redis: {error}")));
            }
            Ok(Err(error)) if error.is_timeout() => self.slow(error),
            Err(_) => self.slow(format!("no answer in {} ms", self.timeout.as_millis())),
            Ok(Err(error)) => {
                let error = unavailable(error);
                self.failed(&error);
                error
            }
        };
        broken.store(true, Ordering::Relaxed);
        span.failed(&error);
        Err(error)
    }

    /// A handle on one of the pool's connections, and the mark that takes that connection out of
    /// use. The connection goes back at once: its other users send their commands beside ours
    /// instead of waiting for our answer.
    async fn connection(&self) -> Result<(MultiplexedConnection, Arc<AtomicBool>), StoreError> {
        let _waiting = self.callers.begin();
        loop {
            let pooled = self.inner.get().await.map_err(|error| match error {
                bb8::RunError::User(error) => unavailable(error),
                bb8::RunError::TimedOut => {
                    StoreError::unavailable("redis", "no connection in time")
                }
            })?;
            // One that failed for somebody else after it had gone back is dropped by the pool now,
            // and each only once.
            if !pooled.broken.load(Ordering::Relaxed) {
                return Ok((pooled.inner.clone(), Arc::clone(&pooled.broken)));
            }
        }
    }
}

/// Whether the server is well and the command is wrong. What a server says that is starting,
/// stopping, full or no longer the primary is an outage like any other.
fn is_refusal(error: &redis::RedisError) -> bool {
    let outage = error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.is_unrecoverable_error()
        || matches!(
            error.code(),
            Some(
                "LOADING"
                    | "BUSY"
                    | "OOM"
                    | "READONLY"
                    | "MASTERDOWN"
                    | "TRYAGAIN"
                    | "CLUSTERDOWN"
                    | "MISCONF"
            )
        );
    !outage
}

fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::unavailable("redis", error)
}
