//! The GraphQL endpoint: GraphQL over HTTP, and nothing else.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_graphql::Request;
use async_graphql::parser::types::OperationType;
use axum::Extension;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited as LimitedBody};

use super::answer::{Accept, Refusal, not_run, ran, refusal};
use super::identity::{CONSISTENCY, request_context};
use super::limits::{Charged, Limited, client_address, pay, used};
use super::operations::kind_name;
use super::prepare::{Incoming, prepare};
use super::{RequestId, Served, origin, panicked, websocket};
use crate::domain::explain::{Explanation, explained};
use crate::domain::operation::ConsistencyToken;
use crate::domain::{Operation, Viewer, moderation};
use crate::graphql::context::RequestContext;
use crate::graphql::error::{ErrorCode, complete};
use crate::telemetry::trace;

/// The header that asks for an explanation.
const EXPLAIN: &str = "plaza-explain";

fn bad_request(message: &str) -> Refusal {
    refusal(StatusCode::BAD_REQUEST, ErrorCode::BadUserInput, message)
}

fn accepted(served: &Served, headers: &HeaderMap) -> Result<Accept, Refusal> {
    if !origin::is_allowed(&served.app.config.server, headers) {
        return Err(refusal(
            StatusCode::FORBIDDEN,
            ErrorCode::Forbidden,
            "pages of this origin may not use the API",
        ));
    }
    let message = "plaza answers in application/json or application/graphql-response+json";
    Accept::of(headers)
        .ok_or_else(|| refusal(StatusCode::NOT_ACCEPTABLE, ErrorCode::BadUserInput, message))
}

/// Anything but GET and POST.
pub async fn by_another_method() -> Response {
    refusal(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadUserInput, "send a POST").into_response()
}

/// Queries by GET, for caches on the way. A header that browsers do not send across origins by
/// themselves must say that it is meant.
pub async fn by_get(
    State(served): State<Served>,
    Extension(id): Extension<RequestId>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    let address = client_address(
        &served.app.config.server.trusted_proxies,
        peer.map(|Extension(peer)| peer.0),
        &headers,
    );
    if let Ok(upgrade) = upgrade {
        return websocket::accept(served, id, address, &headers, upgrade);
    }
    let incoming = || -> Result<(Accept, Incoming), Refusal> {
        let accept = accepted(&served, &headers)?;
        if !headers.contains_key("graphql-require-preflight")
            && !headers.contains_key("apollo-require-preflight")
        {
            return Err(bad_request("a query by GET needs the header graphql-require-preflight"));
        }
        let parameter = |name: &str| {
            parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        let object = |name: &str| match parameter(name).filter(|text| !text.is_empty()) {
            Some(text) => serde_json::from_str(&text)
                .map_err(|_| bad_request(&format!("`{name}` is not a JSON object"))),
            None => Ok(None),
        };
        let (variables, extensions) = (object("variables")?, object("extensions")?);
        Ok((
            accept,
            Incoming {
                query: parameter("query"),
                operation_name: parameter("operationName"),
                variables,
                extensions,
            },
        ))
    };
    match incoming() {
        Ok((accept, incoming)) => {
            run(&served, Around { id, address, accept, may_change: false }, &headers, incoming)
                .await
        }
        Err(refused) => refused.into_response(),
    }
}

/// Queries and mutations.
pub async fn by_post(
    State(served): State<Served>,
    Extension(id): Extension<RequestId>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match read(&served, &headers, body).await {
        Ok((accept, incoming)) => {
            let address = client_address(
                &served.app.config.server.trusted_proxies,
                peer.map(|Extension(peer)| peer.0),
                &headers,
            );
            run(&served, Around { id, address, accept, may_change: true }, &headers, incoming).await
        }
        Err(refused) => refused.into_response(),
    }
}

async fn read(
    served: &Served,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Accept, Incoming), Refusal> {
    let accept = accepted(served, headers)?;
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    let is_json = parts.next().is_some_and(|name| name == "application/json");
    let is_utf8 = parts.all(|parameter| {
        parameter
            .strip_prefix("charset=")
            .is_none_or(|charset| charset.trim_matches('"') == "utf-8")
    });
    if !is_json || !is_utf8 || headers.contains_key(header::CONTENT_ENCODING) {
        let message = "send application/json in UTF-8, not compressed";
        return Err(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::BadUserInput, message));
    }
    let limit = served.app.config.server.body_limit;
    let bytes = match tokio::time::timeout(
        served.app.config.request_deadline(),
        LimitedBody::new(body, limit).collect(),
    )
    .await
    {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("a body may have {limit} bytes");
            return Err(refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                ErrorCode::QueryTooComplex,
                message,
            ));
        }
        Ok(Err(_)) => return Err(bad_request("the body could not be read")),
        Err(_) => {
            return Err(refusal(
                StatusCode::REQUEST_TIMEOUT,
                ErrorCode::Timeout,
                "the body did not come in time",
            ));
        }
    };
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(bad_request("one operation a request: batches are not taken"));
    }
    let incoming = serde_json::from_slice(&bytes)
        .map_err(|_| bad_request("the body is not a GraphQL request in JSON"))?;
    Ok((accept, incoming))
}

