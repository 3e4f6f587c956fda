//! What can go wrong with a server, in the few kinds that callers decide by.

use super::server::Server;

/// A failure of a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The server cannot be reached, or gave the connection up: trying again later may help.
    #[error("{server} is unavailable: {reason}")]
    Unavailable {
        /// Which server.
        server: Server,
        /// What was seen.
        reason: String,
    },
    /// The operation's deadline passed before the work was done; nothing was committed.
    #[error("the deadline passed while waiting for {0}")]
    Deadline(String),
    /// A COMMIT was sent and its outcome is not known: it may or may not have happened.
    #[error("the outcome of a commit on {0} is unknown")]
    OutcomeUnknown(String),
    /// A constraint refused the row; the name is the constraint's.
    #[error("constraint {0}")]
    Constraint(String),
    /// The server refused or could not run a statement or command.
    #[error("query: {0}")]
    Query(#[source] diesel::result::Error),
    /// A shard's clock is behind the last id it has issued, so that it issues none; nothing was
    /// committed.
    #[error("{0}")]
    Clock(String),
    /// Every connection this process may have to the server is in use; nothing was begun.
    #[error("all connections to {0} are in use")]
    Busy(String),
    /// Another process has begun what only one does at a time, after this one had; nothing was
    /// changed. The name is the lease's.
    #[error("another process has taken the lease {0}")]
    Fenced(String),
    /// Stored data that cannot be what it should be.
    #[error("corrupt: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Whether the same request may succeed elsewhere or later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::Deadline(_) | Self::Busy(_) | Self::OutcomeUnknown(_)
        )
    }

    /// Whether the server has refused a statement, so that the transaction it was in is undone
    /// whatever comes after it.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Constraint(_)
                | Self::Clock(_)
                | Self::Deadline(_)
                | Self::Query(diesel::result::Error::DatabaseError(..))
        )
    }

    /// An [`StoreError::Unavailable`].
    pub fn unavailable(server: impl Into<Server>, reason: impl std::fmt::Display) -> Self {
        Self::Unavailable { server: server.into(), reason: reason.to_string() }
    }
}

impl From<diesel::result::Error> for StoreError {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind as Kind, Error};
        match &error {
            Error::DatabaseError(
                Kind::UniqueViolation | Kind::CheckViolation | Kind::ForeignKeyViolation,
                info,
            ) => Self::Constraint(
                info.constraint_name().unwrap_or_else(|| info.message()).to_owned(),
            ),
            Error::DatabaseError(_, info)
                if info.message().contains("the clock stepped back by") =>
            {
                metrics::counter!("plaza_id_clock_refused_total").increment(1);
                Self::Clock(info.message().to_owned())
            }
            Error::DatabaseError(Kind::ClosedConnection | Kind::UnableToSendCommand, info) => {
                Self::unavailable("postgres", info.message())
            }
            // What a server that is stopping, starting or failing over says; none of it is the
            // statement's fault.
            Error::DatabaseError(Kind::ReadOnlyTransaction, info) => {
                Self::unavailable("postgres", info.message())
            }
            Error::DatabaseError(_, info)
                if info.message().contains("terminating connection")
                    || info.message().contains("the database system is")
                    || info.message().contains("connection closed") =>
            {
                Self::unavailable("postgres", info.message())
            }
            Error::DatabaseError(_, info)
                if info.message().contains("canceling statement due to statement timeout") =>
            {
                Self::Deadline("a query".to_owned())
            }
            _ => Self::Query(error),
        }
    }
}
