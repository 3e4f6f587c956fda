//! The only way to write: one transaction on one shard's primary.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use futures_util::future::{join, join3};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use super::appended::Appended;
use super::cluster::Cluster;
use super::commit::{self, Last, Outcome};
use super::commit_breaker::Admission;
use super::health;
use super::pool::{Connection, Manager, Pool};
use super::routing::ShardIndex;
use super::session::Lsn;
use crate::query::Work;
use crate::{StoreError, explain};
use plaza_telemetry::trace::Span;

/// How long a COMMIT may take beyond the deadline of the work before it: the replicas'
/// acknowledgement is part of it.
const COMMIT_GRACE: Duration = Duration::from_millis(250);

/// What a transaction returned, and the position a replica must reach to show it.
#[derive(Debug)]
pub struct Committed<T> {
    /// The work's result.
    pub value: T,
    /// The shard's log position after the commit; `None` when it could not be read.
    pub lsn: Option<Lsn>,
}

/// Records explanations, metrics and traces of a transaction, however it ends.
struct Recorder {
    pool: Pool,
    shard: ShardIndex,
    began: std::time::Instant,
    span: Span,
    /// Until it is known to be well, or ended by the work's own decision.
    failed: bool,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        explain::transaction(self.shard.0, self.began.elapsed());
        self.pool.count(self.began.elapsed(), self.failed);
        if self.failed {
            self.span.failed("not committed");
        }
    }
}

/// An open transaction: what query functions take, as a connection. Dropped, it is rolled back with
/// its connection.
pub struct Transaction {
    connection: bb8::PooledConnection<'static, Manager>,
    admission: Admission,
    recorder: Recorder,
    deadline: Instant,
    outboxes: Arc<Appended>,
    appended: bool,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("server", &self.server()).finish_non_exhaustive()
    }
}

impl Deref for Transaction {
    type Target = Connection;
    fn deref(&self) -> &Self::Target {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection
    }
}

impl Transaction {
    /// Its shard.
    pub fn shard(&self) -> ShardIndex {
        self.recorder.shard
    }

    /// Its server's name, for operators.
    pub fn server(&self) -> &str {
        self.recorder.pool.name()
    }

    /// It has written to the outbox: its commit wakes the shard's relay.
    pub fn appended(&mut self) {
        self.appended = true;
    }

    /// What its work came to, and the transaction to be committed; one whose work failed, or was
    /// not done by the deadline, ends here.
    ///
    /// # Errors
    /// The work's own; [`StoreError::Deadline`].
    pub async fn after<T, E: From<StoreError>>(
        self,
        worked: Result<Result<T, E>, Elapsed>,
    ) -> Result<(T, Self), E> {
        match worked {
            Ok(Ok(value)) => Ok((value, self)),
            Ok(Err(error)) => {
                self.rollback().await;
                Err(error)
            }
            Err(_) => Err(self.expire().into()),
        }
    }

    /// Begins it, if it was only reserved, in one message with the statements that `beside` sends
    /// on its connection; what came of those.
    ///
    /// # Errors
    /// The server's; [`StoreError::Deadline`], also when it is `beside` that is late: what was
    /// reserved is of no more use.
    pub async fn begin<T>(&self, beside: impl Future<Output = T>) -> Result<T, StoreError> {
        let sent = join(commit::begin(&self.connection), beside);
        match timeout_at(self.deadline, sent).await {
            Ok((Ok(_), value)) => Ok(value),
            Ok((Err(error), _)) => Err(match StoreError::from(error) {
                // Somebody had the server stop just that: what came behind it was committed by
                // itself.
                error if error.is_refusal() => {
                    tracing::error!(server = self.server(), %error, "a transaction did not begin");
                    StoreError::OutcomeUnknown(self.server().to_owned())
                }
                error => error,
            }),
            Err(_) => Err(StoreError::Deadline(self.server().to_owned())),
        }
    }

    /// Ends it by the work's own decision; nothing of it stays.
    pub async fn rollback(mut self) {
        self.recorder.failed = false;
        let mut connection: &Connection = &self.connection;
        if connection.batch_execute("ROLLBACK").await.is_ok() {
            self.connection.ended_transaction();
        }
    }