/// What of the request is not its text.
struct Around {
    id: RequestId,
    address: IpAddr,
    accept: Accept,
    may_change: bool,
}

async fn run(served: &Served, around: Around, headers: &HeaderMap, incoming: Incoming) -> Response {
    let accept = around.accept;
    if incoming.is_empty() {
        return bad_request("`query` is missing").into_response();
    }
    let prepared = match prepare(served, incoming).await {
        Ok(prepared) => prepared,
        Err(refused) => return not_run(accept, refused.code, refused.message),
    };
    let is_query = prepared.kind == OperationType::Query;
    if !around.may_change && !is_query {
        return refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::BadUserInput,
            "only queries go by GET",
        )
        .into_response();
    }
    if prepared.kind == OperationType::Subscription {
        return not_run(
            accept,
            ErrorCode::GraphqlValidationFailed,
            "subscriptions go over a WebSocket, by graphql-transport-ws",
        );
    }
    let permit = match served.admit().await {
        Ok(permit) => permit,
        Err(refused) => {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, refused.code, refused.message)
                .retry_after(1)
                .into_response();
        }
    };
    let mut context = match request_context(&served.app, headers) {
        Ok(context) => context,
        Err(refused) => return refused.into_response(),
    };
    let charged = match pay(&served.app, &mut context, around.address, prepared.cost).await {
        Ok(charged) => charged,
        Err(limited) => {
            let refused = refusal(StatusCode::TOO_MANY_REQUESTS, Limited::CODE, limited.message());
            return refused.retry_after(limited.retry_after_s).into_response();
        }
    };
    context.wants_explanation =
        headers.contains_key(EXPLAIN) && may_be_explained(served, context.viewer).await;
    let context = Arc::new(context);
    let request = prepared.request.data(Arc::clone(&context));
    let (served, tasks) = (served.clone(), served.app.tasks.clone());
    let id = around.id.clone();
    let named = Named { kind: prepared.kind, name: prepared.name };
    let work = async move {
        let _permit = permit;
        execute(served, around, context, request, named, charged).await
    };
    if is_query {
        return work.await;
    }
    // A client that hangs up must not stop a mutation half-way: between its commit and what must
    // follow it.
    tasks.to_the_end(work).await.unwrap_or_else(|_| panicked(&id, "a mutation panicked"))
}

/// Explanations are for everybody in development, else for administrators: they tell how the system
/// is built.
async fn may_be_explained(served: &Served, viewer: Option<Viewer>) -> bool {
    let app = &served.app;
    let op = Operation::fresh(app.domain.cluster.len(), viewer, app.config.request_deadline());
    app.config.server.development || moderation::is_admin(&op, &app.domain).await.unwrap_or(false)
}

