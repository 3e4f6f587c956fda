//! Errors as clients see them: `userErrors` for business failures, `extensions.code` for everything else.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::resolver_utils::EnumType;
use async_graphql::{
    Context, Enum, Error, ErrorExtensions, PathSegment, Pos, Response, ServerError, SimpleObject,
    Value,
};

use plaza_domain::error::StoreError;
use plaza_domain::{DomainError, UserError as DomainUserError, UserErrorCode as DomainCode};

/// Code of a top-level error, in `extensions.code`. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ErrorCode {
    /// The operation requires a log-in, or the access token has expired or was revoked.
    Unauthenticated,
    /// The viewer lacks permission for this field or operation.
    Forbidden,
    /// An argument or variable is out of bounds or malformed.
    BadUserInput,
    /// The document is not syntactically valid GraphQL.
    GraphqlParseFailed,
    /// The document does not match the schema.
    GraphqlValidationFailed,
    /// The document is nested too deeply.
    QueryTooDeep,
    /// The document, its cost or its response exceeds a limit.
    QueryTooComplex,
    /// The server does not know this persisted query: send its full text once.
    PersistedQueryNotFound,
    /// A rate limit is exhausted; `retryAfter` in the extensions is the number of seconds to wait.
    RateLimited,
    /// The server is at its limit of concurrent requests: retry after one second. This request
    /// changed nothing; an earlier one with the same idempotency key may have.
    Overloaded,
    /// A required server did not respond: retry. This request changed nothing; an earlier one with
    /// the same idempotency key may have.
    ShardUnavailable,
    /// A part of the data accepts no new rows, since its server's clock is wrong: an operator must
    /// set it. This request changed nothing; an earlier one with the same idempotency key may have.
    ClockRefused,
    /// The mutation may or may not have been committed: retry with the same idempotency key to find
    /// out.
    OutcomeUnknown,
    /// The deadline of the request passed: retry. This request changed nothing; an earlier one with
    /// the same idempotency key may have.
    Timeout,
    /// A server fault; `requestId` in the extensions identifies it in the logs.
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
            Self::ClockRefused => "CLOCK_REFUSED",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::Timeout => "TIMEOUT",
            Self::Internal => "INTERNAL",
        }
    }

    /// The code of that name.
    fn of_name(name: &str) -> Option<Self> {
        Self::items().iter().find(|item| item.name == name).map(|item| item.value)
    }

    /// Counts one that is sent to a client.
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
pub fn after_another_attempt(errors: &mut [ServerError]) {
    for error in errors.iter_mut().filter(|error| error.path.len() == 1) {
        let extensions = error.extensions.get_or_insert_with(Default::default);
        let is_code = |code: ErrorCode| {
            extensions.get("code").is_some_and(|held| *held == code.name().into())
        };
        let said_nothing_was_changed = [
            ErrorCode::Timeout,
            ErrorCode::ShardUnavailable,
            ErrorCode::ClockRefused,
            ErrorCode::RateLimited,
        ];
        if said_nothing_was_changed.into_iter().any(is_code) {
            extensions.set("code", ErrorCode::OutcomeUnknown.name());
            NOT_KNOWN.clone_into(&mut error.message);
        }
    }
}

/// What a failure was, for the log: it rides with the error to [`complete`], which knows the request, and never goes to the client.
struct Cause(String);

fn caused_by(mut error: Error, cause: &DomainError) -> Error {
    error.source = Some(Arc::new(Cause(cause.to_string())));
    error
}

/// Says beside a list which shards' rows it lacks.
pub(crate) fn add_missing(ctx: &Context<'_>, what: &str, shards: impl IntoIterator<Item = usize>) {
    for shard in shards {
        ctx.add_error(missing(what, shard).into_server_error(ctx.item.pos));
    }
}

/// Says that a shard's rows are missing.
pub(crate) fn missing(what: &str, shard: usize) -> Error {
    ErrorCode::ShardUnavailable.error(format!("the {what} of shard {shard} are missing"))
}

