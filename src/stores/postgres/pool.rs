//! One server's pool of connections, in which a checkout costs no round trip.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;

pub(super) use super::connector::describe;
pub use super::connector::{Connection, Manager, PooledConnection, Purpose, StatementCounter};
use super::identity::Owner;
use crate::StoreError;
use crate::pool_state::{Callers, PoolState};
use crate::server::Server;
use plaza_telemetry::trace;

/// What is counted of a server's reads or transactions.
#[derive(Clone)]
struct Counted {
    seconds: metrics::Histogram,
    errors: metrics::Counter,
}

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counted")
    }
}

/// One server's pool.
#[derive(Debug, Clone)]
pub struct Pool {
    inner: bb8::Pool<Manager>,
    server: Server,
    /// The server's name, for logs and spans.
    name: String,
    purpose: Purpose,
    most: u32,
    counted: Counted,
    callers: Callers,
    ended: Arc<AtomicU64>,
    manager: Manager,
}

impl Pool {
    /// A pool that opens connections when they are first needed.
    pub fn new(manager: Manager, server: Server, size: u32, wait: Duration) -> Self {
        let (purpose, ended) = (manager.purpose, Arc::clone(&manager.ended));
        let kind = if purpose == Purpose::Write { "transaction" } else { "read" };
        let shard = server.shard().map_or_else(String::new, |shard| shard.to_string());
        let role = server.role();
        let counted = Counted {
            seconds: metrics::histogram!("plaza_sql_seconds", "shard" => shard.clone(), "server" => role.clone(), "kind" => kind),
            errors: metrics::counter!("plaza_sql_errors_total", "shard" => shard, "server" => role, "kind" => kind),
        };
        let inner = bb8::Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .test_on_check_out(false)
            .connection_timeout(wait)
            .retry_connection(false)
            .build_unchecked(manager.clone());
        counted.errors.increment(0);
        let name = server.to_string();
        Self {
            inner,
            server,
            name,
            purpose,
            most: size,
            counted,
            callers: Callers::default(),
            ended,
            manager,
        }
    }

    /// A commit was not acknowledged: the primary may be another server.
    pub(super) fn suspect(&self) {
        self.manager.suspect();
    }

    /// A connection, waiting for a free one. One that the server has ended meanwhile is left out:
    /// after a restart or a failover each of them would else fail somebody's request.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server refuses, [`StoreError::Busy`] when none came
    /// free in time.
    pub async fn get(&self) -> Result<bb8::PooledConnection<'_, Manager>, StoreError> {
        let _waiting = self.callers.begin();
        loop {
            let connection = self.inner.get().await.map_err(|error| self.refused(error))?;
            // Given back, it is dropped: it counts as broken.
            if !connection.has_ended() {
                return Ok(connection);
            }
        }
    }

    /// The same, to be kept for as long as a transaction takes.
    ///
    /// # Errors
    /// As [`Pool::get`].
    pub async fn get_owned(&self) -> Result<bb8::PooledConnection<'static, Manager>, StoreError> {
        let _waiting = self.callers.begin();
        loop {
            let connection = self.inner.get_owned().await.map_err(|error| self.refused(error))?;
            if !connection.has_ended() {
                return Ok(connection);
            }
        }
    }

    fn refused(&self, error: bb8::RunError<diesel::ConnectionError>) -> StoreError {
        match error {
            bb8::RunError::User(error) => StoreError::unavailable(self.server.clone(), error),
            // Nothing open after all that waiting: nobody is slow, the server does not let us in.
            bb8::RunError::TimedOut if self.inner.state().connections == 0 => {
                let wrong = self.manager.owner.as_deref().and_then(Owner::wrong);
                let reason = wrong.map(|wrong| wrong.to_string());
                let reason = reason.unwrap_or_else(|| "cannot connect".to_owned());
                StoreError::unavailable(self.server.clone(), reason)
            }
            bb8::RunError::TimedOut => StoreError::Busy(self.name.clone()),
        }
    }

    /// Its name and how many of its connections have ended so far, whoever ended them.
    pub fn ended(&self) -> (String, u64) {
        (self.pool_name(), self.ended.load(Ordering::Acquire))
    }

    /// Opens so many connections, or as many as it may have: held together, so that each is another
    /// one.
    pub async fn open(&self, connections: usize) {
        let most = usize::try_from(self.most).unwrap_or(usize::MAX).min(connections);
        let held = join_all((0..most).map(|_| self.get())).await;
        if let Some(error) = held.into_iter().find_map(Result::err) {
            tracing::debug!(server = self.name, %error, "no connection beforehand");
        }
    }

    /// The server's name, for operators.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Its name: `shard 0 replica 1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Begins a read's or a transaction's part of a trace.
    pub fn span(&self, what: &'static str) -> trace::Span {
        let mut span = trace::part(trace::Kind::Client, || format!("{what} {}", self.name).into());
        span.set("db.system.name", || "postgresql".into());
        span.set("db.namespace", || self.name.clone().into());
        span
    }

    /// Counts a read or a transaction.
    pub fn count(&self, took: Duration, failed: bool) {
        self.counted.seconds.record(took.as_secs_f64());
        if failed {
            self.counted.errors.increment(1);
        }
    }

    /// Its name and how it stands.
    pub fn state(&self) -> (String, PoolState) {
        (self.pool_name(), PoolState::of(&self.inner.state(), self.most, &self.callers))
    }

    fn pool_name(&self) -> String {
        match self.purpose {
            Purpose::Read if matches!(self.server, Server::Primary(_)) => {
                format!("{} reads", self.name)
            }
            Purpose::Read | Purpose::Write => self.name.clone(),
        }
    }
}