/// What is run, as figures and traces call it.
#[derive(Debug, Clone)]
pub struct Named {
    /// What kind of operation.
    pub kind: OperationType,
    /// Its name: of a closed list.
    pub name: Arc<str>,
}

impl Named {
    /// Begins its part of a trace.
    pub fn span(&self) -> trace::Span {
        let kind = kind_name(self.kind);
        let mut span =
            trace::part(trace::Kind::Internal, || format!("{kind} {}", self.name).into());
        span.set("graphql.operation.type", || kind.into());
        span
    }

    /// Counts it, as `ok`, `error` or `late`.
    pub fn count(&self, began: tokio::time::Instant, outcome: &'static str) {
        let (kind, name) = (kind_name(self.kind), &self.name);
        tracing::debug!(kind, operation = %name, outcome, took_ms = began.elapsed().as_secs_f64() * 1_000.0, "answered");
        metrics::counter!("plaza_graphql_requests_total", "kind" => kind, "operation" => Arc::clone(name), "outcome" => outcome)
            .increment(1);
        metrics::histogram!("plaza_graphql_seconds", "kind" => kind, "operation" => Arc::clone(name)).record(began.elapsed().as_secs_f64());
    }
}

async fn execute(
    served: Served,
    around: Around,
    context: Arc<RequestContext>,
    request: Request,
    named: Named,
    charged: Charged,
) -> Response {
    let is_query = named.kind == OperationType::Query;
    let Around { id, accept, .. } = around;
    let started = tokio::time::Instant::now();
    // Beyond the operation's own deadline only a fault of ours goes on.
    let patience = served.app.config.request_deadline() + std::time::Duration::from_secs(1);
    let ran = match tokio::time::timeout(
        patience,
        named.span().run(run_on_schema(&served, &context, request)),
    )
    .await
    {
        Ok(mut answer) => {
            complete(&mut answer, &id.0, context.traceparent.as_deref());
            charged.give_back(&served.app, used(&answer.data).saturating_add(context.worked()));
            let outcome = if answer.errors.is_empty() { "ok" } else { "error" };
            (ran(accept, &answer), outcome)
        }
        Err(_) if is_query => {
            (not_run(accept, ErrorCode::Timeout, "not done in time: try again"), "late")
        }
        Err(_) => {
            let message = "not done in time, and it is not known how far it came: try again with the same idempotency key";
            (not_run(accept, ErrorCode::OutcomeUnknown, message), "late")
        }
    };
    let (response, outcome) = ran;
    named.count(started, outcome);
    with_token(&served, &context, response).await
}

/// Runs a request, explained if it may and wants to be.
async fn run_on_schema(
    served: &Served,
    context: &RequestContext,
    request: Request,
) -> async_graphql::Response {
    if !context.wants_explanation {
        return served.schema.execute(request).await;
    }
    let explanation = Arc::new(Explanation::default());
    let mut answer = explained(Arc::clone(&explanation), served.explaining.execute(request)).await;
    let told = serde_json::json!({ "trace": context.traceparent, "steps": explanation.steps() });
    if let Ok(told) = async_graphql::Value::from_json(told) {
        answer.extensions.insert("explain".to_owned(), told);
    }
    answer
}

/// What a request has written is kept with its session before the client hears of it.
pub async fn remember_writes(
    served: &Served,
    context: &RequestContext,
) -> Option<ConsistencyToken> {
    let written = context.written()?;
    for session in context.sessions() {
        if let Err(error) = served.app.domain.redis.remember_writes(session, &written).await {
            tracing::debug!(%error, "a session's writes are not remembered; its client has the token");
        }
    }
    Some(written)
}

/// What was written is kept with the session, and goes back with the answer.
async fn with_token(served: &Served, context: &RequestContext, mut response: Response) -> Response {
    let Some(written) = remember_writes(served, context).await else { return response };
    let mut token = context.token.clone();
    token.merge(&written);
    if let Ok(value) = HeaderValue::from_str(&token.encode()) {
        response.headers_mut().insert(HeaderName::from_static(CONSISTENCY), value);
    }
    response
}
