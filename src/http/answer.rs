//! Answers in GraphQL's form, and their status codes (GraphQL over HTTP).

use async_graphql::ServerError;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::execute::Refused;
use super::{RequestId, event_stream};
use plaza_graphql::error::ErrorCode;
use plaza_graphql::output::Rendered;

/// What the client takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// `application/json`: 200 whatever the query came to.
    Json,
    /// `application/graphql-response+json`: a query that could not be run is 400.
    GraphqlResponse,
    /// `text/event-stream`: server-sent events.
    EventStream,
}

/// The range that asks for events.
const EVENTS: &str = "text/event-stream";

impl Accept {
    /// The best that the client takes and we have; `None` when it takes none. Events only for who
    /// names them first: nginx has to see it too, and some clients name them with every query.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let ranges: Vec<(String, f32)> = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            // An empty list element counts for nothing (RFC 9110, 5.6.1).
            .filter(|part| !part.trim().is_empty())
            .map(range)
            .collect();
        // Sent empty, or not at all: whatever there is.
        if ranges.is_empty() {
            return Some(Self::Json);
        }
        if ranges.first().is_some_and(|(range, weight)| range == EVENTS && *weight > 0.0) {
            return Some(Self::EventStream);
        }
        // A type is wanted as much as the closest range that covers it says; a wildcard is taken
        // for the plain form, which every client reads.
        let wanted = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| ranges.iter().find(|(range, _)| range == name))
                .map_or(0.0, |(_, weight)| *weight)
        };
        let json = wanted(&["application/json", "application/*", "*/*"]);
        let graphql = wanted(&["application/graphql-response+json"]);
        match () {
            () if graphql > 0.0 && graphql >= json => Some(Self::GraphqlResponse),
            () if json > 0.0 => Some(Self::Json),
            () => None,
        }
    }

    /// What a refusal is that is no event: one that has a status of its own.
    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json | Self::EventStream => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        })
    }
}

/// A media range and how much it is wanted, 0 to 1.
fn range(part: &str) -> (String, f32) {
    let mut parameters = part.split(';').map(|parameter| parameter.trim().to_ascii_lowercase());
    let name = parameters.next().unwrap_or_default();
    let weight = parameters.find_map(|parameter| {
        parameter.strip_prefix("q=").map(|weight| weight.parse().unwrap_or(0.0))
    });
    (name, weight.unwrap_or(1.0))
}

/// An answer before anything was run.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    code: ErrorCode,
    message: String,
    request_id: Option<RequestId>,
    retry_after_s: Option<u64>,
    accept: Accept,
}

impl Refusal {
    /// The same, in the form that the client takes.
    #[must_use]
    pub fn taken_as(mut self, accept: Accept) -> Self {
        self.accept = accept;
        self
    }

    /// The same, naming the request: for faults of ours.
    #[must_use]
    pub fn with_request_id(mut self, id: &RequestId) -> Self {
        self.request_id = Some(id.clone());
        self
    }

    /// The same, saying in how many seconds to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

/// A refusal with this status.
pub fn refusal(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Refusal {
    let (request_id, retry_after_s, accept) = (None, None, Accept::Json);
    Refusal { status, code, message: message.into(), request_id, retry_after_s, accept }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self {
            request_id: refused.request_id,
            retry_after_s: refused.retry_after_s,
            ..refusal(status_of(refused.code), refused.code, refused.message)
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.code.count();
        let mut extensions = serde_json::json!({ "code": self.code.name() });
        if let (Some(id), Some(extensions)) = (&self.request_id, extensions.as_object_mut()) {
            extensions.insert("requestId".to_owned(), id.0.as_ref().into());
        }
        if let (Some(seconds), Some(extensions)) = (self.retry_after_s, extensions.as_object_mut())
        {
            extensions.insert("retryAfter".to_owned(), seconds.into());
        }
        let body = serde_json::json!({ "errors": [{ "message": self.message, "extensions": extensions }] });
        let mut response = (self.status, body.to_string()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, self.accept.content_type());
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 6750: what was wrong is the token.
            let what = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, what);
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

/// The status that proxies act on; any other refusal is GraphQL's own, and 200.
pub fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::OK,
    }
}

/// A query that was refused after it was read: 200 under `application/json`, 400 under the other.
pub fn not_run(accept: Accept, code: ErrorCode, message: impl Into<String>) -> Response {
    code.count();
    refused(accept, vec![code.server_error(message)])
}

/// An operation that was refused for these reasons.
pub fn refused(accept: Accept, errors: Vec<ServerError>) -> Response {
    let body = serde_json::json!({ "errors": errors }).to_string();
    ran(accept, Rendered { body, errors, not_run: true })
}

/// What an operation came to.
pub fn ran(accept: Accept, answer: Rendered) -> Response {
    let Rendered { body, errors, not_run } = answer;
    let limited = errors.iter().find_map(|error| {
        let extensions = error.extensions.as_ref()?;
        let is = extensions
            .get("code")
            .is_some_and(|code| *code == async_graphql::Value::from(ErrorCode::RateLimited.name()));
        is.then(|| {
            extensions
                .get("retryAfter")
                .and_then(|value| value.clone().into_json().ok()?.as_u64())
                .unwrap_or(1)
        })
    });
    let status = if limited.is_some() {
        StatusCode::TOO_MANY_REQUESTS
    } else if not_run && accept == Accept::GraphqlResponse {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    let mut response = match accept {
        Accept::EventStream => event_stream::whole(status, &body),
        _ => {
            let mut response = (status, body).into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, accept.content_type());
            response
        }
    };
    if let Some(seconds) = limited {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
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
        assert_eq!(of(""), Some(Accept::Json));
        assert_eq!(of(" , "), Some(Accept::Json));
        assert_eq!(of("application/json, text/html"), Some(Accept::Json));
        assert_eq!(
            of("application/graphql-response+json, application/json;q=0.9"),
            Some(Accept::GraphqlResponse)
        );
        assert_eq!(
            of("application/json;q=0.9, application/graphql-response+json;q=0.4"),
            Some(Accept::Json)
        );
        assert_eq!(of("text/html, */*;q=0.8"), Some(Accept::Json));
        assert_eq!(
            of("application/graphql-response+json;charset=utf-8, */*"),
            Some(Accept::GraphqlResponse)
        );
        assert_eq!(of("application/json;q=0"), None);
        assert_eq!(of("image/png"), None);
        assert_eq!(of("text/event-stream"), Some(Accept::EventStream));
        assert_eq!(of("text/event-stream, multipart/mixed"), Some(Accept::EventStream));
        assert_eq!(of("text/event-stream;q=0"), None);
        assert_eq!(
            of("application/graphql-response+json, application/json, text/event-stream"),
            Some(Accept::GraphqlResponse)
        );
    }
}
