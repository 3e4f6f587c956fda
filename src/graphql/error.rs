//! Errors as clients see them: `userErrors` for business failures, `extensions.code` for everything else.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::resolver_utils::EnumType;
use async_graphql::{Enum, Error, ErrorExtensions, Response, ServerError, SimpleObject};

use crate::domain::error::StoreError;
use crate::domain::{DomainError, UserError as DomainUserError, UserErrorCode as DomainCode};

/// The code of a top-level error, in `extensions.code`. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ErrorCode {
    /// Log in first, or the access token is no longer good.
    Unauthenticated,
    /// The viewer may not see this.
    Forbidden,
    /// An argument or variable that cannot be.
    BadUserInput,
    /// The query text is not GraphQL.
    GraphqlParseFailed,
    /// The query does not fit the schema.
    GraphqlValidationFailed,
    /// The query nests too deeply.
    QueryTooDeep,
    /// The query is too large, or asks for too much.
    QueryTooComplex,
    /// The text of this persisted query is not known: send it along.
    PersistedQueryNotFound,
    /// Too much was asked for in a short time; `retryAfter` in the extensions says in how many seconds to try again.
    RateLimited,
    /// Too many requests are being worked on: try again in a second. This request changed nothing; an earlier one with the same idempotency key may
    /// have.
    Overloaded,
    /// A server that is needed did not respond. This request changed nothing; an earlier one with the same idempotency key may have. Try again.
    ShardUnavailable,
    /// The change may or may not have happened. Try again with the same idempotency key.
    OutcomeUnknown,
    /// Not done in time. This request changed nothing; an earlier one with the same idempotency key may have. Try again.
    Timeout,
    /// A fault of ours; `requestId` is in the extensions.
    Internal,
}

impl ErrorCode {
    /// As on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::GraphqlParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::GraphqlValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::QueryTooDeep => "QUERY_TOO_DEEP",
            Self::QueryTooComplex => "QUERY_TOO_COMPLEX",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::RateLimited => "RATE_LIMITED",
            Self::Overloaded => "OVERLOADED",
            Self::ShardUnavailable => "SHARD_UNAVAILABLE",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::Timeout => "TIMEOUT",
            Self::Internal => "INTERNAL",
        }
    }

    /// The code of that name.
    fn of_name(name: &str) -> Option<Self> {
        Self::items().iter().find(|item| item.name == name).map(|item| item.value)
    }

    /// Counts one that a client is told.
    pub fn count(self) {
        metrics::counter!("plaza_graphql_errors_total", "code" => self.name()).increment(1);
    }

    /// The error of a request that is not run, with this code.
    pub fn server_error(self, message: impl Into<String>) -> ServerError {
        let mut error = ServerError::new(message, None);
        error.extensions.get_or_insert_with(Default::default).set("code", self.name());
        error
    }

    /// A top-level error with this code.
    pub fn error(self, message: impl Into<String>) -> Error {
        Error::new(message).extend_with(|_, extensions| extensions.set("code", self.name()))
    }
}

/// The message of a field whose outcome is not known.
const NOT_KNOWN: &str =
    "it is not known whether this happened: try again with the same idempotency key";

/// Corrects the response to a mutation that a proxy had sent to another server before: that attempt
/// may be in its COMMIT still, so no field can say that nothing was changed.
pub fn after_another_attempt(response: &mut Response) {
    for error in response.errors.iter_mut().filter(|error| error.path.len() == 1) {
        let extensions = error.extensions.get_or_insert_with(Default::default);
        let is_code = |code: ErrorCode| {
            extensions.get("code").is_some_and(|held| *held == code.name().into())
        };
        if is_code(ErrorCode::Timeout) || is_code(ErrorCode::ShardUnavailable) {
            extensions.set("code", ErrorCode::OutcomeUnknown.name());
            NOT_KNOWN.clone_into(&mut error.message);
        }
    }
}

/// What a failure was, for the log: it rides with the error to [`complete`], which knows the request, and never goes to the client.
struct Cause(String);

fn caused_by(mut told: Error, error: &DomainError) -> Error {
    told.source = Some(Arc::new(Cause(error.to_string())));
    told
}

