//! One server's connections. The manager is our own, so that a checkout costs no round trip, a
//! connection that saw a failure is never handed out again, and a warning during COMMIT is seen
//! (the server gives up waiting for its replicas with one).

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use diesel::connection::InstrumentationEvent;
use diesel_async::{AsyncConnection as _, AsyncPgConnection};
use futures_util::future::{join_all, poll_fn};
use secrecy::SecretString;
use tokio_postgres::AsyncMessage;

use super::identity::Owner;
use super::map_in_use::MapInUse;
use super::routing::ShardIndex;
use super::target::Target;
use crate::pool_state::{Callers, PoolState};
use crate::server::Server;
use crate::{StoreError, work};
use plaza_telemetry::trace;

/// What query functions take.
pub type Connection = AsyncPgConnection;

/// Counts the statements a process sends, for budgets and metrics.
#[derive(Debug, Clone, Default)]
pub struct StatementCounter(Arc<AtomicU64>);

impl StatementCounter {
    /// Statements sent so far.
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection in a pool.
pub struct PooledConnection {
    inner: AsyncPgConnection,
    warnings: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    poisoned: bool,
}

impl PooledConnection {
    /// Whether the server has ended it, as far as has been heard: one that restarted says so at
    /// once.
    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Warnings the server has sent on this connection.
    pub fn warnings(&self) -> u64 {
        self.warnings.load(Ordering::Acquire)
    }

    /// The connection alone.
    pub fn into_inner(self) -> AsyncPgConnection {
        self.inner
    }

    /// Keeps the connection from being handed out again: its state is not known.
    pub fn poison(&mut self) {
        self.poisoned = true;
    }
}

impl std::fmt::Debug for PooledConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PooledConnection").field("poisoned", &self.poisoned).finish_non_exhaustive()
    }
}

impl Deref for PooledConnection {
    type Target = AsyncPgConnection;
    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

/// Opens connections to one server.
#[derive(Debug, Clone)]
pub struct Manager {
    target: Target,
    purpose: Purpose,
    statements: StatementCounter,
    ended: Arc<AtomicU64>,
    /// Whose database it must be; `None` where that is compared elsewhere, or is all the same.
    owner: Option<Arc<Owner>>,
}

/// What connections to a server are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Transactions, on a primary.
    Write,
    /// Reads: the session itself refuses to write.
    Read,
}

impl Manager {
    /// # Errors
    /// A URL that is none.
    pub fn new(
        url: &SecretString,
        purpose: Purpose,
        statement_timeout: Duration,
        statements: StatementCounter,
    ) -> Result<Self, StoreError> {
        let mut target = Target::parse(url)?;
        let session = match purpose {
            Purpose::Read => " -c default_transaction_read_only=on",
            // What transactions ask finds its rows by their keys, whichever they are: planning it
            // anew each time took two fifths of a post's time here. Reads keep both kinds of plan,
            // since a limit or a list's length that is known can make another plan the right one.
            Purpose::Write => " -c plan_cache_mode=force_generic_plan",
        };
        target
            .config
            .application_name("plaza")
            .connect_timeout(Duration::from_millis(1_000))
            .options(format!("-c statement_timeout={}{session}", statement_timeout.as_millis()));
        Ok(Self { target, purpose, statements, ended: Arc::default(), owner: None })
    }

    /// The same for a shard's database: every connection that is used asks first whose it is, and
    /// by which map, since a server that could not be reached when the process started was never
    /// compared.
    #[must_use]
    pub(super) fn of_shard(self, shard: ShardIndex, map: &Arc<MapInUse>) -> Self {
        Self { owner: Some(Arc::new(Owner::of(shard, Arc::clone(map)))), ..self }
    }

    /// A connection of its own, outside any pool; whose database it is is not asked.
    ///
    /// # Errors
    /// The server's or the network's, as diesel reports them.
    pub async fn open(&self) -> Result<PooledConnection, diesel::ConnectionError> {
        self.connect_to(None).await
    }

    /// The same to the database of [`Manager::of_shard`], if one is named.
    ///
    /// # Errors
    /// As [`Manager::open`]; a database that says it is another shard's.
    pub async fn open_own(&self) -> Result<PooledConnection, diesel::ConnectionError> {
        self.connect_to(self.owner.as_deref()).await
    }

    async fn connect_to(
        &self,
        owner: Option<&Owner>,
    ) -> Result<PooledConnection, diesel::ConnectionError> {
        let (client, mut connection) = self
            .target
            .connect()
            .await
            .map_err(|error| diesel::ConnectionError::BadConnection(describe(&error)))?;
        let warnings = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&warnings);
        let ended = Arc::new(AtomicBool::new(false));
        let (end, all_ended) = (Arc::clone(&ended), Arc::clone(&self.ended));
        let driver = async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notice(notice) = message
                    && notice.severity() == "WARNING"
                {
                    tracing::warn!(
                        code = notice.code().code(),
                        message = notice.message(),
                        "warning from postgres"
                    );
                    seen.fetch_add(1, Ordering::Release);
                }
            }
            end.store(true, Ordering::Release);
            all_ended.fetch_add(1, Ordering::Release);
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "ends with its connection; there is nothing to wait for"
        )]
        tokio::spawn(driver);
        if let Some(owner) = owner {
            owner.compare(&client).await?;
        }
        let mut inner = AsyncPgConnection::try_from(client).await?;
        let statements = self.statements.clone();
        inner.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { .. } = event {
                statements.0.fetch_add(1, Ordering::Relaxed);
                work::statement();
            }
        });
        Ok(PooledConnection { inner, warnings, ended, poisoned: false })
    }
}

pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(db), _) => db.message().to_owned(),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

impl bb8::ManageConnection for Manager {
    type Connection = PooledConnection;
    type Error = diesel::ConnectionError;

    async fn connect(&self) -> Result<Self::Connection, Self::Error> {
        self.open_own().await
    }

    /// Never asked: the pool does not test on checkout, which would cost every query a second round
    /// trip.
    async fn is_valid(&self, _conn: &mut Self::Connection) -> Result<(), Self::Error> {
        Ok(())
    }

    fn has_broken(&self, conn: &mut Self::Connection) -> bool {
        use diesel_async::TransactionManager as _;
        conn.poisoned
            || conn.has_ended()
            || <AsyncPgConnection as diesel_async::AsyncConnection>::TransactionManager::is_broken_transaction_manager(&mut conn.inner)
    }
}

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
    owner: Option<Arc<Owner>>,
}

impl Pool {
    /// A pool that opens connections when they are first needed.
    pub fn new(manager: Manager, server: Server, size: u32, wait: Duration) -> Self {
        let (purpose, ended) = (manager.purpose, Arc::clone(&manager.ended));
        let owner = manager.owner.clone();
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
            .build_unchecked(manager);
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
            owner,
        }
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
                let wrong = self.owner.as_deref().and_then(Owner::wrong);
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
