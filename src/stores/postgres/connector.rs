//! Connections to one server, and what opens them. They are our own, so that a connection that saw
//! a failure is never handed out again, and a warning during COMMIT is seen (the server gives up
//! waiting for its replicas with one).

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use diesel::connection::InstrumentationEvent;
use diesel_async::{AsyncConnection as _, AsyncPgConnection};
use futures_util::future::poll_fn;
use secrecy::SecretString;
use tokio_postgres::AsyncMessage;

use super::addresses::{Addresses, PRIMARY};
use super::identity::Owner;
use super::map_in_use::MapInUse;
use super::routing::ShardIndex;
use super::target::Target;
use crate::{StoreError, work};

/// What query functions take.
pub type Connection = AsyncPgConnection;

/// Counts the statements a process sends, for budgets and metrics.
#[derive(Debug, Clone, Default)]
pub struct StatementCounter {
    statements: Arc<AtomicU64>,
    trips: Arc<AtomicU64>,
}

impl StatementCounter {
    /// Statements sent so far.
    pub fn total(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// How often a statement was sent on a connection on which none was under way: what is sent
    /// together waits for the server once. Texts that are prepared on the way are not counted.
    pub fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }

    /// Counts a statement, beside so many others of its connection.
    fn sent(&self, under_way: u64) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        if under_way == 0 {
            self.trips.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A connection in a pool.
pub struct PooledConnection {
    inner: AsyncPgConnection,
    warnings: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    poisoned: bool,
    in_transaction: bool,
    /// The address that it leads to, where its server's seat may get another one.
    seated: Option<(Seat, usize)>,
}

impl PooledConnection {
    /// Whether the server has ended it, as far as has been heard (one that restarted says so at
    /// once), or is not the one any more that it was opened to.
    pub fn has_ended(&self) -> bool {
        let left = |(seat, address): &(Seat, usize)| seat.addresses.at(seat.number) != *address;
        self.ended.load(Ordering::Acquire) || self.seated.as_ref().is_some_and(left)
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

    /// A transaction is about to begin. Until it is known to be over the connection is handed out
    /// to nobody else: whoever is dropped in the middle of one leaves it open.
    pub(super) fn begins_transaction(&mut self) {
        self.in_transaction = true;
    }

    /// The server has said that the transaction is over.
    pub(super) fn ended_transaction(&mut self) {
        self.in_transaction = false;
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

/// A server by what it is to its shard, wherever that is.
#[derive(Debug, Clone)]
struct Seat {
    addresses: Arc<Addresses>,
    number: usize,
}

/// Opens connections to one server.
#[derive(Debug, Clone)]
pub struct Manager {
    /// Where it may be; one of several by its seat.
    targets: Vec<Target>,
    seat: Option<Seat>,
    pub(super) purpose: Purpose,
    statements: StatementCounter,
    pub(super) ended: Arc<AtomicU64>,
    /// Whose database it must be; `None` where that is compared elsewhere, or is all the same.
    pub(super) owner: Option<Arc<Owner>>,
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
        let target = session(Target::parse(url)?, purpose, statement_timeout, Duration::ZERO);
        let targets = vec![target];
        Ok(Self { targets, seat: None, purpose, statements, ended: Arc::default(), owner: None })
    }

    /// What opens connections to one of a shard's servers: the primary, or replica n at seat n + 1.
    pub(super) fn seated(
        (addresses, number): (&Arc<Addresses>, usize),
        purpose: Purpose,
        statement_timeout: Duration,
        statements: StatementCounter,
    ) -> Self {
        let targets = addresses.targets().iter().cloned();
        let session = |target| session(target, purpose, statement_timeout, IDLE_IN_TRANSACTION);
        let targets = targets.map(session).collect();
        let seat = Some(Seat { addresses: Arc::clone(addresses), number });
        Self { targets, seat, purpose, statements, ended: Arc::default(), owner: None }
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

    /// The same to the database of the manager's own shard, if it has one.
    ///
    /// # Errors
    /// As [`Manager::open`]; a database that says it is another shard's.
    pub async fn open_own(&self) -> Result<PooledConnection, diesel::ConnectionError> {
        self.connect_to(self.owner.as_deref()).await
    }

    /// Opens a connection, to the primary wherever it is now.
    async fn connect_to(
        &self,
        owner: Option<&Owner>,
    ) -> Result<PooledConnection, diesel::ConnectionError> {
        let Some(seat) = &self.seat else { return self.connect_at(0, owner).await };
        let addresses = &seat.addresses;
        if seat.number != PRIMARY {
            return self.connect_in_time(seat, owner).await;
        }
        let tried = addresses.at(PRIMARY);
        if addresses.is_suspected() {
            Box::pin(addresses.look(tried)).await;
        }
        match self.connect_in_time(seat, owner).await {
            Err(_) if Box::pin(addresses.look(tried)).await => {
                self.connect_in_time(seat, owner).await
            }
            outcome => outcome,
        }
    }

    /// Opens a connection unless that takes for ever, as with a server that hangs, or the seat gets
    /// another address meanwhile.
    async fn connect_in_time(
        &self,
        seat: &Seat,
        owner: Option<&Owner>,
    ) -> Result<PooledConnection, diesel::ConnectionError> {
        let failed = |why: &str| Err(diesel::ConnectionError::BadConnection(why.to_owned()));
        let address = seat.addresses.at(seat.number);
        tokio::select! {
            opened = Box::pin(self.connect_at(address, owner)) => opened,
            () = seat.addresses.left(seat.number, address) => failed("it is at another address"),
            () = tokio::time::sleep(seat.addresses.patience) => failed("it does not answer"),
        }
    }

    async fn connect_at(
        &self,
        address: usize,
        owner: Option<&Owner>,
    ) -> Result<PooledConnection, diesel::ConnectionError> {
        let unknown = || diesel::ConnectionError::BadConnection("no such address".to_owned());
        let target = self.targets.get(address).ok_or_else(unknown)?;
        let (client, mut connection) = target
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
        if let Some((owner, seat)) = owner.zip(self.seat.as_ref()) {
            owner.compare(&client, &seat.addresses).await?;
        }
        let mut inner = AsyncPgConnection::try_from(client).await?;
        let statements = self.statements.clone();
        let refusal = Refusal { ended: Arc::clone(&ended), seat: self.writing() };
        let mut under_way: u64 = 0;
        inner.set_instrumentation(move |event: InstrumentationEvent<'_>| match event {
            InstrumentationEvent::StartQuery { .. } => {
                statements.sent(under_way);
                under_way = under_way.saturating_add(1);
                work::statement();
            }
            InstrumentationEvent::FinishQuery { error, .. } => {
                under_way = under_way.saturating_sub(1);
                if let Some(error) = error {
                    refusal.note(error);
                }
            }
            _ => {}
        });
        let seated = self.seat.clone().map(|seat| (seat, address));
        let (poisoned, in_transaction) = (false, false);
        Ok(PooledConnection { inner, warnings, ended, poisoned, in_transaction, seated })
    }
}

impl Manager {
    /// The seat, if whoever is there is to take writes.
    fn writing(&self) -> Option<Seat> {
        self.seat.clone().filter(|_| self.purpose == Purpose::Write)
    }

    /// The shard's primary did what a primary does not do.
    pub(super) fn suspect(&self) {
        if let Some(seat) = &self.seat {
            seat.addresses.suspect();
        }
    }
}

/// A connection for writes whose server says that it takes none: it is a replica now.
struct Refusal {
    ended: Arc<AtomicBool>,
    seat: Option<Seat>,
}

impl Refusal {
    fn note(&self, error: &diesel::result::Error) {
        use diesel::result::{DatabaseErrorKind, Error};
        if let Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _) = error
            && let Some(seat) = &self.seat
        {
            seat.addresses.suspect();
            self.ended.store(true, Ordering::Release);
        }
    }
}

/// How long a session of a shard may be silent within a transaction until its server ends it: what
/// a process that hangs has locked is another one's then. Whoever works sends its statements one
/// after the other.
pub(super) const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(4);

/// A target, and what is set for a session there; zero: no limit.
fn session(
    mut target: Target,
    purpose: Purpose,
    statement_timeout: Duration,
    idle_in_transaction: Duration,
) -> Target {
    let session = match purpose {
        Purpose::Read => " -c default_transaction_read_only=on",
        // What transactions ask finds its rows by their keys, whichever they are: planning it
        // anew each time took two fifths of a post's time here. Reads keep both kinds of plan,
        // since a limit or a list's length that is known can make another plan the right one.
        Purpose::Write => " -c plan_cache_mode=force_generic_plan",
    };
    target.config.application_name("plaza").connect_timeout(Duration::from_millis(1_000)).options(
        format!(
            "-c statement_timeout={} -c idle_in_transaction_session_timeout={}{session}",
            statement_timeout.as_millis(),
            idle_in_transaction.as_millis()
        ),
    );
    target
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
        conn.poisoned || conn.in_transaction || conn.has_ended()
    }
}
