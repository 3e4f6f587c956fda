//! The GraphQL endpoint: GraphQL over HTTP, and nothing else.

use std::net::IpAddr;
use std::sync::LazyLock;

use async_graphql::parser::types::OperationType;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited as LimitedBody};

use super::answer::{Accept, Refusal, not_run, ran, refusal, refused, status_of};
use super::execute::{Asked, Refused, execute};
use super::identity::{CONSISTENCY, check_token, request_context, sealed_consistency};
use super::limits::{Client, Limited, Payer};
use super::prepare::{Incoming, Prepared, prepare};
use super::{RequestId, Served, event_stream, origin, websocket};
use plaza_app::App;
use plaza_domain::operation::ConsistencyToken;
use plaza_graphql::context::RequestContext;
use plaza_graphql::cost::reading_refused;
use plaza_graphql::error::ErrorCode;
use plaza_graphql::schema::sdl;

/// The header that asks for an explanation.
const EXPLAIN: &str = "plaza-explain";
/// The header by which a query runs through the library though a plan covers it: `general`. In
/// development only.
const ENGINE: &str = "plaza-engine";

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
    let message = "plaza answers in application/json, application/graphql-response+json or \
                   text/event-stream";
    Accept::of(headers)
        .ok_or_else(|| refusal(StatusCode::NOT_ACCEPTABLE, ErrorCode::BadUserInput, message))
}

fn reads_pages(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// The schema in GraphQL's own language, for generators of code.
pub async fn schema_text() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(sdl);
    let headers = [
        (header::CONTENT_TYPE, "application/graphql; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, TEXT.as_str()).into_response()
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
    Client(address): Client,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    if let Ok(upgrade) = upgrade {
        return websocket::accept(served, id, address, &headers, upgrade);
    }
    // Somebody who has typed the address into a browser.
    if reads_pages(&headers) && !parameters.iter().any(|(name, _)| name == "query") {
        return Redirect::temporary("/graphiql").into_response();
    }
    let accept = match accepted(&served, &headers) {
        Ok(accept) => accept,
        Err(refused) => return refused.into_response(),
    };
    let incoming = || -> Result<Incoming, Refusal> {
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
        Ok(Incoming {
            query: parameter("query"),
            operation_name: parameter("operationName"),
            variables,
            extensions,
        })
    };
    let bytes = parameters.iter().map(|(name, value)| name.len() + value.len()).sum();
    let meta = RequestMeta { id, address, accept, bytes, may_change: false };
    run(&served, meta, &headers, incoming).await
}

/// Queries and mutations.
pub async fn by_post(
    State(served): State<Served>,
    Extension(id): Extension<RequestId>,
    Client(address): Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match read(&served, &headers, body).await {
        Ok((accept, body)) => {
            let meta = RequestMeta { id, address, accept, bytes: body.len(), may_change: true };
            run(&served, meta, &headers, || of_body(&body)).await
        }
        Err(refused) => refused.into_response(),
    }
}

async fn read(
    served: &Served,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Accept, Bytes), Refusal> {
    let accept = accepted(served, headers)?;
    let body = read_body(served, headers, body).await;
    Ok((accept, body.map_err(|refused| refused.taken_as(accept))?))
}

async fn read_body(served: &Served, headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
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
    let body = tokio::time::timeout(
        served.app.config.request_deadline(),
        LimitedBody::new(body, limit).collect(),
    );
    match body.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("a body may have {limit} bytes");
            Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::QueryTooComplex, message))
        }
        Ok(Err(_)) => Err(bad_request("the body could not be read")),
        Err(_) => {
            let message = "the body did not come in time";
            Err(refusal(StatusCode::REQUEST_TIMEOUT, ErrorCode::Timeout, message))
        }
    }
}

fn of_body(bytes: &[u8]) -> Result<Incoming, Refusal> {
    // Some writers begin UTF-8 with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(bytes);
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(bad_request("one operation a request: batches are not taken"));
    }
    serde_json::from_slice(bytes)
        .map_err(|_| bad_request("the body is not a GraphQL request in JSON"))
}

/// What of the request is not its text.
struct RequestMeta {
    id: RequestId,
    address: IpAddr,
    accept: Accept,
    /// How long it is, its head left out.
    bytes: usize,
    may_change: bool,
}

