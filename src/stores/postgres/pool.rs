//! One server's connections. The manager is our own, so that a checkout costs no round trip, a connection that saw a failure
//! is never handed out again, and a warning during COMMIT is seen (the server gives up waiting for its replicas with one).

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::connection::InstrumentationEvent;
use diesel_async::{AsyncConnection as _, AsyncPgConnection};
use futures_util::future::poll_fn;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::{AsyncMessage, NoTls};

use crate::stores::StoreError;

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
    poisoned: bool,
}

impl PooledConnection {
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
    config: tokio_postgres::Config,
    statements: StatementCounter,
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
        let mut config: tokio_postgres::Config = url
            .expose_secret()
            .parse()
            .map_err(|error| StoreError::unavailable("postgres", format!("bad URL {}: {error}", crate::config::redacted(url))))?;
        let read_only = if purpose == Purpose::Read { " -c default_transaction_read_only=on" } else { "" };
        config
            .application_name("plaza")
            .connect_timeout(Duration::from_millis(1_000))
            .options(format!("-c statement_timeout={}{read_only}", statement_timeout.as_millis()));
        Ok(Self { config, statements })
    }

    /// A connection of its own, outside any pool.
    ///
    /// # Errors
    /// The server's or the network's, as diesel tells them.
    pub async fn open(&self) -> Result<PooledConnection, diesel::ConnectionError> {
        let (client, mut connection) =
            self.config.connect(NoTls).await.map_err(|error| diesel::ConnectionError::BadConnection(describe(&error)))?;
        let warnings = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&warnings);
        let driver = async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notice(notice) = message
                    && notice.severity() == "WARNING"
                {
                    tracing::warn!(code = notice.code().code(), message = notice.message(), "warning from postgres");
                    seen.fetch_add(1, Ordering::Release);
                }
            }
        };
        #[expect(clippy::disallowed_methods, reason = "ends with its connection; there is nothing to wait for")]
        tokio::spawn(driver);
        let mut inner = AsyncPgConnection::try_from(client).await?;
        let statements = self.statements.clone();
        inner.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { .. } = event {
                statements.0.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(PooledConnection { inner, warnings, poisoned: false })
    }
}

fn describe(error: &tokio_postgres::Error) -> String {
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
        self.open().await
    }

    /// Never asked: the pool does not test on checkout, which would cost every query a second round trip.
    async fn is_valid(&self, _conn: &mut Self::Connection) -> Result<(), Self::Error> {
        Ok(())
    }

    fn has_broken(&self, conn: &mut Self::Connection) -> bool {
        use diesel_async::TransactionManager as _;
        conn.poisoned
            || <AsyncPgConnection as diesel_async::AsyncConnection>::TransactionManager::is_broken_transaction_manager(&mut conn.inner)
    }
}

/// One server's pool.
#[derive(Debug, Clone)]
pub struct Pool {
    inner: bb8::Pool<Manager>,
    server: String,
}

impl Pool {
    /// A pool that opens connections when they are first needed.
    pub fn new(manager: Manager, server: String, size: u32, wait: Duration) -> Self {
        let inner = bb8::Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .test_on_check_out(false)
            .connection_timeout(wait)
            .retry_connection(false)
            .build_unchecked(manager);
        Self { inner, server }
    }

    /// A connection, waiting for a free one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server refuses, [`StoreError::Deadline`] when none came free in time.
    pub async fn get(&self) -> Result<bb8::PooledConnection<'_, Manager>, StoreError> {
        self.inner.get().await.map_err(|error| match error {
            bb8::RunError::User(error) => StoreError::unavailable(&self.server, error),
            // Nothing open after all that waiting: nobody is slow, the server does not let us in.
            bb8::RunError::TimedOut if self.inner.state().connections == 0 => StoreError::unavailable(&self.server, "cannot connect"),
            bb8::RunError::TimedOut => StoreError::Deadline(format!("a connection to {}", self.server)),
        })
    }

    /// The server's name, for operators.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Connections open and idle.
    pub fn state(&self) -> (u32, u32) {
        let state = self.inner.state();
        (state.connections, state.idle_connections)
    }
}
