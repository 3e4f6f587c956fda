//! Answers in GraphQL's form, and their status codes (GraphQL over HTTP).

use async_graphql::{Response as GraphqlResponse, ServerError};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::graphql::error::ErrorCode;

/// What the client takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// `application/json`: 200 whatever the query came to.
    Json,
    /// `application/graphql-response+json`: a query that could not be run is 400.
    GraphqlResponse,
}

impl Accept {
    /// The best that the client takes and we have; `None` when it takes neither.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
        if given.peek().is_none() {
            return Some(Self::Json);
        }
        let types: Vec<String> = given
            .flat_map(|value| value.split(','))
            .filter(|part| !part.replace(' ', "").contains(";q=0"))
            .filter_map(|part| part.split(';').next())
            .map(|name| name.trim().to_ascii_lowercase())
            .collect();
        let takes = |name: &str| types.iter().any(|known| known == name);
        if takes("application/graphql-response+json") {
            Some(Self::GraphqlResponse)
        } else if takes("application/json") || takes("application/*") || takes("*/*") {
            Some(Self::Json)
        } else {
            None
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        })
    }
}

/// An answer before anything was run.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    code: ErrorCode,
    message: String,
}

/// A refusal with this status.
pub fn refusal(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Refusal {
    Refusal { status, code, message: message.into() }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "errors": [{ "message": self.message, "extensions": { "code": self.code.name() } }] });
        let mut response = (self.status, body.to_string()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, Accept::Json.content_type());
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

/// A query that was refused after it was read: 200 under `application/json`, 400 under the other.
pub fn not_run(accept: Accept, code: ErrorCode, message: impl Into<String>) -> Response {
    let mut error = ServerError::new(message, None);
    error.extensions.get_or_insert_with(Default::default).set("code", code.name());
    ran(accept, &GraphqlResponse::from_errors(vec![error]))
}

/// What a query came to.
pub fn ran(accept: Accept, answer: &GraphqlResponse) -> Response {
    // A query that did not run has no `data`; one that ran has it, null or not.
    let not_run = !answer.errors.is_empty() && answer.data == async_graphql::Value::Null && answer.errors.iter().all(|error| error.path.is_empty());
    let body = if not_run {
        serde_json::json!({ "errors": answer.errors }).to_string()
    } else {
        serde_json::to_string(answer).unwrap_or_default()
    };
    let status = if not_run && accept == Accept::GraphqlResponse { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, accept.content_type());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_is_negotiated() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(value));
            Accept::of(&headers)
        };
        assert_eq!(Accept::of(&HeaderMap::new()), Some(Accept::Json));
        assert_eq!(of("*/*"), Some(Accept::Json));
        assert_eq!(of("application/json, text/html"), Some(Accept::Json));
        assert_eq!(of("application/graphql-response+json, application/json;q=0.9"), Some(Accept::GraphqlResponse));
        assert_eq!(of("image/png"), None);
    }
}
