//! Connections to Redis. Each is multiplexed: concurrent commands share it and pipeline by themselves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bb8_redis::RedisConnectionManager;
use redis::aio::MultiplexedConnection;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use crate::stores::StoreError;
use crate::stores::query::SendFnOnce;

/// After a failure Redis counts as away for so long: an outage costs each request nothing but the first few.
const AWAY: Duration = Duration::from_millis(500);

/// A connection that remembers that it failed: bb8-redis itself never notices.
#[derive(Debug)]
pub struct Tracked {
    inner: MultiplexedConnection,
    broken: bool,
}

#[derive(Debug)]
struct Manager(RedisConnectionManager);

impl bb8::ManageConnection for Manager {
    type Connection = Tracked;
    type Error = redis::RedisError;

    async fn connect(&self) -> Result<Tracked, redis::RedisError> {
        Ok(Tracked { inner: self.0.connect().await?, broken: false })
    }

    /// Never asked: a PING before every command would double the round trips.
    async fn is_valid(&self, _connection: &mut Tracked) -> Result<(), redis::RedisError> {
        Ok(())
    }

    fn has_broken(&self, connection: &mut Tracked) -> bool {
        connection.broken
    }
}

/// The pool, with a breaker before it.
#[derive(Debug)]
pub struct Pool {
    inner: bb8::Pool<Manager>,
    timeout: Duration,
    started: Instant,
    away_until_ms: AtomicU64,
}

impl Pool {
    /// # Errors
    /// A URL that is none.
    pub fn new(url: &SecretString, size: u32, timeout: Duration) -> Result<Self, StoreError> {
        let manager = RedisConnectionManager::new(url.expose_secret()).map_err(away)?;
        let inner = bb8::Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .test_on_check_out(false)
            .connection_timeout(timeout)
            .retry_connection(false)
            .build_unchecked(Manager(manager));
        Ok(Self { inner, timeout, started: Instant::now(), away_until_ms: AtomicU64::new(0) })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Runs commands on a connection, within the time limit.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when Redis is away or was a moment ago; [`StoreError::Corrupt`] when it refused the command.
    pub fn run<'a, T, F>(&'a self, commands: F) -> impl Future<Output = Result<T, StoreError>> + Send + 'a
    where
        T: Send + 'a,
        for<'c> F: AsyncFnOnce(&'c mut MultiplexedConnection) -> redis::RedisResult<T>
            + SendFnOnce<&'c mut MultiplexedConnection, redis::RedisResult<T>, Fut: Send>
            + Send
            + 'a,
    {
        async move { self.run_unless_away(commands).await }
    }

    async fn run_unless_away<T, F>(&self, commands: F) -> Result<T, StoreError>
    where
        T: Send,
        for<'c> F: AsyncFnOnce(&'c mut MultiplexedConnection) -> redis::RedisResult<T>
            + SendFnOnce<&'c mut MultiplexedConnection, redis::RedisResult<T>, Fut: Send>
            + Send,
    {
        if self.now_ms() < self.away_until_ms.load(Ordering::Relaxed) {
            return Err(StoreError::unavailable("redis", "away a moment ago"));
        }
        let result = match self.inner.get().await {
            Ok(mut connection) => {
                // The multiplexed connection is cloned out, so that other requests share it meanwhile.
                let mut shared = connection.inner.clone();
                let held = &mut *connection;
                match tokio::time::timeout(self.timeout, commands(&mut shared)).await {
                    Ok(Ok(value)) => return Ok(value),
                    Ok(Err(error)) if is_refusal(&error) => return Err(StoreError::Corrupt(format!("redis: {error}"))),
                    Ok(Err(error)) => {
                        held.broken = true;
                        Err(away(error))
                    }
                    Err(_) => {
                        held.broken = true;
                        Err(StoreError::unavailable("redis", format!("no answer in {} ms", self.timeout.as_millis())))
                    }
                }
            }
            Err(bb8::RunError::User(error)) => Err(away(error)),
            Err(bb8::RunError::TimedOut) => Err(StoreError::unavailable("redis", "no connection in time")),
        };
        let until = self.now_ms() + u64::try_from(AWAY.as_millis()).unwrap_or_default();
        if self.away_until_ms.swap(until, Ordering::Relaxed) + 10_000 < self.now_ms() {
            tracing::warn!(error = ?result.as_ref().err(), "redis is away");
        }
        result
    }
}

fn is_refusal(error: &redis::RedisError) -> bool {
    !error.is_io_error() && !error.is_timeout() && !error.is_connection_dropped() && !error.is_unrecoverable_error()
}

fn away(error: impl std::fmt::Display) -> StoreError {
    StoreError::unavailable("redis", error)
}