async fn run(
    served: &Served,
    meta: RequestMeta,
    headers: &HeaderMap,
    incoming: impl FnOnce() -> Result<Incoming, Refusal>,
) -> Response {
    let accept = meta.accept;
    // What a dead token means is known when it is known what is asked.
    let mut context = match request_context(&served.app, headers) {
        Ok(context) => context,
        Err(refused) => return refused.taken_as(accept).into_response(),
    };
    context.address = Some(meta.address);
    let payer = Payer::of(&served.app.config.limits, context.viewer, meta.address);
    let credit = payer.check_credit(&served.app);
    // What another server began must not be called not done: whether it is a mutation is seen
    // below.
    if let (Err(limited), 0..=1) = (credit, context.attempt) {
        return refused_response(accept, limited.into());
    }
    let incoming = match incoming() {
        Ok(incoming) if !incoming.is_empty() => Ok(incoming),
        Ok(_) => Err(bad_request("`query` is missing")),
        Err(refused) => Err(refused),
    };
    let incoming = match incoming {
        Ok(incoming) => incoming,
        Err(refused) => {
            payer.owe(&served.app, reading_refused(meta.bytes)).await;
            return refused.taken_as(accept).into_response();
        }
    };
    let prepared = match prepare(served, &payer, incoming).await {
        Ok(prepared) => prepared,
        Err(why) => {
            why.code.count();
            return refused(accept, why.errors());
        }
    };
    if let Some(refused) = not_as_it_came(&meta, &context, &prepared, credit) {
        payer.owe(&served.app, prepared.read).await;
        return refused;
    }
    let is_stream = prepared.kind == OperationType::Subscription;
    context.wants_explanation = headers.contains_key(EXPLAIN);
    let is_general = headers.get(ENGINE).is_some_and(|engine| engine == "general");
    context.wants_general_engine = is_general && served.app.config.server.development;
    let seen = context.token.clone();
    let asked = Asked { prepared, context, payer, request_id: meta.id };
    if is_stream {
        let begun = Box::pin(event_stream::respond(served, meta.address, asked)).await;
        return begun.unwrap_or_else(|refused| refused_response(accept, refused));
    }
    match Box::pin(execute(served, asked)).await {
        Ok(executed) => {
            with_token(&served.app, seen, executed.written, ran(accept, executed.rendered))
        }
        Err(refused) => refused_response(accept, refused),
    }
}

/// Refuses what could run, but not for this client, or not in this way.
fn not_as_it_came(
    meta: &RequestMeta,
    context: &RequestContext,
    prepared: &Prepared,
    credit: Result<(), Limited>,
) -> Option<Response> {
    let accept = meta.accept;
    if let Err(limited) = credit {
        let refused = match prepared.kind {
            OperationType::Mutation => Refused::late(prepared.kind),
            OperationType::Query | OperationType::Subscription => limited.into(),
        };
        return Some(refused_response(accept, refused));
    }
    if let Err(refused) = check_token(context, prepared.proves_itself) {
        return Some(refused.taken_as(accept).into_response());
    }
    if !meta.may_change && prepared.kind == OperationType::Mutation {
        let message = "no mutation goes by GET";
        let refused = refusal(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadUserInput, message);
        return Some(refused.taken_as(accept).into_response());
    }
    if prepared.kind == OperationType::Subscription && accept != Accept::EventStream {
        let message = "subscriptions go over a WebSocket, by graphql-transport-ws, or as events, \
                       accepted as text/event-stream";
        return Some(not_run(accept, ErrorCode::GraphqlValidationFailed, message));
    }
    None
}

/// A refusal with the status that proxies act on; any other is GraphQL's own.
fn refused_response(accept: Accept, refused: Refused) -> Response {
    if status_of(refused.code).is_success() {
        return not_run(accept, refused.code, refused.message);
    }
    Refusal::from(refused).taken_as(accept).into_response()
}

/// What was written goes back with the answer, beside what the client had seen before.
fn with_token(
    app: &App,
    seen: ConsistencyToken,
    written: Option<ConsistencyToken>,
    mut response: Response,
) -> Response {
    let Some(written) = written else { return response };
    let token = seen.after(&written, app.domain.clock.now_ms());
    if let Ok(value) = HeaderValue::from_str(&sealed_consistency(app, &token)) {
        response.headers_mut().insert(HeaderName::from_static(CONSISTENCY), value);
    }
    response
}
