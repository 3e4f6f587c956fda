//! The GraphQL endpoint: GraphQL over HTTP, and nothing else.

use std::sync::Arc;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::{Request, Variables};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;

use super::answer::{Accept, Refusal, not_run, ran, refusal};
use super::identity::{CONSISTENCY, request_context};
use super::{RequestId, Served, panicked};
use crate::graphql::context::RequestContext;
use crate::graphql::error::{ErrorCode, complete};
use crate::graphql::guard;

/// A request as it comes in.
#[derive(Debug, Deserialize)]
struct Incoming {
    query: Option<String>,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    #[expect(dead_code, reason = "part of the protocol; nothing in it means anything to plaza yet")]
    extensions: Option<serde_json::Map<String, serde_json::Value>>,
}

fn bad_request(message: &str) -> Refusal {
    refusal(StatusCode::BAD_REQUEST, ErrorCode::BadUserInput, message)
}

fn accepted(headers: &HeaderMap) -> Result<Accept, Refusal> {
    let message = "plaza answers in application/json or application/graphql-response+json";
    Accept::of(headers).ok_or_else(|| refusal(StatusCode::NOT_ACCEPTABLE, ErrorCode::BadUserInput, message))
}

/// Anything but GET and POST.
pub async fn by_another_method() -> Response {
    refusal(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadUserInput, "send a POST").into_response()
}

/// Queries by GET, for caches on the way. A header that browsers do not send across origins by themselves must say that it is meant.
pub async fn by_get(
    State(served): State<Served>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    let incoming = || -> Result<(Accept, Incoming), Refusal> {
        let accept = accepted(&headers)?;
        if !headers.contains_key("graphql-require-preflight") && !headers.contains_key("apollo-require-preflight") {
            return Err(bad_request("a query by GET needs the header graphql-require-preflight"));
        }
        let parameter = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let variables = match parameter("variables").filter(|text| !text.is_empty()) {
            Some(text) => serde_json::from_str(&text).map_err(|_| bad_request("`variables` is not a JSON object"))?,
            None => None,
        };
        let incoming = Incoming { query: parameter("query"), operation_name: parameter("operationName"), variables, extensions: None };
        Ok((accept, incoming))
    };
    match incoming() {
        Ok((accept, incoming)) => run(&served, &id, &headers, accept, incoming, false).await,
        Err(refused) => refused.into_response(),
    }
}

/// Queries and mutations.
pub async fn by_post(State(served): State<Served>, Extension(id): Extension<RequestId>, headers: HeaderMap, body: Body) -> Response {
    match read(&served, &headers, body).await {
        Ok((accept, incoming)) => run(&served, &id, &headers, accept, incoming, true).await,
        Err(refused) => refused.into_response(),
    }
}

async fn read(served: &Served, headers: &HeaderMap, body: Body) -> Result<(Accept, Incoming), Refusal> {
    let accept = accepted(headers)?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    let is_json = parts.next().is_some_and(|name| name == "application/json");
    let is_utf8 = parts.all(|parameter| parameter.strip_prefix("charset=").is_none_or(|charset| charset.trim_matches('"') == "utf-8"));
    if !is_json || !is_utf8 || headers.contains_key(header::CONTENT_ENCODING) {
        let message = "send application/json in UTF-8, not compressed";
        return Err(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::BadUserInput, message));
    }
    let limit = served.app.config.server.body_limit;
    let bytes = match tokio::time::timeout(served.app.config.request_deadline(), Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("a body may have {limit} bytes");
            return Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::QueryTooComplex, message));
        }
        Ok(Err(_)) => return Err(bad_request("the body could not be read")),
        Err(_) => return Err(refusal(StatusCode::REQUEST_TIMEOUT, ErrorCode::Timeout, "the body did not come in time")),
    };
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(bad_request("one operation a request: batches are not taken"));
    }
    let incoming = serde_json::from_slice(&bytes).map_err(|_| bad_request("the body is not a GraphQL request in JSON"))?;
    Ok((accept, incoming))
}

/// The operation that is to run.
fn chosen<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(&operation.node),
        // The library runs a single operation only under its own name, and a nameless one under none.
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name).map(|operation| &operation.node),
        (DocumentOperations::Multiple(operations), None) => {
            let mut all = operations.values();
            all.next().filter(|_| all.next().is_none()).map(|operation| &operation.node)
        }
    }
}