    /// Ends it because its deadline passed, whatever the server is doing; nothing of it stays.
    pub fn expire(mut self) -> StoreError {
        self.connection.poison();
        StoreError::Deadline(self.server().to_owned())
    }

    /// Commits it; the shard's log position then, `None` when that could not be read. A COMMIT is
    /// never cancelled: at the deadline the connection is dropped and the answer is
    /// [`StoreError::OutcomeUnknown`]. So is a COMMIT that came with a warning, since the server
    /// sends one when it stopped waiting for its replicas.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`]; what the server refuses at COMMIT.
    pub async fn commit(self) -> Result<Option<Lsn>, StoreError> {
        self.commit_with(Last::Nothing).await
    }

    /// The same with what it writes last, in one message.
    ///
    /// # Errors
    /// As [`Transaction::commit`]; what the server refuses of that, nothing being committed then.
    pub async fn commit_with(mut self, last: Last<'_>) -> Result<Option<Lsn>, StoreError> {
        self.end(last, true).await
    }

    /// The same for whoever reads nothing after it, and so needs no position: that is a statement
    /// less.
    ///
    /// # Errors
    /// As [`Transaction::commit`].
    pub async fn commit_unread(mut self) -> Result<(), StoreError> {
        self.end(Last::Nothing, false).await.map(drop)
    }

    async fn end(&mut self, last: Last<'_>, is_read: bool) -> Result<Option<Lsn>, StoreError> {
        let (warnings, until) = (self.connection.warnings(), self.deadline + COMMIT_GRACE);
        let connection: &Connection = &self.connection;
        // Each by itself: a commit that is known does not become unknown by what is late after it.
        let (last, committed, position) = join3(
            timeout_at(until, last.send(connection)),
            timeout_at(until, commit::commit(connection)),
            timeout_at(until, commit::position_if(is_read, connection)),
        )
        .await;
        // A connection that was lost says so itself when the next one is opened.
        let was_lost = matches!(committed, Ok(Err(_)));
        let has_ended = matches!(committed, Ok(Ok(_)));
        match Outcome::of(last, committed, self.connection.warnings() != warnings) {
            Outcome::Committed => self.admission.committed(),
            Outcome::Refused(error) => {
                if has_ended {
                    self.connection.ended_transaction();
                }
                return Err(error);
            }
            Outcome::Unknown => {
                if !was_lost {
                    self.admission.unknown();
                }
                self.recorder.pool.suspect();
                self.connection.poison();
                return Err(StoreError::OutcomeUnknown(self.server().to_owned()));
            }
        }
        self.recorder.failed = false;
        self.connection.ended_transaction();
        if self.appended {
            self.outboxes.add(self.recorder.shard);
        }
        Ok(position.ok().and_then(Result::ok).flatten().or_else(|| {
            if is_read {
                self.connection.poison();
            }
            None
        }))
    }
}

impl Cluster {
    /// Opens a transaction on the shard's primary, unless its commits are acknowledged by no
    /// replica (`commit_breaker.rs`).
    ///
    /// # Errors
    /// The shard's unavailability.
    pub async fn begin(
        &self,
        index: ShardIndex,
        deadline: Instant,
    ) -> Result<Transaction, StoreError> {
        let transaction = self.reserve(index, deadline).await?;
        transaction.begin(std::future::ready(())).await?;
        Ok(transaction)
    }

    /// The same, but for its BEGIN: for whoever sends that with the first statements
    /// ([`Transaction::begin`]), and nothing before it.
    ///
    /// # Errors
    /// As [`Cluster::begin`].
    pub async fn reserve(
        &self,
        index: ShardIndex,
        deadline: Instant,
    ) -> Result<Transaction, StoreError> {
        let shard = self.shard(index)?;
        let admission = shard.commits.admit()?;
        let pool = shard.primary.clone();
        let span = pool.span("transaction on");
        let began = std::time::Instant::now();
        let recorder = Recorder { pool, shard: index, began, span, failed: true };
        let mut connection = recorder.pool.get_owned().await?;
        if admission.is_probe() && !health::may_commit(&mut connection).await? {
            return Err(admission.refuse());
        }
        connection.begins_transaction();
        let outboxes = Arc::clone(&self.appended);
        Ok(Transaction { connection, admission, recorder, deadline, outboxes, appended: false })
    }

