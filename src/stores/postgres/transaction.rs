//! The only way to write: one transaction on one shard's primary.

use std::time::Duration;

use diesel_async::{AsyncPgConnection, TransactionManager};
use tokio::time::Instant;

use super::appended::noticing;
use super::cluster::Cluster;
use super::pool::{Connection, Manager};
use super::position::primary_lsn;
use super::routing::ShardIndex;
use super::session::Lsn;
use super::shard::Shard;
use crate::stores::query::SendFnOnce;
use crate::stores::{StoreError, explain};
use crate::telemetry::trace::Span;

type Transactions = <AsyncPgConnection as diesel_async::AsyncConnection>::TransactionManager;

/// How long a COMMIT may take beyond the deadline of the work before it: the replicas'
/// acknowledgement is part of it.
const COMMIT_GRACE: Duration = Duration::from_millis(500);

/// What a transaction returned, and the position a replica must reach to show it.
#[derive(Debug)]
pub struct Committed<T> {
    /// The work's result.
    pub value: T,
    /// The shard's log position after the commit.
    pub lsn: Lsn,
}

/// Tells explanations, figures and traces of a transaction, however it ends.
struct Told<'a> {
    shard: &'a Shard,
    began: std::time::Instant,
    span: Span,
    /// Until it is known to be well, or ended by the work's own decision.
    failed: bool,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        explain::transaction(self.shard.index.0, self.began.elapsed());
        self.shard.primary.count(self.began.elapsed(), self.failed);
        if self.failed {
            self.span.failed("not committed");
        }
    }
}

impl Cluster {
    /// Runs `work` in a transaction on the shard's primary and commits it. When `work` fails,
    /// nothing of it stays.
    ///
    /// A COMMIT is never cancelled: at the deadline the connection is dropped and the answer is
    /// [`StoreError::OutcomeUnknown`]. So is a COMMIT that came with a warning, since the server
    /// sends one when it stopped waiting for its replicas.
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
        for<'c> F: AsyncFnOnce(&'c mut Connection) -> Result<T, E>
            + SendFnOnce<&'c mut Connection, Result<T, E>, Fut: Send>
            + Send
            + 'a,
    {
        async move {
            let (value, mut connection) = self.write_and_commit(index, deadline, work).await?;
            let lsn = match tokio::time::timeout_at(
                deadline + COMMIT_GRACE,
                primary_lsn(&mut connection),
            )
            .await
            {
                Ok(Ok(lsn)) => lsn,
                // Committed, but where is not known: no replica is fresh enough for this client
                // until it writes again.
                _ => {
                    connection.poison();
                    u64::try_from(i64::MAX).unwrap_or_default()
                }
            };
            Ok(Committed { value, lsn })
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
        for<'c> F: AsyncFnOnce(&'c mut Connection) -> Result<T, E>
            + SendFnOnce<&'c mut Connection, Result<T, E>, Fut: Send>
            + Send
            + 'a,
    {
        async move { Ok(self.write_and_commit(index, deadline, work).await?.0) }
    }

    /// The result, and the connection that it was committed on.
    async fn write_and_commit<T, E, F>(
        &self,
        index: ShardIndex,
        deadline: Instant,
        work: F,
    ) -> Result<(T, bb8::PooledConnection<'_, Manager>), E>
    where
        T: Send,
        E: From<StoreError> + Send,
        for<'c> F: AsyncFnOnce(&'c mut Connection) -> Result<T, E>
            + SendFnOnce<&'c mut Connection, Result<T, E>, Fut: Send>
            + Send,
    {
        let shard = self.shard(index)?;
        let began = std::time::Instant::now();
        let mut told =
            Told { shard, began, span: shard.primary.span("transaction on"), failed: true };
        let mut connection = shard.primary.get().await?;
        let server = shard.primary.server();
        let worked = noticing(tokio::time::timeout_at(deadline, async {
            Transactions::begin_transaction(&mut **connection).await.map_err(StoreError::from)?;
            work(&mut connection).await
        }));
        let (worked, appended) = worked.await;
        let value = match worked {
            Ok(Ok(value)) => value,
            Ok(Err(error)) => {
                told.failed = false;
                if Transactions::rollback_transaction(&mut **connection).await.is_err() {
                    connection.poison();
                }
                return Err(error);
            }
            Err(_) => {
                connection.poison();
                return Err(StoreError::Deadline(server.to_owned()).into());
            }
        };
        let warnings = connection.warnings();
        let committed = tokio::time::timeout_at(
            deadline + COMMIT_GRACE,
            Transactions::commit_transaction(&mut **connection),
        )
        .await;
        match committed {
            Ok(Ok(())) if connection.warnings() == warnings => told.failed = false,
            Ok(Err(diesel::result::Error::DatabaseError(kind, info)))
                if !matches!(
                    kind,
                    diesel::result::DatabaseErrorKind::ClosedConnection
                        | diesel::result::DatabaseErrorKind::UnableToSendCommand
                ) && !info.message().contains("terminating connection") =>
            {
                connection.poison();
                return Err(
                    StoreError::from(diesel::result::Error::DatabaseError(kind, info)).into()
                );
            }
            outcome => {
                tracing::error!(server, ?outcome, "the outcome of a commit is unknown");
                connection.poison();
                return Err(StoreError::OutcomeUnknown(server.to_owned()).into());
            }
        }
        if appended {
            self.appended.add(index);
        }
        Ok((value, connection))
    }
}
