//! How a transaction is sent: BEGIN in one message with the first statements, and COMMIT in one
//! with the last one and the look at the position after it. The server answers them in their order,
//! so that each message costs one wait, however many statements it has.
//!
//! All of them are prepared statements, BEGIN and COMMIT too: statements that are sent together
//! take their turns at the connection's prepared ones in the order in which they were begun. A
//! COMMIT as plain text would overtake one that has to be prepared first.

use diesel::QueryResult;
use diesel_async::RunQueryDsl;
use tokio::time::error::Elapsed;

use super::idempotency_keys::{self, Answer};
use super::outbox::{self, NewRows};
use super::pool::Connection;
use super::position::primary_lsn;
use super::prepared::{prepared, sql};
use super::session::Lsn;
use crate::StoreError;

/// What a transaction writes last, in the message that commits it.
#[derive(Debug, Clone, Copy)]
pub enum Last<'a> {
    /// Nothing: all is written.
    Nothing,
    /// Its messages; there are some.
    Messages(&'a NewRows),
    /// The answer to its key, with its messages.
    Answer(Answer<'a>),
}

impl Last<'_> {
    pub(super) async fn send(self, connection: &Connection) -> Result<(), StoreError> {
        match self {
            Self::Nothing => Ok(()),
            Self::Messages(rows) => outbox::insert(connection, rows).await,
            Self::Answer(answer) => idempotency_keys::answer(connection, answer).await,
        }
    }
}

pub(super) async fn begin(mut connection: &Connection) -> QueryResult<usize> {
    prepared(sql("BEGIN")).execute(&mut connection).await
}

pub(super) async fn commit(mut connection: &Connection) -> Result<usize, StoreError> {
    Ok(prepared(sql("COMMIT")).execute(&mut connection).await?)
}

/// The position after the COMMIT that was sent before it, for whoever reads something after that.
pub(super) async fn position_if(
    is_wanted: bool,
    connection: &Connection,
) -> Result<Option<Lsn>, StoreError> {
    if is_wanted { primary_lsn(connection).await.map(Some) } else { Ok(None) }
}

/// What came of a statement; [`Elapsed`] when nothing had by the deadline.
pub(super) type Came<T> = Result<Result<T, StoreError>, Elapsed>;

/// What became of a transaction whose COMMIT was sent.
pub(super) enum Outcome {
    Committed,
    /// It is undone, and why.
    Refused(StoreError),
    Unknown,
}

impl Outcome {
    /// By what came of its last statement and of its COMMIT, which the server may have followed
    /// with a warning: it sends one when it stops waiting for its replicas.
    pub(super) fn of(last: Came<()>, commit: Came<usize>, is_warned: bool) -> Self {
        match (last, commit) {
            // The server takes the COMMIT of a transaction that has failed as its ROLLBACK.
            (Ok(Err(error)), _) | (Ok(Ok(())), Ok(Err(error))) if error.is_refusal() => {
                Self::Refused(error)
            }
            (Ok(Ok(())), Ok(Ok(_))) if !is_warned => Self::Committed,
            (last, commit) => {
                tracing::error!(?last, ?commit, is_warned, "the outcome of a commit is unknown");
                Self::Unknown
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> StoreError {
        StoreError::Constraint("orders_pkey".to_owned())
    }

    fn lost() -> StoreError {
        StoreError::unavailable("postgres", "connection closed")
    }

    async fn late<T>() -> Came<T> {
        let never = std::future::pending();
        tokio::time::timeout(std::time::Duration::ZERO, never).await
    }

    #[tokio::test]
    async fn only_what_the_server_said_is_known() {
        let is = |last, commit, is_warned| match Outcome::of(last, commit, is_warned) {
            Outcome::Committed => "committed",
            Outcome::Refused(_) => "refused",
            Outcome::Unknown => "unknown",
        };
        assert_eq!(is(Ok(Ok(())), Ok(Ok(0)), false), "committed");
        assert_eq!(is(Ok(Ok(())), Ok(Ok(0)), true), "unknown", "no replica has it");
        assert_eq!(is(Ok(Err(refused())), Ok(Ok(0)), false), "refused", "its COMMIT is a ROLLBACK");
        assert_eq!(is(Ok(Err(refused())), Ok(Err(lost())), false), "refused");
        assert_eq!(is(Ok(Ok(())), Ok(Err(refused())), false), "refused");
        // The COMMIT is on its way whatever became of the answer to the statement before it.
        assert_eq!(is(Ok(Err(lost())), Ok(Err(lost())), false), "unknown");
        assert_eq!(is(Ok(Ok(())), Ok(Err(lost())), false), "unknown");
        assert_eq!(is(late().await, late().await, false), "unknown");
        assert_eq!(is(Ok(Ok(())), late().await, false), "unknown");
    }
}
