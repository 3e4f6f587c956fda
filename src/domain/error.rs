//! One vocabulary of failure: what the client did wrong (a [`UserError`]), and what stopped us (the
//! rest).

pub use plaza_stores::StoreError;

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum DomainError {
    /// A rule said no, in words for the client; nothing was changed.
    #[error("rejected: {0:?}")]
    Rejected(Vec<UserError>),
    /// Only a logged-in viewer may do this.
    #[error("unauthenticated")]
    Unauthenticated,
    /// The viewer may not see this.
    #[error("forbidden")]
    Forbidden,
    /// Tried too often.
    #[error("limited for {retry_after_s} s")]
    Limited {
        /// Seconds until it may be tried again.
        retry_after_s: u64,
    },
    /// A server that is needed did not answer; nothing was changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something that cannot be.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<diesel::result::Error> for DomainError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A business failure: an entry of `userErrors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserError {
    /// What a program decides by.
    pub code: UserErrorCode,
    /// What a user reads.
    pub message: String,
    /// The input field it is about: `["input", "text"]`.
    pub path: Vec<String>,
}

impl UserError {
    /// One about a field of `input`.
    pub fn field(code: UserErrorCode, field: &str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), path: vec!["input".to_owned(), field.to_owned()] }
    }
}

impl DomainError {
    /// A rejection for one reason, about a field of `input`.
    pub fn rejected(code: UserErrorCode, field: &str, message: impl Into<String>) -> Self {
        Self::Rejected(vec![UserError::field(code, field, message)])
    }
}

/// Every reason a mutation may be refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserErrorCode {
    /// Too short, too long, or with characters that are not allowed.
    Invalid,
    /// Somebody else has it.
    Taken,
    /// There is no such thing, or the viewer may not see it.
    NotFound,
    /// The viewer may see it, but not do this with it.
    NotAllowed,
    /// Wrong handle or password, or a refresh token that is not (or no longer) good.
    InvalidCredentials,
    /// A limit is reached.
    LimitExceeded,
    /// The same idempotency key came before with another input.
    IdempotencyConflict,
    /// There is not enough stock.
    OutOfStock,
    /// The order is past the state in which this can be done.
    InvalidState,
}