/// What stopped the domain, as a top-level error. What is our fault is told in no more than a fixed text.
pub fn fault(error: &DomainError) -> Error {
    match error {
        DomainError::Unauthenticated => ErrorCode::Unauthenticated.error("log in first"),
        DomainError::Forbidden => ErrorCode::Forbidden.error("this is not for you"),
        DomainError::Rejected(errors) => {
            let message = errors.first().map_or("rejected", |error| error.message.as_str());
            ErrorCode::BadUserInput.error(message)
        }
        DomainError::Limited { retry_after_s } => {
            let told = ErrorCode::RateLimited
                .error(format!("tried too often: try again in {retry_after_s} s"));
            told.extend_with(|_, extensions| extensions.set("retryAfter", *retry_after_s))
        }
        DomainError::Store(StoreError::OutcomeUnknown(_)) => {
            ErrorCode::OutcomeUnknown.error(NOT_KNOWN)
        }
        DomainError::Store(StoreError::Deadline(_) | StoreError::Busy(_)) => {
            ErrorCode::Timeout.error("not done in time: try again")
        }
        DomainError::Store(StoreError::Unavailable { server, .. }) => {
            let told = caused_by(
                ErrorCode::ShardUnavailable
                    .error("a part of the data cannot be reached now: try again"),
                error,
            );
            match server.shard() {
                Some(shard) => told.extend_with(|_, extensions| extensions.set("shard", shard.0)),
                None => told,
            }
        }
        DomainError::Store(StoreError::Clock(_)) => caused_by(
            ErrorCode::ShardUnavailable
                .error("a part of the data takes no new rows now, since its clock is wrong: try again later"),
            error,
        ),
        DomainError::Store(_) | DomainError::Internal(_) => {
            caused_by(ErrorCode::Internal.error("internal error"), error)
        }
    }
}

/// Whether a response says only why nothing was run: one that ran has `data`, null or not, and its errors have paths.
pub fn was_not_run(response: &Response) -> bool {
    !response.errors.is_empty()
        && response.data == async_graphql::Value::Null
        && response.errors.iter().all(|error| error.path.is_empty())
}

/// Gives every error of a response that has no code one: those come from the library, which knows only texts. Logs what caused the
/// others, each cause once, with what finds it: the id that the client was told, and the trace.
pub fn complete(response: &mut Response, request_id: &str, traceparent: Option<&str>) {
    let mut logged = HashSet::new();
    for error in &mut response.errors {
        if let Some(Cause(cause)) = error.source::<Cause>()
            && logged.insert(cause.clone())
        {
            tracing::error!(request_id, traceparent, path = ?error.path, cause, "a field failed");
        }
        let extensions = error.extensions.get_or_insert_with(Default::default);
        if extensions.get("code").is_none() {
            let code = if error.path.is_empty() {
                ErrorCode::GraphqlValidationFailed
            } else {
                ErrorCode::BadUserInput
            };
            extensions.set("code", code.name());
        }
        if extensions
            .get("code")
            .is_some_and(|code| *code == async_graphql::Value::from(ErrorCode::Internal.name()))
        {
            extensions.set("requestId", request_id);
        }
        if let Some(async_graphql::Value::String(code)) = extensions.get("code")
            && let Some(code) = ErrorCode::of_name(code)
        {
            code.count();
        }
    }
}

/// Why a mutation was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum UserErrorCode {
    /// Too short, too long, out of bounds, or with characters that are not allowed.
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
    /// Past the state in which this can be done.
    InvalidState,
}

impl From<DomainCode> for UserErrorCode {
    fn from(code: DomainCode) -> Self {
        match code {
            DomainCode::Invalid => Self::Invalid,
            DomainCode::Taken => Self::Taken,
            DomainCode::NotFound => Self::NotFound,
            DomainCode::NotAllowed => Self::NotAllowed,
            DomainCode::InvalidCredentials => Self::InvalidCredentials,
            DomainCode::LimitExceeded => Self::LimitExceeded,
            DomainCode::IdempotencyConflict => Self::IdempotencyConflict,
            DomainCode::OutOfStock => Self::OutOfStock,
            DomainCode::InvalidState => Self::InvalidState,
        }
    }
}

/// A business failure: nothing was changed, and the client can do something about it.
#[derive(Debug, Clone, SimpleObject)]
pub struct UserError {
    /// What a program decides by.
    pub code: UserErrorCode,
    /// What a person reads.
    pub message: String,
    /// The input field it is about, from the mutation's arguments down: `["input", "text"]`.
    pub path: Vec<String>,
}

impl From<DomainUserError> for UserError {
    fn from(error: DomainUserError) -> Self {
        Self { code: error.code.into(), message: error.message, path: error.path }
    }
}

/// Splits what a mutation came to into its value or its `userErrors`; anything else is a top-level error.
///
/// # Errors
/// Whatever is no business failure.
pub fn payload<T>(
    result: Result<T, DomainError>,
) -> async_graphql::Result<(Option<T>, Vec<UserError>)> {
    match result {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(DomainError::Rejected(errors)) => {
            Ok((None, errors.into_iter().map(UserError::from).collect()))
        }
        Err(error) => Err(fault(&error)),
    }
}