/// What stopped the domain, as a top-level error. A server fault has a fixed text only.
pub fn fault(error: &DomainError) -> Error {
    match error {
        DomainError::Unauthenticated => ErrorCode::Unauthenticated.error("log in first"),
        DomainError::Forbidden => ErrorCode::Forbidden.error("this is not for you"),
        DomainError::Rejected(errors) => {
            let message = errors.first().map_or("rejected", |error| error.message.as_str());
            ErrorCode::BadUserInput.error(message)
        }
        DomainError::Limited { retry_after_s } => {
            let error = ErrorCode::RateLimited
                .error(format!("tried too often: try again in {retry_after_s} s"));
            error.extend_with(|_, extensions| extensions.set("retryAfter", *retry_after_s))
        }
        DomainError::Store(StoreError::OutcomeUnknown(_)) => {
            ErrorCode::OutcomeUnknown.error(NOT_KNOWN)
        }
        DomainError::Store(StoreError::Deadline(_) | StoreError::Busy(_)) => {
            ErrorCode::Timeout.error("not done in time: try again")
        }
        DomainError::Store(StoreError::Unavailable { server, .. }) => {
            let error = caused_by(
                ErrorCode::ShardUnavailable
                    .error("a part of the data cannot be reached now: try again"),
                error,
            );
            match server.shard() {
                Some(shard) => error.extend_with(|_, extensions| extensions.set("shard", shard.0)),
                None => error,
            }
        }
        DomainError::Store(StoreError::Clock(_)) => caused_by(
            ErrorCode::ClockRefused
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
        && response.data == Value::Null
        && response.errors.iter().all(|error| error.path.is_empty())
}

/// Brings a response's errors into the order of its data, those without a path first: the library
/// has them in the order in which fields failed.
pub fn in_order(response: &mut Response) {
    let data = &response.data;
    if response.errors.len() > 1 {
        response.errors.sort_by_cached_key(|error| (places(data, &error.path), beside(error)));
    }
}

/// The order of errors that stand beside the data: that of the document.
pub(crate) fn beside(error: &ServerError) -> (Vec<Pos>, String) {
    match error.path.is_empty() {
        true => (error.locations.clone(), error.message.clone()),
        false => Default::default(),
    }
}

/// Where a path leads in the data: the place of each of its parts among the others, as far as the
/// data goes.
fn places(data: &Value, path: &[PathSegment]) -> Vec<usize> {
    let mut places = Vec::with_capacity(path.len());
    let mut value = Some(data);
    for part in path {
        let (place, inner) = match (part, value) {
            (PathSegment::Field(name), Some(Value::Object(fields))) => {
                let found = fields.get_full(name.as_str());
                found.map_or((usize::MAX, None), |(place, _, inner)| (place, Some(inner)))
            }
            (PathSegment::Index(place), Some(Value::List(items))) => (*place, items.get(*place)),
            _ => (usize::MAX, None),
        };
        places.push(place);
        value = inner;
    }
    places
}

/// Gives every error of a response that has no code one: those come from the library, which knows only texts. Logs what caused the
/// others, each cause once, with what finds it: the request id in the response, and the trace.
pub fn complete(errors: &mut [ServerError], request_id: &str, traceparent: Option<&str>) {
    let mut logged = HashSet::new();
    for error in errors {
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
            .is_some_and(|code| *code == Value::from(ErrorCode::Internal.name()))
        {
            extensions.set("requestId", request_id);
        }
        if let Some(Value::String(code)) = extensions.get("code")
            && let Some(code) = ErrorCode::of_name(code)
        {
            code.count();
        }
    }
}

/// Code of a business error in `userErrors`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum UserErrorCode {
    /// A value is too short, too long, out of bounds or contains characters that are not allowed.
    Invalid,
    /// Another account uses this value.
    Taken,
    /// The object does not exist, or the viewer may not see it.
    NotFound,
    /// The viewer may see the object but may not do this with it.
    NotAllowed,
    /// The handle or password is wrong, or the refresh token is unknown, used, revoked or expired.
    InvalidCredentials,
    /// A limit on the number of objects is reached.
    LimitExceeded,
    /// The idempotency key was used before with another mutation or input.
    IdempotencyConflict,
    /// Reserved: insufficient stock is found after `orderPlace` returned, and reported by
    /// `Order.reason`.
    OutOfStock,
    /// The object is in a state in which this is not possible.
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

/// A business error: nothing was changed, and the client can correct the cause.
#[derive(Debug, Clone, SimpleObject)]
pub struct UserError {
    /// Machine-readable code of the error.
    pub code: UserErrorCode,
    /// Message in English for a human reader.
    pub message: String,
    /// Path of the input field at fault, from the mutation's arguments down: `["input", "text"]`;
    /// empty if no single field is at fault.
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