    /// Runs one statement on the shard's primary, which is a transaction by itself: what it commits
    /// may be waited for by no replica, if it says so.
    ///
    /// # Errors
    /// The statement's, or the shard's unavailability.
    #[expect(
        clippy::manual_async_fn,
        reason = "the signature says that the future may move between threads"
    )]
    pub fn write_alone<'a, T, F>(
        &'a self,
        index: ShardIndex,
        deadline: Instant,
        statement: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'a
    where
        T: Send + 'a,
        F: Work<Connection, T, StoreError> + 'a,
    {
        async move {
            let pool = self.shard(index)?.primary.clone();
            let span = pool.span("statement on");
            let began = std::time::Instant::now();
            let mut recorder = Recorder { pool, shard: index, began, span, failed: true };
            let mut connection = recorder.pool.get_owned().await?;
            match timeout_at(deadline, statement(&mut connection)).await {
                Ok(Ok(value)) => {
                    recorder.failed = false;
                    Ok(value)
                }
                Ok(Err(error)) => {
                    if error.is_transient() {
                        connection.poison();
                    }
                    Err(error)
                }
                Err(_) => {
                    connection.poison();
                    Err(StoreError::Deadline(recorder.pool.name().to_owned()))
                }
            }
        }
    }

    /// Runs `work` in a transaction on the shard's primary and commits it, as
    /// [`Transaction::commit`] does. When `work` fails, nothing of it stays.
    ///
    /// # Errors
    /// The work's own error, or the shard's unavailability.
    #[expect(
        clippy::manual_async_fn,
        reason = "the signature says that the future may move between threads"
    )]
    pub fn write<'a, T, E, F>(
        &'a self,
        index: ShardIndex,
        deadline: Instant,
        work: F,
    ) -> impl Future<Output = Result<Committed<T>, E>> + Send + 'a
    where
        T: Send + 'a,
        E: From<StoreError> + Send + 'a,
        F: Work<Connection, T, E> + 'a,
    {
        async move {
            let mut transaction = self.begin(index, deadline).await?;
            let worked = timeout_at(deadline, work(&mut transaction)).await;
            let (value, transaction) = transaction.after(worked).await?;
            Ok(Committed { value, lsn: transaction.commit().await? })
        }
    }

    /// The same for whoever reads nothing after it, and so needs no position: that is a statement
    /// less.
    ///
    /// # Errors
    /// As [`Cluster::write`].
    #[expect(
        clippy::manual_async_fn,
        reason = "the signature says that the future may move between threads"
    )]
    pub fn write_unread<'a, T, E, F>(
        &'a self,
        index: ShardIndex,
        deadline: Instant,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + Send + 'a
    where
        T: Send + 'a,
        E: From<StoreError> + Send + 'a,
        F: Work<Connection, T, E> + 'a,
    {
        async move {
            let mut transaction = self.begin(index, deadline).await?;
            let worked = timeout_at(deadline, work(&mut transaction)).await;
            let (value, transaction) = transaction.after(worked).await?;
            transaction.commit_unread().await?;
            Ok(value)
        }
    }

    /// As [`Cluster::write_unread`]; the work gets the transaction itself, in which messages can be
    /// written to the outbox.
    ///
    /// # Errors
    /// As [`Cluster::write`].
    #[expect(
        clippy::manual_async_fn,
        reason = "the signature says that the future may move between threads"
    )]
    pub fn write_outbox<'a, T, E, F>(
        &'a self,
        index: ShardIndex,
        deadline: Instant,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + Send + 'a
    where
        T: Send + 'a,
        E: From<StoreError> + Send + 'a,
        F: Work<Transaction, T, E> + 'a,
    {
        async move {
            let mut transaction = self.begin(index, deadline).await?;
            let worked = timeout_at(deadline, work(&mut transaction)).await;
            let (value, transaction) = transaction.after(worked).await?;
            transaction.commit_unread().await?;
            Ok(value)
        }
    }
}