async fn run(served: &Served, id: &RequestId, headers: &HeaderMap, accept: Accept, incoming: Incoming, may_change: bool) -> Response {
    let Some(query) = incoming.query.filter(|query| !query.is_empty()) else {
        return bad_request("`query` is missing").into_response();
    };
    if let Err(refused) = guard::check_text(&query) {
        return not_run(accept, refused.code, refused.message);
    }
    let document = match parse_query(&query) {
        Ok(document) => document,
        Err(error) => return not_run(accept, ErrorCode::GraphqlParseFailed, error.to_string()),
    };
    let variables = Variables::from_json(serde_json::Value::Object(incoming.variables.unwrap_or_default()));
    if let Err(refused) = guard::check_document(&document, &variables) {
        return not_run(accept, refused.code, refused.message);
    }
    // Some clients send an empty name for none.
    let name = incoming.operation_name.filter(|name| !name.is_empty());
    let Some(operation) = chosen(&document, name.as_deref()) else {
        return not_run(accept, ErrorCode::GraphqlValidationFailed, "`operationName` must name one of the operations");
    };
    let is_query = operation.ty == OperationType::Query;
    if !may_change && !is_query {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadUserInput, "only queries go by GET").into_response();
    }
    if let Err(refused) = guard::check_variables(operation, &variables) {
        return not_run(accept, refused.code, refused.message);
    }
    let context = match request_context(&served.app, headers).await {
        Ok(context) => Arc::new(context),
        Err(refused) => return refused.into_response(),
    };
    let mut request = Request::new(query).variables(variables).data(Arc::clone(&context));
    request.set_parsed_query(document);
    if let Some(name) = name {
        request = request.operation_name(name);
    }
    if !served.app.config.server.development {
        request = request.disable_introspection();
    }
    let work = execute(served.clone(), id.clone(), accept, context, request, is_query);
    if is_query {
        return work.await;
    }
    // A client that hangs up must not stop a mutation half-way: between its commit and what must follow it.
    let (done, outcome) = tokio::sync::oneshot::channel();
    served.app.tasks.spawn_detached(async move {
        let _gone = done.send(work.await);
    });
    outcome.await.unwrap_or_else(|_| panicked(id, "a mutation panicked"))
}

async fn execute(
    served: Served,
    id: RequestId,
    accept: Accept,
    context: Arc<RequestContext>,
    request: Request,
    is_query: bool,
) -> Response {
    let started = tokio::time::Instant::now();
    // Beyond the operation's own deadline only a fault of ours goes on.
    let patience = served.app.config.request_deadline() + std::time::Duration::from_secs(1);
    let ran = match tokio::time::timeout(patience, served.schema.execute(request)).await {
        Ok(mut answer) => {
            complete(&mut answer, &id.0, context.traceparent.as_deref());
            let outcome = if answer.errors.is_empty() { "ok" } else { "error" };
            (ran(accept, &answer), outcome)
        }
        Err(_) if is_query => (not_run(accept, ErrorCode::Timeout, "not done in time: try again"), "late"),
        Err(_) => {
            let message = "not done in time, and it is not known how far it came: try again with the same idempotency key";
            (not_run(accept, ErrorCode::OutcomeUnknown, message), "late")
        }
    };
    let (response, outcome) = ran;
    let kind = if is_query { "query" } else { "mutation" };
    metrics::counter!("plaza_graphql_requests_total", "kind" => kind, "outcome" => outcome).increment(1);
    metrics::histogram!("plaza_graphql_seconds", "kind" => kind).record(started.elapsed().as_secs_f64());
    with_token(&served, &context, response).await
}

/// What was written is kept with the session before the client hears of it, and goes back with the answer.
async fn with_token(served: &Served, context: &RequestContext, mut response: Response) -> Response {
    let Some(written) = context.written() else { return response };
    for session in context.sessions() {
        if let Err(error) = served.app.domain.redis.remember_writes(session, &written).await {
            tracing::debug!(%error, "a session's writes are not remembered; its client has the token");
        }
    }
    let mut token = context.token.clone();
    token.merge(&written);
    if let Ok(value) = HeaderValue::from_str(&token.encode()) {
        response.headers_mut().insert(HeaderName::from_static(CONSISTENCY), value);
    }
    response
}
